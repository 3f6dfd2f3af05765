"""Sums that look residual and are not; shortcuts with more than a projection; patterns that choose."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, present, remove, sites_of  # noqa: E402
from ablate.keras.rewrites.places import left_alone  # noqa: E402
from ablate.keras.survey import ingredients  # noqa: E402

pytestmark = pytest.mark.keras


def conv(x, filters, kernel=3, **kwargs):
    return layers.Conv2D(filters, kernel, padding="same", **kwargs)(x)


def model_of(body, shape=(8, 8, 4)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layers.Dense(3, name="classifier")(layers.GlobalAveragePooling2D()(body(inputs))))


def others(model):
    return left_alone(INGREDIENTS["residual"], graph_of(model))


def body(x, filters, strides=1):
    x = layers.ReLU()(layers.BatchNormalization()(conv(x, filters, strides=strides, name="first")))
    return layers.BatchNormalization()(conv(x, filters, name="second"))


SHORTCUTS = {
    "depthwise and 1x1": lambda x: layers.BatchNormalization()(
        conv(layers.BatchNormalization()(layers.DepthwiseConv2D(3, 2, padding="same")(x)), 6, 1)
    ),
    "3x3": lambda x: layers.BatchNormalization()(conv(x, 6, strides=2)),
    "separable": lambda x: layers.SeparableConv2D(6, 3, 2, padding="same")(x),
}


@pytest.mark.parametrize("name", SHORTCUTS)
def test_shortcuts_through_wider_convolutions(name):
    def net(residual):
        def block(x):
            return layers.Add()([body(x, 6, 2), SHORTCUTS[name](x)]) if residual else body(x, 6, 2)

        return model_of(block)

    without, hand = remove(net(True), residual=False), net(False)
    assert without.count_params() == hand.count_params()
    copied_weights(hand, without)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    np.testing.assert_allclose(without(x, training=False), hand(x, training=False), rtol=1e-5, atol=1e-5)


def encoder_decoder(kind):
    """A level down and up again, whose maps are added to those of the encoder."""

    def net(x):
        level1 = conv(x, 6, activation="relu")
        level2 = conv(layers.MaxPooling2D(2)(level1), 6, activation="relu")
        if kind == "fpn":
            lateral = conv(level1, 8, 1, name="lateral")
            return layers.Add(name="sum")([lateral, layers.UpSampling2D(2)(conv(level2, 8, 1))])
        up = layers.Conv2DTranspose(6, 3, 2, padding="same")(level2)
        return layers.Add(name="sum")([up, level1])

    return model_of(net)


@pytest.mark.parametrize("kind", ["fpn", "linknet"])
def test_sums_of_an_encoder_and_its_decoder_are_left_alone_unless_named(kind):
    full = encoder_decoder(kind)
    assert present(full)["residual"] == 0
    assert list(others(full)) == ["sum"]
    with pytest.raises(NetworkError, match="resolution"):
        remove(full, residual=False)
    without = remove(full, residual=False, only={"residual": "su*"})
    assert "sum" not in [layer.name for layer in without.layers]
    assert without.output_shape == full.output_shape


@pytest.mark.parametrize("stride", [1, 2])
def test_the_gate_of_an_attention_u_net_is_left_alone(stride):
    def net(x):
        skip = conv(x, 6, activation="relu", name="skip")
        g = conv(layers.MaxPooling2D(2)(skip), 6, activation="relu")
        g = layers.UpSampling2D(2)(g) if stride == 1 else g
        total = layers.Add(name="gate")([conv(skip, 4, 1, strides=stride), conv(g, 4, 1)])
        psi = conv(layers.ReLU()(total), 1, 1, activation="sigmoid")
        psi = layers.UpSampling2D(2)(psi) if stride == 2 else psi
        return layers.Concatenate()([layers.Multiply()([skip, psi]), conv(skip, 3)])

    full = model_of(net)
    assert present(full)["residual"] == 0
    assert others(full)["gate"].startswith("it computes a gate")


def test_a_block_that_enlarges_and_one_with_squeeze_and_excitation_are_residual():
    def net(x):
        y = conv(layers.UpSampling2D(2)(layers.ReLU()(x)), 6)
        x = layers.Add(name="up")([conv(layers.UpSampling2D(2)(x), 6, 1), conv(layers.ReLU()(y), 6)])
        y = conv(layers.ReLU()(conv(x, 6)), 6)
        y = layers.MaxPooling2D(3, 1)(layers.ZeroPadding2D(1)(y))  # padding enlarges nothing
        gate = layers.Dense(6, "sigmoid")(layers.Dense(2, "relu")(layers.GlobalAveragePooling2D(keepdims=True)(y)))
        return layers.Add(name="squeezed")([x, y * gate])

    assert sites_of(INGREDIENTS["residual"], graph_of(model_of(net))) == ("up", "squeezed")


def test_an_activation_in_the_shortcut_is_said_and_can_be_named():
    def net(x):
        x = layers.Add(name="plain")([x, body(x, 4)])
        return layers.Add(name="active")([conv(x, 6, 1, activation="relu"), conv(layers.ReLU()(conv(x, 6)), 6)])

    full = model_of(net)
    assert sites_of(INGREDIENTS["residual"], graph_of(full)) == ("plain",)
    row = ingredients(full).loc["residual"]
    assert list(row.left_alone) == ["active"]
    assert "an activation stands in" in row.remark
    without = remove(full, residual=False, only={"residual": ["plain", "active"]})
    assert not {"plain", "active"} & {layer.name for layer in without.layers}


def test_sums_without_a_shortcut_are_listed_and_cannot_be_named():
    full = model_of(lambda x: layers.Add(name="sum")([conv(x, 6), conv(x, 6, 5)]))
    assert others(full) == {"sum": "none of its branches is a shortcut of the others"}
    with pytest.raises(NetworkError, match="changes nothing"):
        remove(full, residual=False, only={"residual": "sum"})


def test_numbers_that_are_added_are_no_sum_of_branches():
    assert others(model_of(lambda x: conv(x, 4) + ops.mean(conv(x, 4), axis=(1, 2), keepdims=True) + 1.0)) == {}


def test_parts_of_the_channels_are_no_shortcuts():
    def res2net(x):
        first, second, third = ops.split(conv(x, 12, 1, name="stem"), 3, axis=-1)
        middle = conv(second, 4, activation="relu", name="middle")
        last = conv(layers.Add(name="between")([third, middle]), 4, activation="relu", name="last")
        return layers.Add(name="outer")([x, conv(layers.Concatenate()([first, middle, last]), 4, 1, name="exit")])

    model = model_of(res2net)
    assert sites_of(INGREDIENTS["residual"], graph_of(model)) == ("outer",)
    assert list(others(model)) == ["between"]
    without = remove(model, residual=False)
    # Each part of the channels is still read: that of the sum as well.
    assert "between" in [layer.name for layer in without.layers]


def test_a_part_of_the_channels_beside_what_the_other_became_is_no_dense_connection():
    """As in CSPNet (https://arxiv.org/abs/1911.11929): without it, half of the channels would be lost."""

    def cross_stage(x):
        one, other = ops.split(conv(x, 8, 1, name="stem"), 2, axis=-1)
        return layers.Concatenate()([one, other, conv(other, 4, activation="relu", name="body")])

    def dense(x):
        x = conv(x, 8, 1, name="stem")
        return layers.Concatenate()([x, conv(x, 4, activation="relu", name="body")])

    assert present(model_of(cross_stage))["dense_connections"] == 0
    assert present(model_of(dense))["dense_connections"] == 1


def test_the_head_of_a_network_whose_pooling_gives_the_classes_is_none():
    inputs = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D(name="pool")(conv(conv(inputs, 8, activation="relu"), 3, 1))
    assert present(keras.Model(inputs, layers.Softmax()(x)))["head"] == 0


def wavenet(blocks, own_projections, residual=True):
    """Blocks with a shortcut each, whose gated maps also feed a sum of skip outputs."""
    inputs = keras.Input((16, 4))
    x, skips = layers.Conv1D(4, 1, name="stem")(inputs), []
    for n in range(blocks):
        gated = layers.Conv1D(4, 2, padding="same", activation="tanh", name=f"filter{n}")(x)
        gated = gated * layers.Conv1D(4, 2, padding="same", activation="sigmoid", name=f"gate{n}")(x)
        skip = layers.Conv1D(4, 1, name=f"skip{n}")(gated)
        out = layers.Conv1D(4, 1, name=f"out{n}")(gated) if own_projections else skip
        skips.append(skip)
        x = layers.Add(name=f"residual{n}")([x, out]) if residual else out
    x = layers.ReLU()(layers.Add(name="skips")(skips))
    return keras.Model(inputs, layers.Dense(3, name="classifier")(layers.GlobalAveragePooling1D()(x)))


@pytest.mark.parametrize("blocks", [2, 3])
@pytest.mark.parametrize("own_projections", [True, False])
def test_a_sum_of_skip_outputs_is_no_residual_connection(blocks, own_projections):
    full = wavenet(blocks, own_projections)
    # Nothing reads the last block's own sum.
    assert sites_of(INGREDIENTS["residual"], graph_of(full)) == tuple(f"residual{n}" for n in range(blocks - 1))
    assert list(others(full)) == ["skips"]
    without, hand = remove(full, residual=False), wavenet(blocks, own_projections, residual=False)
    assert [weight.path for weight in without.weights] == [weight.path for weight in hand.weights]
    copied_weights(hand, without)
    x = np.random.default_rng(0).normal(size=(2, 16, 4)).astype("float32")
    np.testing.assert_array_equal(without(x, training=False), hand(x, training=False))


def test_branches_side_by_side_around_one_fork_are_residual():
    def rep_vgg(x):
        for name in ("first", "second"):
            sums = [layers.BatchNormalization()(x), conv(x, 4, 1), conv(x, 4)]
            x = layers.ReLU()(layers.Add(name=name)(sums))
        return x

    def conditioned(x):
        time = conv(x, 4, 1, name="time")
        y = layers.Add(name="condition")([conv(layers.ReLU()(conv(x, 4)), 4), time])
        return layers.Add(name="around")([y, conv(layers.ReLU()(conv(y, 4)), 4)])

    assert sites_of(INGREDIENTS["residual"], graph_of(model_of(rep_vgg))) == ("first", "second")
    assert "around" in sites_of(INGREDIENTS["residual"], graph_of(model_of(conditioned)))


def u_net(skip, dense=True):
    """One level down and up again."""
    x = inputs = keras.Input((8, 8, 3))
    x = conv(x, 4, activation="relu", name="down")
    up = layers.UpSampling2D(2)(conv(layers.MaxPooling2D(2)(x), 6, activation="relu", name="bottom"))
    x = layers.Concatenate(name="together")([up, skip(x, up)]) if dense else up
    return keras.Model(inputs, conv(x, 2, name="last"))


def cropped(x):
    return layers.Cropping2D(1)(layers.ZeroPadding2D(1)(layers.SpatialDropout2D(0.1)(x)))


def gated(x, up, further=False):
    sums = layers.ReLU()(conv(x, 2, 1) + conv(up, 2, 1))
    x = x * conv(sums, 1, 1, activation="sigmoid")
    return conv(x, 4, 1) if further else x


SKIPS = {
    "gate": lambda x, up: gated(x, up),
    "gate repeated": lambda x, up: x * ops.repeat(conv(up, 1, 1, activation="sigmoid"), 4, axis=-1),
    "gate and convolution": lambda x, up: gated(x, up, further=True),
    "convolution": lambda x, up: conv(x, 2, 1),
    "cropping and dropout": lambda x, up: layers.Cropping2D(1)(
        layers.ZeroPadding2D(1)(layers.SpatialDropout2D(0.1)(x))
    ),
}


@pytest.mark.parametrize("name", SKIPS)
def test_skips_to_a_decoder_are_no_dense_connections_and_one_of_the_two_lists_each(name):
    full = u_net(SKIPS[name])
    table = ingredients(full)
    dense = table.loc["dense_connections"]
    assert (dense.sites, len(dense.left_alone)) == (0, 0)
    row = table.loc["skip"]
    assert row.sites + len(row.left_alone) == 1
    without = remove(full, skip=False, only={"skip": "together"})
    assert without.count_params() == u_net(SKIPS[name], dense=False).count_params()


def test_branches_side_by_side_are_not_listed_as_dense_connections():
    def inception(x):
        x = conv(x, 4, name="stem")
        return layers.Concatenate()(
            [conv(x, 4, 1), conv(conv(x, 4, 1), 4), conv(layers.MaxPooling2D(3, 1, "same")(x), 4)]
        )

    def pyramid(x):
        x = conv(x, 4, name="stem")
        pooled = [layers.UpSampling2D(size)(conv(layers.AveragePooling2D(size)(x), 2, 1)) for size in (2, 4)]
        return layers.Concatenate()([x, *pooled])

    for net in (inception, pyramid):
        row = ingredients(model_of(net)).loc["dense_connections"]
        assert (row.sites, len(row.left_alone)) == (0, 0)


def test_new_maps_without_the_one_that_they_came_from_are_listed():
    """As in front of the upsampling of Tiramisu (https://arxiv.org/abs/1611.09326)."""

    def block(x):
        x = conv(x, 4, name="stem")
        first = conv(x, 4, activation="relu", name="first")
        second = conv(layers.Concatenate(name="inner")([x, first]), 4, activation="relu", name="second")
        return layers.Concatenate(name="new")([first, second])

    full = model_of(block)
    row = ingredients(full).loc["dense_connections"]
    assert (row.places, list(row.left_alone)) == (["inner"], ["new"])
    # Without the inner one, each map is computed from the one before it alone.
    without = remove(full, dense_connections=False)
    assert not {"inner", "new"} & {layer.name for layer in without.layers}


def test_a_block_that_enlarges_maps_of_unknown_size_is_residual():
    def up(x):
        y = layers.UpSampling2D(2)(conv(conv(x, 4, activation="relu"), 4, activation="relu"))
        return layers.Add(name="up")([conv(layers.UpSampling2D(2)(x), 2, 1), conv(y, 2, 1)])

    full = model_of(up, (None, None, 4))
    assert sites_of(INGREDIENTS["residual"], graph_of(full)) == ("up",)
