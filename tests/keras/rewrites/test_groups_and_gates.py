"""Grouped convolutions, spatial attention and CBAM's channel gates, in the ways in which people write them."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.rewrites import present, remove  # noqa: E402
from ablate.keras.rewrites.without_block import block_names  # noqa: E402
from ablate.keras.survey import ingredients  # noqa: E402

pytestmark = pytest.mark.keras


def assert_equal(rewritten, by_hand):
    """Both have weights of the same names and shapes and, after copying them over, exactly the same outputs."""
    rng = np.random.default_rng(0)
    for weight in rewritten.weights:
        weight.assign(rng.uniform(0.5 if weight.path.endswith("variance") else -0.5, 1.0, weight.shape))
    assert len(copied_weights(rewritten, by_hand)) == len(by_hand.weights) == len(rewritten.weights)
    x = rng.normal(size=(2, *rewritten.inputs[0].shape[1:])).astype("float32")
    np.testing.assert_array_equal(rewritten(x, training=False), by_hand(x, training=False))


def classified(inputs, x):
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(3, name="classifier")(x), name="net")


def by_slices(x):
    return [layers.Lambda(lambda z, c=c: z[:, :, :, c * 4 : (c + 1) * 4])(x) for c in range(3)]


def by_index(x):
    return [x[..., c * 4 : (c + 1) * 4] for c in range(3)]


def by_split(x):
    return ops.split(x, 3, axis=-1)


WRITTEN_OUT = {"slices": by_slices, "index": by_index, "split": by_split}


def resnext(form, grouped=True):
    """A block of ResNeXt with three groups of four channels; the depthwise convolution in it is none of them."""
    inputs = keras.Input((8, 8, 3))
    stem = x = layers.Conv2D(12, 1, activation="relu", name="stem")(inputs)
    options = {"strides": 2, "padding": "same", "use_bias": False, "kernel_regularizer": "l2"}
    if not grouped or form == "argument":
        x = layers.Conv2D(12, 3, groups=3 if grouped else 1, name="conv0", **options)(x)
    elif form == "depthwise":
        options["depthwise_regularizer"] = options.pop("kernel_regularizer")
        x = layers.DepthwiseConv2D(3, depth_multiplier=4, name="conv0", **options)(x)
        x = layers.Reshape((4, 4, 3, 4, 4))(x)
        x = layers.Lambda(lambda z: sum(z[:, :, :, :, i] for i in range(4)))(x)
        x = layers.Reshape((4, 4, 12))(x)
    else:
        parts = WRITTEN_OUT[form](x)
        x = layers.Concatenate()([layers.Conv2D(4, 3, name=f"conv{c}", **options)(one) for c, one in enumerate(parts)])
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Add()([layers.Conv2D(12, 1, 2, name="projection")(stem), x])
    return classified(inputs, layers.DepthwiseConv2D(3, name="depthwise")(layers.ReLU()(x)))


@pytest.mark.parametrize("form", ["argument", "slices", "index", "split", "depthwise"])
def test_a_grouped_convolution_becomes_an_ordinary_one(form):
    full = resnext(form)
    found = present(full)
    assert (found["groups"], found["separable"], found["residual"]) == (1, 1, 1)
    without = remove(full, groups=False)
    assert present(without)["groups"] == 0
    assert_equal(without, resnext(form, grouped=False))
    # 9 x 12 x 12 weights in the place of 9 x 4 x 12
    assert without.count_params() - full.count_params() == 9 * 12 * 8


def test_the_written_out_form_computes_what_the_argument_does():
    argument, depthwise = resnext("argument"), resnext("depthwise")
    copied_weights(argument, depthwise)
    kernel = np.asarray(argument.get_layer("conv0").kernel).reshape(3, 3, 4, 3, 4)
    # Input 4 g + i of a depthwise convolution is that of group g and place i.
    depthwise.get_layer("conv0").kernel.assign(kernel.transpose(0, 1, 3, 2, 4).reshape(3, 3, 12, 4))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(argument(x, training=False), depthwise(x, training=False), rtol=1e-4, atol=1e-5)


def mixture(inputs):
    """Branches that are no groups: of all channels, of unequal kernels, of half of the channels twice."""
    x = layers.Conv2D(8, 1, name="stem")(inputs)
    inception = [layers.Conv2D(4, 3, padding="same")(x), layers.Conv2D(4, 3, padding="same")(x)]
    unequal = [layers.Conv2D(4, 3, padding="same")(x[..., :4]), layers.Conv2D(4, 1)(x[..., 4:])]
    twice = [layers.Conv2D(4, 1)(x[..., :4]), layers.Conv2D(4, 1)(x[..., :4])]
    swapped = [layers.Conv2D(4, 1)(x[..., 4:]), layers.Conv2D(4, 1)(x[..., :4])]
    return layers.Concatenate()([layers.Concatenate()(pair) for pair in (inception, unequal, twice, swapped)])


def test_branches_that_are_no_groups():
    inputs = keras.Input((8, 8, 3))
    full = classified(inputs, mixture(inputs))
    assert present(full)["groups"] == 0
    with pytest.raises(NetworkError, match="no convolution within groups of several channels"):
        remove(full, groups=False)


class SpatialGate(layers.Layer):
    """Gives the gate alone; the product stands in the network."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(1, 7, padding="same", activation="sigmoid", use_bias=False)

    def call(self, x):
        return self.conv(ops.concatenate([ops.mean(x, -1, keepdims=True), ops.max(x, -1, keepdims=True)], -1))


