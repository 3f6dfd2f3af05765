"""Networks as researchers write them, with what no builder of ours has."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.keras.networks import named_weights  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, present, remove  # noqa: E402
from ablate.keras.streams import seeded  # noqa: E402
from ablate.testing import check_ingredient  # noqa: E402

pytestmark = pytest.mark.keras


def found(model):
    return {name: sites for name, sites in present(model).items() if sites}


def same_function(rewritten, hand):
    rng = np.random.default_rng(0)
    for weight in hand.weights:
        if "seed" not in weight.name:
            weight.assign(rng.uniform(0.5 if weight.path.endswith("variance") else -0.5, 1.0, weight.shape))
    assert rewritten.count_params() == hand.count_params()
    copied_weights(hand, rewritten)
    x = rng.uniform(size=(2, *hand.inputs[0].shape[1:])).astype("float32")
    np.testing.assert_allclose(rewritten(x, training=False), hand(x, training=False), rtol=1e-5, atol=1e-5)


@keras.saving.register_keras_serializable("tests")
class Positions(layers.Layer):
    """A learned vector for each place, on top of what is there."""

    def build(self, shape):
        self.table = self.add_weight(shape=tuple(shape[1:]), initializer="random_normal", name="table")

    def call(self, x):
        return x + self.table


def transformer(residual=True, dropout=0.1, activation="gelu", norm=True):
    inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(2.0, -1.0)(inputs)
    x = layers.Reshape((16, 8))(layers.Conv2D(8, 2, 2, name="patches")(x))
    x = Positions(name="positions")(x)
    for name in "ab":
        y = layers.LayerNormalization(name=f"{name}_norm1")(x) if norm else x
        y = layers.MultiHeadAttention(2, 4, dropout=dropout, name=f"{name}_attention")(y, y)
        x = layers.Add()([x, y]) if residual else y
        y = layers.LayerNormalization(name=f"{name}_norm2")(x) if norm else x
        y = layers.Dense(12, activation=activation, name=f"{name}_dense1")(y)
        y = layers.Dense(8, name=f"{name}_dense2")(layers.Dropout(dropout)(y) if dropout else y)
        x = x + y if residual else y
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="classifier")(x))


def test_transformer():
    full = transformer()
    halves = {"attention": 2, "mlp": 2, "norm_placement": 4, "position": 1}
    others = {"residual": 4, "head": 1, "norm": 4, "dropout": 4, "activation": 2, "without_block": 4}
    assert found(full) == {**others, **halves}
    for levels, hand in (
        ({"residual": False}, transformer(residual=False)),
        ({"dropout": False}, transformer(dropout=0.0)),
        ({"activation": "linear"}, transformer(activation="linear")),
        ({"norm": "none"}, transformer(norm=False)),
    ):
        same_function(remove(full, **levels), hand)


def test_attention_starts_alike_with_and_without_dropout():
    full = transformer()
    with_it, without = (
        {path: np.asarray(weight) for path, weight in named_weights(seeded(model, 1)) if "seed" not in path}
        for model in (full, remove(full, dropout=False))
    )
    assert with_it.keys() == without.keys()
    assert [path for path, value in with_it.items() if not np.array_equal(value, without[path])] == []
    query, key = (with_it[f"a_attention/kernel/{number}"] for number in (0, 1))
    assert not np.array_equal(query, key)


def lambdas(residual=True, squeezed=True):
    inputs = keras.Input((8, 8, 1))
    x = layers.Normalization(mean=0.5, variance=0.25)(inputs)
    x = layers.Lambda(lambda image: image - 0.1)(x)
    x = layers.Conv2D(6, 3, padding="same", activation=layers.LeakyReLU(negative_slope=0.1), name="stem")(x)
    y = layers.Conv2D(6, 3, padding="same", groups=3, dilation_rate=2, name="grouped")(x)
    if squeezed:
        gate = layers.Conv2D(6, 1, name="up")(ops.relu(layers.Conv2D(2, 1, name="down")(ops.mean(y, [1, 2], True))))
        y = y * ops.sigmoid(gate)
    x = ops.add(x, y) if residual else y
    return keras.Model(inputs, layers.Dense(3, name="classifier")(ops.mean(x, axis=(1, 2))))


def test_a_network_with_a_lambda_starts_from_its_streams_and_is_checked():
    full = lambdas()
    assert found(full) == {
        **{"residual": 1, "head": 1, "squeeze_excite": 1, "groups": 1, "activation": 2, "without_block": 2},
    }
    checked = check_ingredient(INGREDIENTS["residual"], full)
    assert checked.sites == 1
    same_function(remove(full, residual=False), lambdas(residual=False))
    same_function(remove(full, squeeze_excite=False), lambdas(squeezed=False))


def towers(activation="relu"):
    """A tower that looks at both halves, within a model within the network; the end of neither is that of the whole."""
    half = keras.Input((8, 4, 1))
    tower = keras.Sequential(
        [layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="bn"), layers.Activation(activation)],
        name="tower",
    )
    pooled = keras.Model(half, layers.GlobalAveragePooling2D()(tower(half)), name="pooled")
    inputs = keras.Input((8, 8, 1))
    one, other = pooled(inputs[:, :, :4]), pooled(inputs[:, :, 4:])
    top = keras.Sequential([layers.Dropout(0.2), layers.Dense(2, activation="sigmoid", name="classifier")], name="top")
    return keras.Model(inputs, top(layers.Concatenate()([ops.absolute(one - other), one * other])))


def test_activations_at_the_end_of_nested_models_count_but_not_that_of_the_network():
    full = towers()
    assert found(full) == {
        **{"batch_norm": 1, "bn_placement": 1, "head": 1, "norm": 1, "dropout": 1, "activation": 1},
    }
    for level in ("linear", "tanh"):
        same_function(remove(full, activation=level), towers(level))
    assert present(remove(full, activation="linear"))["activation"] == 0


def half_precision(residual=True):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", dtype="mixed_bfloat16", name="stem")(inputs)
    y = layers.Conv2D(4, 3, padding="same", dtype="mixed_bfloat16", name="body")(x)
    y = ops.cast(y, "float32")
    x = ops.cast(x, "float32") + 0.2 * y if residual else y
    return keras.Model(inputs, layers.Dense(3, name="classifier")(layers.GlobalAveragePooling2D()(x)))


def test_a_shortcut_through_a_change_of_number_format():
    full = half_precision()
    assert present(full)["residual"] == 1
    same_function(remove(full, residual=False), half_precision(residual=False))


def recurrent(residual=True):
    inputs = keras.Input((12, 4))
    x = layers.Conv1D(6, 3, padding="same", name="conv")(inputs)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="lstm"), name="both")(x)
    x = y + x if residual else y
    return keras.Model(inputs, layers.Dense(3, name="classifier")(layers.GlobalAveragePooling1D()(x)))


def test_a_shortcut_around_a_wrapped_recurrent_layer():
    assert present(recurrent())["residual"] == 1
    same_function(remove(recurrent(), residual=False), recurrent(residual=False))
