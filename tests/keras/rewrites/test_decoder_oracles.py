"""Decoders without their skip connections, and with other enlargements, against hand-written ones."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from rewrite_oracles import difference, shared_start  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, present, remove  # noqa: E402
from ablate.keras.rewrites.places import left_alone  # noqa: E402

pytestmark = pytest.mark.keras


def conv(x, filters, name, kernel=3, **kwargs):
    x = layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=name, **kwargs)(x)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def enlarged(x, filters, name, how):
    if how == "transposed":
        return layers.Conv2DTranspose(filters, 2, strides=2, activation="relu", name=name)(x)
    x = layers.UpSampling2D(2, interpolation=how, name=f"{name}_upsampling")(x)
    return layers.Conv2D(filters, 2, padding="same", activation="relu", name=name)(x)


def u_net(skip=True, how="transposed", join="concat", lateral=False):
    """Two halvings; ``lateral`` puts a 1x1 convolution into the skip connections, as in feature pyramids."""
    x = inputs = keras.Input((8, 8, 3), name="image")
    maps = []
    for level, size in enumerate((4, 6), 1):
        x = conv(x, size, f"encoder{level}")
        maps.append(layers.Conv2D(size, 1, name=f"lateral{level}")(x) if lateral and skip else x)
        x = layers.MaxPooling2D(2, name=f"pool{level}")(x)
    x = conv(x, 8, "middle")
    for level, size in ((2, 6), (1, 4)):
        x = enlarged(x, size, f"up{level}", how)
        if skip:
            other = maps[level - 1]
            x = layers.Concatenate(name=f"join{level}")([other, x]) if join == "concat" else layers.Add()([x, other])
        x = conv(x, size, f"decoder{level}")
    return keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax", name="classifier")(x), name="u_net")


@pytest.mark.parametrize("lateral", [False, True])
@pytest.mark.parametrize("join", ["concat", "add"])
def test_without_its_skip_connections_a_u_net_is_the_one_written_by_hand(join, lateral):
    full = u_net(join=join, lateral=lateral)
    assert present(full)["skip"] == 2
    assert present(full)["dense_connections"] == present(full)["residual"] == 0
    rewritten = remove(full, skip=False)
    assert difference(rewritten, u_net(skip=False)) == 0.0
    assert present(rewritten)["skip"] == 0
    # The convolution behind a concatenation has fewer channels to read, all else starts alike.
    changed = {f"decoder{level}/kernel/0" for level in (1, 2)} if join == "concat" else set()
    paths = {path for path in shared_start(rewritten, rewritten)}
    assert paths - set(shared_start(full, rewritten)) == changed


def test_one_skip_connection_by_its_name():
    rewritten = remove(u_net(), skip=False, only={"skip": "join2"})
    assert [one.name for one in rewritten.layers if isinstance(one, layers.Concatenate)] == ["join1"]
    assert rewritten.get_layer("decoder2").kernel.shape == (3, 3, 6, 6)


def test_our_u_net_without_its_skip_connections():
    signature = ModelSignature((13, 10, 1), 3, per_place=True)
    full = build({"name": "unet", "filters": [4, 6, 8]}, signature)
    found = present(full)
    expected = {
        "skip": 2,
        "upsampling": 2,
        "batch_norm": 10,
        "bn_placement": 10,
        "pooling": 2,
        "dropout": 1,
        "bias": 10,
    }
    assert {name: found[name] for name in expected} == expected
    rewritten = remove(full, skip=False, batch_norm=False)
    assert rewritten.output_shape == full.output_shape
    assert not any(isinstance(one, layers.Concatenate | layers.BatchNormalization) for one in rewritten.layers)


def functional(body, shape=(8, 8, 4)):
    inputs = keras.Input(shape, name="image")
    x = body(layers.Conv2D(4, 3, padding="same", name="first")(inputs))
    return keras.Model(inputs, layers.Conv2D(2, 1, name="classifier")(x), name="net")


def down(x):
    return layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)


def up(x):
    return layers.Conv2DTranspose(4, 2, strides=2)(x)


def gated(x):
    """An attention U-Net: the encoder's map is multiplied by what is computed from both."""
    decoded = up(down(x))
    gate = layers.Conv2D(1, 1, activation="sigmoid")(layers.Conv2D(4, 1)(x) + layers.Conv2D(4, 1)(decoded))
    return layers.Concatenate(name="join")([x * gate, decoded])