def spatial_gate(x, form):
    if form == "layer":
        return SpatialGate(name="gate")(x)
    if form == "one":
        return layers.Conv2D(1, 1, activation="sigmoid", name="gate")(x)
    if form == "enlarged":
        gate = layers.Conv2D(1, 3, padding="same", name="gate")(layers.AveragePooling2D(2)(x))
        gate = layers.UpSampling2D()(ops.sigmoid(gate))
        return layers.Lambda(lambda y: ops.repeat(y, 6, axis=-1))(gate)
    if form == "nested":
        start = keras.Input(x.shape[1:])
        gate = layers.Lambda(lambda y: 1 / (1 + ops.exp(-y)))(layers.Conv2D(1, 3, padding="same", name="gate")(start))
        return keras.Model(start, gate, name="nested")(x)
    pooled = [layers.Lambda(lambda y: ops.mean(y, axis=3, keepdims=True))(x), ops.max(x, axis=3, keepdims=True)]
    gate = layers.Conv2D(1, 7, padding="same", use_bias=False, name="gate")(layers.Concatenate()(pooled))
    return layers.Activation("sigmoid")(gate)


def cbam(form="pooled", channel=True, spatial=True):
    """Attention over channels, then over places, as CBAM has them."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="stem")(inputs)
    if channel:
        small, large = layers.Dense(2, activation="relu", name="small"), layers.Dense(6, name="large")
        mean = large(small(layers.Reshape((1, 1, 6))(layers.GlobalAveragePooling2D()(x))))
        most = large(small(layers.Reshape((1, 1, 6))(layers.GlobalMaxPooling2D()(x))))
        x = layers.Multiply()([x, layers.Activation("sigmoid")(layers.Add()([mean, most]))])
    if spatial:
        x = layers.Multiply()([x, spatial_gate(x, form)])
    return classified(inputs, layers.Conv2D(4, 3, padding="same", name="last")(x))


@pytest.mark.parametrize("form", ["pooled", "one", "enlarged", "nested", "layer"])
def test_spatial_attention(form):
    full = cbam(form)
    found = present(full)
    assert (found["squeeze_excite"], found["spatial_attention"], found["head"]) == (1, 1, 1)
    assert_equal(remove(full, spatial_attention=False), cbam(form, spatial=False))
    assert_equal(remove(full, squeeze_excite=False), cbam(form, channel=False))
    both = remove(full, squeeze_excite=False, spatial_attention=False)
    assert_equal(both, cbam(form, channel=False, spatial=False))


def test_the_convolution_of_a_gate_is_no_block():
    assert block_names(graph_of(cbam())) == ("stem", "last")


def attention_u_net():
    """The gate of what is skipped is computed from it and from what comes from below."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="down")(inputs)
    below = layers.Conv2D(8, 3, padding="same", activation="relu", name="bottom")(layers.MaxPooling2D()(x))
    query = layers.Conv2D(4, 1, name="query")(layers.UpSampling2D()(below))
    gate = layers.ReLU()(layers.Add(name="sum")([layers.Conv2D(4, 1, name="key")(x), query]))
    gate = layers.Conv2D(1, 1, activation="sigmoid", name="gate")(gate)
    skipped = layers.Multiply(name="product")([x, gate])
    x = layers.Concatenate()([layers.UpSampling2D()(below), skipped])
    return classified(inputs, layers.Conv2D(4, 3, name="up")(x))


def test_gates_of_attention_u_nets_are_left_alone_unless_they_are_named():
    full = attention_u_net()
    row = ingredients(full).loc["spatial_attention"]
    assert row.sites == 0
    assert list(row.left_alone) == ["product"]
    with pytest.raises(NetworkError, match="attention U-Nets"):
        remove(full, spatial_attention=False)
    without = remove(full, spatial_attention=False, only={"spatial_attention": "product"})
    assert {layer.name for layer in full.layers} - {layer.name for layer in without.layers} >= {"gate", "key", "query"}


