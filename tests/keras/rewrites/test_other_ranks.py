"""Ingredients of image networks in networks for series, volumes, vectors and texts."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402
from rewrite_oracles import difference, shared_start  # noqa: E402

from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, present, remove  # noqa: E402

pytestmark = pytest.mark.keras

SHAPES = {1: (8, 3), 3: (4, 4, 4, 2)}
FULL = {name: INGREDIENTS[name].levels[0] for name in ("residual", "batch_norm", "bn_placement", "head", "dropout")}
FULL |= {name: INGREDIENTS[name].levels[0] for name in ("bias", "pooling", "activation", "separable", "norm")}


def convolutional(rank, **levels):
    """A residual network of one block with every ingredient, for series or volumes; separable for series alone."""
    level = {**FULL, **levels}

    def of(name):
        return getattr(layers, f"{name}{rank}D")

    biased = level["bias"] or not level["batch_norm"] or level["norm"] == "none"

    def conv(x, filters, name, kernel=3):
        kind = of("SeparableConv") if rank == 1 and level["separable"] and kernel > 1 else of("Conv")
        return kind(filters, kernel, padding="same", use_bias=biased, name=name)(x)

    def norm(x, name):
        if not level["batch_norm"] or level["norm"] == "none":
            return x
        if level["norm"] == "layer":
            return layers.LayerNormalization(axis=-1, epsilon=1e-3, name=name)(x)
        return layers.BatchNormalization(name=name)(x)

    def activate(x, name):
        if level["activation"] == "gelu":
            return layers.Activation("gelu", name=name)(x)
        return layers.ReLU(name=name)(x)

    def both(x, name):
        if level["bn_placement"] == "after":
            return norm(activate(x, f"{name}_relu"), f"{name}_bn")
        return activate(norm(x, f"{name}_bn"), f"{name}_relu")

    inputs = keras.Input(SHAPES[rank], name="input")
    x = both(conv(inputs, 4, "stem"), "stem")
    y = both(conv(x, 6, "body"), "body")
    if level["residual"]:
        y = layers.Add(name="add")([y, conv(x, 6, "projection", 1)])
    kind = {"built": "MaxPooling", "average": "AveragePooling"}.get(level["pooling"])
    if kind:
        y = of(kind)(2, name="pool")(y)
    else:
        y = of("Conv")(6, 2, strides=2, name="pool")(y)
    if level["dropout"]:
        y = of("SpatialDropout")(0.2, name="drop")(y)
    if level["head"] == "flatten":
        y = layers.Flatten(name="head")(y)
    else:
        y = of("GlobalAveragePooling" if level["head"] == "gap" else "GlobalMaxPooling")(name="head")(y)
    return keras.Model(inputs, layers.Dense(3, name="classifier")(y), name="convolutional")


CHANGES = [
    {"residual": False},
    {"batch_norm": False},
    {"bn_placement": "after"},
    {"head": "gmp"},
    {"head": "flatten"},
    {"dropout": False},
    {"bias": True},
    {"pooling": "average"},
    {"pooling": "strided"},
    {"activation": "gelu"},
    {"norm": "layer"},
    {"norm": "none"},
]
CASES = [(rank, levels) for rank in SHAPES for levels in CHANGES] + [(1, {"separable": False})]


@pytest.mark.parametrize(("rank", "levels"), CASES, ids=str)
def test_a_network_for_series_or_volumes_is_the_one_written_by_hand(rank, levels):
    full = convolutional(rank)
    rewritten = remove(full, **levels)
    assert difference(rewritten, convolutional(rank, **levels)) == 0.0
    assert shared_start(full, rewritten)


def test_what_networks_for_series_and_volumes_are_made_of():
    for rank in SHAPES:
        found = present(convolutional(rank))
        expected = {"residual": 1, "batch_norm": 2, "bn_placement": 2, "head": 1, "dropout": 1, "bias": 3, "pooling": 1}
        assert {name: found[name] for name in expected} == expected
        assert found["separable"] == (2 if rank == 1 else 0)


def table(batch_norm=True, residual=True, dropout=True, activation="relu", bias=False):
    inputs = keras.Input((5,), name="row")

    def dense(x, units, name):
        x = layers.Dense(units, use_bias=bias or not batch_norm, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x) if batch_norm else x
        if activation == "relu":
            x = layers.ReLU(name=f"{name}_relu")(x)
        elif activation:
            x = layers.Activation(activation, name=f"{name}_relu")(x)
        return layers.Dropout(0.2, name=f"{name}_drop")(x) if dropout else x

    x = dense(inputs, 6, "first")
    y = dense(x, 6, "second")
    y = layers.Add(name="add")([x, y]) if residual else y
    return keras.Model(inputs, layers.Dense(1, name="regressor")(y), name="table")


@pytest.mark.parametrize(
    ("levels", "by_hand"),
    [
        ({"batch_norm": False}, {"batch_norm": False}),
        ({"residual": False}, {"residual": False}),
        ({"dropout": False}, {"dropout": False}),
        ({"activation": "linear"}, {"activation": None}),
        ({"activation": "tanh"}, {"activation": "tanh"}),
        ({"bias": True}, {"bias": True}),
        (
            {"residual": False, "batch_norm": False, "dropout": False},
            dict.fromkeys(("residual", "batch_norm", "dropout"), False),
        ),
    ],
    ids=str,
)
def test_a_network_of_dense_layers_is_the_one_written_by_hand(levels, by_hand):
    assert difference(remove(table(), **levels), table(**by_hand)) == 0.0


def test_recurrent_networks():
    def net(residual=True, norm=True, dropout=0.3):
        inputs = keras.Input((6, 4), name="series")
        x = layers.LSTM(4, return_sequences=True, dropout=dropout, name="first")(inputs)
        x = layers.LayerNormalization(name="norm")(x) if norm else x
        y = layers.GRU(4, return_sequences=True, recurrent_dropout=dropout, name="second")(x)
        x = layers.Add(name="add")([x, y]) if residual else y
        return keras.Model(inputs, layers.Dense(2, name="classifier")(layers.LSTM(3, name="last")(x)), name="recurrent")

    full = net()
    found = present(full)
    assert [found[name] for name in ("residual", "norm", "dropout", "activation", "batch_norm")] == [1, 1, 2, 0, 0]
    assert difference(remove(full, residual=False), net(residual=False)) == 0.0
    assert difference(remove(full, norm="none"), net(norm=False)) == 0.0
    assert difference(remove(full, dropout=False), net(dropout=0.0)) == 0.0


@pytest.mark.parametrize(
    ("name", "signature", "contents"),
    [
        ("mlp", ModelSignature((7,), 3), {"batch_norm": 2, "dropout": 2, "activation": 2, "bias": 2}),
        ("convnet_1d", ModelSignature((9, 3), 3), {"batch_norm": 2, "bias": 2, "pooling": 2, "head": 1, "dropout": 1}),
        ("lstm", ModelSignature((9, 3), 3), {"bidirectional": 1, "dropout": 1}),
        (
            "vit",
            ModelSignature((8, 8, 1), 3),
            {"attention": 2, "mlp": 2, "position": 1, "norm_placement": 4, "head": 1},
        ),
        (
            "transformer",
            ModelSignature((9,), 3, vocabulary_size=20),
            {"attention": 2, "mlp": 2, "position": 1, "norm_placement": 4, "residual": 4},
        ),
        (
            "encoder_decoder",
            ModelSignature((9, 8, 1), 3, per_place=True),
            {"upsampling": 3, "skip": 0, "activation": 12},
        ),
    ],
)
def test_what_textbook_networks_are_made_of(name, signature, contents):
    model = build({"name": name}, signature)
    found = present(model)
    assert {one: found[one] for one in contents} == contents
    for one, number in contents.items():
        if number:
            level = INGREDIENTS[one].removed if INGREDIENTS[one].removed is not None else INGREDIENTS[one].levels[-1]
            level = "post" if name == "vit" and one == "norm_placement" else level
            level = "pre" if name == "transformer" and one == "norm_placement" else level
            assert remove(model, **{one: level}).output_shape == model.output_shape