def nested(x):
    """U-Net++: two maps of the resolution, of which the second is computed from the first."""
    deep = down(x)
    second = layers.Concatenate(name="second")([x, up(deep)])
    second = layers.Conv2D(4, 3, padding="same")(second)
    return layers.Concatenate(name="third")([x, second, up(layers.Conv2D(4, 3, padding="same")(deep))])


def cropped(x):
    decoded = layers.Conv2DTranspose(4, 2, strides=2)(layers.Conv2D(4, 3, strides=2)(x))
    return layers.Concatenate(name="join")([layers.Cropping2D(1)(x), decoded])


def context(x):
    """The branch of DeepLab that pools the whole map: what it joins is no encoder's map."""
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Concatenate(name="join")([x, layers.UpSampling2D(8)(layers.Conv2D(4, 1)(pooled))])


def dense(x):
    return layers.Concatenate(name="join")([x, layers.Conv2D(4, 3, padding="same")(x)])


def side_by_side(x):
    """Branches of two resolutions that exchange their maps, as in HRNet."""
    y = layers.Conv2D(4, 3, padding="same")(layers.Conv2D(4, 3, padding="same")(x))
    return layers.Add(name="join")([y, up(down(x))])


@pytest.mark.parametrize(
    ("body", "skips", "alone", "dense_ones"),
    [
        (gated, ["join"], [], 0),
        (nested, ["second", "third"], [], 0),
        (cropped, ["join"], [], 0),
        (context, [], [], 1),
        (dense, [], [], 1),
        (side_by_side, [], ["join"], 0),
    ],
)
def test_which_joins_are_skip_connections(body, skips, alone, dense_ones):
    full = functional(body)
    ingredient = INGREDIENTS["skip"]
    assert [site.nodes[0] for site in ingredient.find(graph_of(full))] == skips
    assert list(left_alone(ingredient, graph_of(full))) == alone
    assert present(full)["dense_connections"] == dense_ones
    if skips:
        assert present(remove(full, skip=False))["skip"] == 0
    if alone:
        named = remove(full, skip=False, only={"skip": "join"})
        assert not any(isinstance(one, layers.Add) for one in named.layers)


KINDS = ("transposed", "nearest", "bilinear")


@pytest.mark.parametrize(("before", "after"), [(one, other) for one in KINDS for other in KINDS if one != other])
def test_enlargements_of_another_kind_are_those_written_by_hand(before, after):
    full = u_net(how=before)
    assert present(full)["upsampling"] == 2
    assert difference(remove(full, upsampling=after), u_net(how=after)) == 0.0


def test_an_enlargement_that_is_of_the_kind_is_no_change():
    with pytest.raises(NetworkError, match="it is like that already"):
        remove(u_net(how="nearest"), upsampling="nearest")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda x: layers.Conv2DTranspose(4, 3, strides=2)(x), "its map is not larger by its stride exactly"),
        (lambda x: layers.UpSampling2D(2)(x), ""),
        (lambda x: layers.Conv2D(4, 3)(layers.UpSampling2D(2)(x)), "no convolution of stride 1"),
        (lambda x: layers.ReLU()(layers.UpSampling2D(2)(x)), "no convolution of stride 1"),
    ],
)
def test_enlargements_that_are_left_alone(body, reason):
    full = functional(body)
    found = left_alone(INGREDIENTS["upsampling"], graph_of(full))
    assert [one.startswith(reason) for one in found.values()] == ([True] if reason else [])
    # The classifier is a convolution of stride 1 as well.
    assert present(full)["upsampling"] == (0 if reason else 1)


def test_enlargements_of_series_and_volumes():
    def net(shape, kind, rank, how):
        inputs = keras.Input(shape, name="input")
        if how == "transposed":
            x = kind(3, 2, strides=2, name="up")(inputs)
        else:
            x = getattr(layers, f"UpSampling{rank}D")(2, name="up_upsampling")(inputs)
            x = getattr(layers, f"Conv{rank}D")(3, 2, padding="same", name="up")(x)
        x = getattr(layers, f"GlobalAveragePooling{rank}D")(name="pool")(x)
        return keras.Model(inputs, layers.Dense(2, name="classifier")(x), name="net")

    for shape, kind, rank in (((6, 2), layers.Conv1DTranspose, 1), ((3, 4, 4, 2), layers.Conv3DTranspose, 3)):
        full = net(shape, kind, rank, "transposed")
        assert difference(remove(full, upsampling="nearest"), net(shape, kind, rank, "nearest")) == 0.0
        back = remove(net(shape, kind, rank, "nearest"), upsampling="transposed")
        assert difference(back, full) == 0.0
        with pytest.raises(NetworkError, match=f"enlarges {rank} ax"):
            remove(full, upsampling="bilinear")