def test_products_that_are_no_spatial_attention():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    swish = x * ops.sigmoid(x)
    full_gate = x * layers.Conv2D(4, 1, activation="sigmoid")(x)
    unbounded = x * layers.Conv2D(1, 1)(x)
    scalar = x * layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    found = present(classified(inputs, layers.Concatenate()([swish, full_gate, unbounded, scalar])))
    assert found["spatial_attention"] == 0


class ChannelGate(layers.Layer):
    """CBAM's gates of channels, of which the product with the map stands in the network."""

    def __init__(self, reshaped, **kwargs):
        super().__init__(**kwargs)
        self.reshaped = reshaped
        self.mean, self.most = layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D()
        self.small, self.large = layers.Dense(2, activation="relu"), layers.Dense(6)

    def call(self, x):
        gates = ops.sigmoid(sum(self.large(self.small(pool(x))) for pool in (self.mean, self.most)))
        return ops.reshape(gates, (-1, 1, 1, 6)) if self.reshaped else gates


def nested_gates(x):
    start = keras.Input(x.shape[1:])
    small, large = layers.Dense(2, activation="relu"), layers.Dense(6)
    pools = [layers.GlobalAveragePooling2D(keepdims=True), layers.GlobalMaxPooling2D(keepdims=True)]
    gates = layers.Activation("sigmoid")(layers.Add()([large(small(pool(start))) for pool in pools]))
    return keras.Model(start, gates, name="gates")(x)


GATES = {
    "layer": lambda x: ChannelGate(True, name="gates")(x),
    "layer and reshape": lambda x: layers.Reshape((1, 1, 6))(ChannelGate(False, name="gates")(x)),
    "nested": nested_gates,
}


@pytest.mark.parametrize("form", GATES)
def test_channel_attention_in_a_layer_or_model_of_its_own_is_a_gate_and_no_head(form):
    def net(gates):
        inputs = keras.Input((8, 8, 3))
        x = layers.Conv2D(6, 3, padding="same", activation="relu", name="stem")(inputs)
        x = layers.Multiply()([x, GATES[form](x)]) if gates else x
        return classified(inputs, layers.Conv2D(4, 3, padding="same", name="last")(x))

    full = net(gates=True)
    rows = ingredients(full)
    assert (rows.loc["squeeze_excite"].sites, rows.loc["squeeze_excite"].inaccessible) == (1, 0)
    assert (rows.loc["head"].places, rows.loc["head"].inaccessible) == (["pool"], 0)
    assert_equal(remove(full, squeeze_excite=False), net(gates=False))
    flat = remove(full, head="flatten")
    assert flat.count_params() - full.count_params() == 4 * 3 * 63


def test_poolings_that_gate_the_pooled_map_are_no_head():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, name="stem")(inputs)
    small, large = layers.Dense(2, activation="relu"), layers.Dense(6)
    gates = [large(small(pool(x))) for pool in (layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D())]
    x = layers.Multiply()([layers.GlobalAveragePooling2D(name="pool")(x), ops.sigmoid(gates[0] + gates[1])])
    found = ingredients(keras.Model(inputs, layers.Dense(3)(x)))
    assert (found.loc["head"].places, found.loc["squeeze_excite"].sites) == (["pool"], 1)


def gated_dense_net(dense=True, gates=True):
    """Dense connections whose channels squeeze-and-excitation gates."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    for n in range(2):
        y = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"conv{n}")(x)
        x = layers.Concatenate(name=f"join{n}")([x, y]) if dense else y
        if gates:
            z = layers.BatchNormalization(name=f"norm{n}")(x)
            gate = layers.Reshape((1, 1, x.shape[-1]))(layers.GlobalAveragePooling2D()(z))
            gate = layers.Dense(x.shape[-1], "sigmoid")(layers.Dense(2, "relu")(gate))
            x = layers.Multiply(name=f"gate{n}")([z, gate])
        else:
            x = layers.BatchNormalization(name=f"norm{n}")(x)
    return classified(inputs, layers.Conv2D(4, 3, padding="same", name="last")(x))


def test_dense_connections_that_are_gated_go_with_their_gates():
    full = gated_dense_net()
    assert (present(full)["dense_connections"], present(full)["squeeze_excite"]) == (2, 2)
    with pytest.raises(NetworkError, match=r"gate0, gate1.*squeeze_excite=false"):
        remove(full, dense_connections=False)
    assert_equal(remove(full, squeeze_excite=False), gated_dense_net(gates=False))
    without = remove(full, dense_connections=False, squeeze_excite=False)
    assert_equal(without, gated_dense_net(dense=False, gates=False))
