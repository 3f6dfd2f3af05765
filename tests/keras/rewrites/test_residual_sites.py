"""Which sums are residual, and which are not."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402

from ablate.keras.rewrites import present, remove  # noqa: E402

pytestmark = pytest.mark.keras


def conv(x, filters=4, kernel=3, **kwargs):
    return layers.Conv2D(filters, kernel, padding="same", **kwargs)(x)


def found(body, shape=(8, 8, 4)):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, body(inputs))
    sites = present(model)["residual"]
    if sites:
        without = remove(model, residual=False)
        assert present(without)["residual"] == 0
        assert without.output_shape == model.output_shape
    return sites


RESIDUAL = {
    "identity": lambda x: layers.Add()([x, conv(x)]),
    "operator": lambda x: conv(x) + x,
    "ops.add": lambda x: ops.add(x, conv(x)),
    "projection": lambda x: conv(x, 8) + conv(x, 8, 1),
    "projection with batch norm": lambda x: conv(x, 8) + layers.BatchNormalization()(conv(x, 8, 1)),
    "pooled projection": lambda x: conv(x, 8, strides=2) + conv(layers.AveragePooling2D(2)(x), 8, 1),
    "subsampled identity": lambda x: conv(x, strides=2) + layers.MaxPooling2D(1, strides=2)(x),
    "sliced identity": lambda x: conv(x, strides=2) + x[:, ::2, ::2],
    "pooling beside a projection": lambda x: layers.MaxPooling2D(2)(x) + conv(x, 4, 1, strides=2),
    "dense": lambda x: layers.Dense(4)(layers.Dense(9, activation="relu")(x)) + layers.Dense(4)(x),
    "attention": lambda x: x + layers.MultiHeadAttention(2, 2)(x, x),
    "a trunk that sees another input too": lambda x: conv(x, 8) * ops.mean(x) + conv(x, 8, 1),
    "a trunk of two branches": lambda x: x + (conv(x) + conv(conv(x))),
}
OTHER = {
    "constant": lambda x: conv(x) + 3.0,
    "itself": lambda x: (lambda y: y + y)(conv(x)),
    "two trunks": lambda x: conv(x) + conv(x, kernel=5),
    "two projections": lambda x: conv(x, 8, 1) + conv(x, 8, 1),
    "broadcast": lambda x: conv(x) + layers.GlobalAveragePooling2D(keepdims=True)(conv(x)),
    "no weights on the way": lambda x: conv(x) + (lambda y: 0.04 * y**3)(conv(x)),
    "activation written out": lambda x: (lambda y: y + 0.04 * y**3)(conv(x)),
    "an activation in the shortcut": lambda x: conv(x) + conv(x, kernel=1, activation="relu"),
    "two poolings": lambda x: layers.MaxPooling2D(2)(x) + layers.AveragePooling2D(2)(x),
    "difference": lambda x: x - conv(x),
}


@pytest.mark.parametrize("name", RESIDUAL)
def test_residual(name):
    assert found(RESIDUAL[name]) == 1


@pytest.mark.parametrize("name", OTHER)
def test_not_residual(name):
    assert found(OTHER[name]) == 0


def test_a_shortcut_that_shows_only_when_another_is_gone_goes_too():
    assert found(lambda x: (x + conv(x, 4, 1)) + conv(x)) >= 1


def test_pooled_branches_of_a_cell_with_two_entrances_are_no_shortcut():
    """A reduction cell of NASNet: the other branch is computed from both inputs of the cell."""

    def cell(x):
        first, second = conv(x), conv(x, kernel=5)
        mixed = conv(first, strides=2, activation="relu") + conv(second, strides=2, activation="relu")
        return conv(mixed) + layers.MaxPooling2D(3, strides=2, padding="same")(first)

    assert found(cell) == 0


def test_trunk_of_a_sum_keeps_its_weights_and_the_projection_falls_away():
    inputs = keras.Input((8, 8, 4))
    body = layers.Conv2D(8, 3, strides=2, padding="same", name="body")(inputs)
    projection = layers.Conv2D(8, 1, strides=2, name="projection")(inputs)
    model = keras.Model(inputs, layers.Add(name="sum")([projection, body]))
    without = remove(model, residual=False)
    assert [layer.name for layer in without.layers[1:]] == ["body"]