def test_a_kernel_that_would_leave_gaps_grows_to_the_factor():
    full = functional(lambda x: layers.Conv2D(4, 1, name="point")(layers.UpSampling2D(3)(x)))
    turned = remove(full, upsampling="transposed").get_layer("point")
    assert (turned.kernel_size, turned.strides) == ((3, 3), (3, 3))


def recurrent(backward=True, mode="concat", kind=layers.LSTM, **arguments):
    inputs = keras.Input((5, 3), name="series")
    x = inputs
    for number, sequences in ((1, True), (2, False)):
        one = kind(4, return_sequences=sequences, name="one" if backward else f"both{number}", **arguments)
        x = layers.Bidirectional(one, merge_mode=mode, name=f"both{number}")(x) if backward else one(x)
    return keras.Model(inputs, layers.Dense(2, name="classifier")(x), name="recurrent")


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
@pytest.mark.parametrize("mode", ["concat", "sum"])
def test_the_forward_layer_of_both_directions_is_the_one_written_by_hand(kind, mode):
    full = recurrent(mode=mode, kind=kind)
    rewritten = remove(full, bidirectional=False)
    assert difference(rewritten, recurrent(backward=False, kind=kind)) == 0.0
    assert rewritten.get_layer("both1").output.shape == (None, 5, 4)
    # The first layer starts alike; what follows reads half the channels where they were concatenated.
    shared = set(shared_start(full, rewritten))
    assert {path for path in shared if path.startswith("both1/")} == {
        path for path in shared_start(rewritten, rewritten) if path.startswith("both1/")
    }
    assert ("both2/kernel/0" in shared) == ("classifier/kernel/0" in shared) == (mode == "sum")


def test_dropout_within_both_directions_goes_with_them():
    full = recurrent(dropout=0.5)
    rewritten = remove(full, bidirectional=False, dropout=False)
    assert difference(rewritten, recurrent(backward=False)) == 0.0


def test_what_fills_texts_up_is_left_out_in_one_direction_too():
    def net(backward):
        tokens = keras.Input((5,), dtype="int32", name="tokens")
        x = layers.Embedding(12, 3, mask_zero=True, name="embedding")(tokens)
        one = layers.GRU(4, name="one" if backward else "both")
        x = layers.Bidirectional(one, name="both")(x) if backward else one(x)
        return keras.Model(tokens, layers.Dense(2, name="classifier")(x), name="net")

    full, one = net(True), net(False)
    rewritten = remove(full, bidirectional=False)
    assert difference(rewritten, one) == 0.0
    # Whatever stands behind the text, the state is that of its end.
    ends = [np.asarray(rewritten(np.array([[3, 4, 5, *rest]]))) for rest in ((0, 0), (7, 8))]
    assert np.abs(ends[0] - ends[1]).max() > 1e-3


def test_both_directions_that_are_left_alone():
    inputs = keras.Input((5, 3), name="series")
    apart = layers.Bidirectional(layers.LSTM(4), merge_mode=None, name="apart")(inputs)
    states = layers.Bidirectional(layers.LSTM(4, return_state=True), name="states")(inputs)
    given = layers.Bidirectional(layers.GRU(4), name="given")(inputs, initial_state=[apart[0], apart[1]])
    x = layers.Concatenate(name="all")([*apart, *states, given])
    full = keras.Model(inputs, layers.Dense(2, name="classifier")(x))
    assert set(left_alone(INGREDIENTS["bidirectional"], graph_of(full))) == {"apart", "states", "given"}
    with pytest.raises(NetworkError, match="gives the last states of both directions"):
        remove(full, bidirectional=False)


def test_a_frozen_layer_stays_frozen():
    full = recurrent()
    full.get_layer("both1").trainable = False
    rewritten = remove(full, bidirectional=False)
    assert not rewritten.get_layer("both1").trainable_weights
    assert rewritten.get_layer("both2").trainable_weights


def test_skip_and_operations():
    """The same joins as operations on tensors."""
    full = functional(lambda x: ops.concatenate([x, up(down(x))], axis=-1))
    assert present(full)["skip"] == 1
    assert present(functional(lambda x: x + up(down(x))))["skip"] == 1
