"""Parts inside layers of the user: removed where an argument or a wrapper allows it, otherwise counted and named."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.networks import named_weights  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, inaccessible_places, present, remove, sites_of  # noqa: E402
from ablate.keras.rewrites.places import number_of_places  # noqa: E402
from ablate.keras.streams import seeded  # noqa: E402
from ablate.keras.survey import ingredients  # noqa: E402

pytestmark = pytest.mark.keras


class TransformerBlock(layers.Layer):
    """As in Keras's own examples: the rate is an argument."""

    def __init__(self, units, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(2, units // 2)
        self.dense = keras.Sequential([layers.Dense(units, activation="relu"), layers.Dense(units)])
        self.norm1, self.norm2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.drop1, self.drop2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, x, training=None):
        x = self.norm1(x + self.drop1(self.attention(x, x), training=training))
        return self.norm2(x + self.drop2(self.dense(x), training=training))


class ResidualUnit(layers.Layer):
    """Its parts are fixed; the dropout is called in training alone."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv1D(filters, 3, padding="same", use_bias=False)
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)

    def call(self, x, training=False):
        y = ops.relu(self.norm(self.conv(x), training=training))
        if training:
            y = self.drop(y)
        return x + y


class Untraceable(layers.Layer):
    """Its code works on numbers only."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = layers.Dropout(0.3, name="drop")
        self.inner = ResidualUnit(8, name="unit")

    def call(self, x):
        if isinstance(x, keras.KerasTensor):
            raise TypeError("numbers only")
        return self.drop(self.inner(x))

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


class Mish(layers.Layer):
    def call(self, x):
        return x * ops.tanh(ops.softplus(x))


class RMSNorm(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale / ops.sqrt(ops.mean(x**2, axis=-1, keepdims=True) + 1e-6)


def network(*middle):
    inputs = keras.Input((6, 8))
    x = layers.Dense(8, name="first")(inputs)
    for layer in middle:
        x = layer(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(3, name="classifier")(x), name="net")


def inside(name, model, level=None):
    return [place.name for place in inaccessible_places(INGREDIENTS[name], graph_of(model), level)]


def same_function(rewritten, hand, training=False):
    rng = np.random.default_rng(0)
    for weight in hand.weights:
        if "seed" not in weight.name:
            weight.assign(rng.uniform(0.5 if weight.path.endswith("variance") else -0.5, 1.0, weight.shape))
    assert rewritten.count_params() == hand.count_params()
    assert len(copied_weights(hand, rewritten)) == len(hand.weights)
    x = rng.uniform(size=(2, *hand.inputs[0].shape[1:])).astype("float32")
    np.testing.assert_allclose(rewritten(x, training=training), hand(x, training=training), rtol=1e-5, atol=1e-5)


def mixed():
    """Ten dropouts: four in blocks with a rate, two in units without one, four in the graph."""
    blocks = [TransformerBlock(8, name="a"), TransformerBlock(8, name="b")]
    units = [ResidualUnit(8, name="c"), ResidualUnit(8, name="d")]
    drops = [layers.Dropout(0.2, name=f"drop{number}") for number in range(4)]
    return network(*blocks, *units, *drops, layers.BatchNormalization(name="bn"))


def test_dropout_that_is_an_argument_goes_and_what_is_fixed_is_counted():
    full = mixed()
    assert number_of_places(INGREDIENTS["dropout"], graph_of(full)) == 10
    with pytest.raises(NetworkError) as caught:
        remove(full, dropout=False)
    message = str(caught.value)
    assert "8 of 10 places" in message
    assert "2 are inside `ResidualUnit` (custom layer): c/dropout, d/dropout" in message
    assert "partial=true" in message
    without = remove(full, dropout=False, partial=True)
    assert present(without)["dropout"] == 0
    assert inside("dropout", without) == ["c/dropout", "d/dropout"]


def test_a_block_whose_rate_is_an_argument_computes_as_one_without_dropout():
    full = network(TransformerBlock(8, 0.5, name="block"))
    same_function(remove(full, dropout=False), network(TransformerBlock(8, 0.0, name="block")), training=True)


def test_a_limit_to_other_layers_is_no_partial_removal():
    assert present(remove(mixed(), dropout=False, only={"dropout": "drop*"}))["dropout"] == 2
    with pytest.raises(NetworkError, match="1 is inside"):
        remove(mixed(), dropout=False, only={"dropout": ["drop*", "c*"]})


def test_parts_of_all_kinds_inside_layers_are_counted():
    full = mixed()
    assert sorted(inside("batch_norm", full)) == ["c/batch_normalization", "d/batch_normalization"]
    assert len(inside("residual", full)) == 6
    assert len(inside("activation", full)) == 4
    assert len(inside("norm", full)) == 6
    # What is at the level already does not stand in its way.
    assert inside("activation", full, "relu") == []


def test_what_is_inside_only_is_not_called_absent():
    full = network(ResidualUnit(8, name="c"))
    with pytest.raises(NetworkError) as caught:
        remove(full, batch_norm=False)
    assert "1 is inside `ResidualUnit` (custom layer): c/batch_normalization" in str(caught.value)
    assert "not present" not in str(caught.value)
    row = ingredients(full).loc["batch_norm"]
    assert (row.sites, row.inaccessible, row.removable) == (0, 1, False)
    assert "c/batch_normalization" in row.remark


def test_the_survey_says_what_stays():
    rows = ingredients(mixed())
    dropout = rows.loc["dropout"]
    assert (dropout.sites, dropout.inaccessible, dropout.removable) == (6, 2, True)
    assert "2 are inside `ResidualUnit`" in dropout.remark
    assert rows.loc["head"].inaccessible == 0


def test_layers_whose_code_cannot_be_recorded_are_looked_into_one_by_one():
    full = network(Untraceable(name="u"))
    assert inside("dropout", full)[0] == "u/drop"
    assert inside("dropout", full)[1].startswith("u/unit/dropout")
    assert len(inside("batch_norm", full)) == 1
    with pytest.raises(NetworkError, match="`Untraceable` computes cannot be seen"):
        remove(full, squeeze_excite=False)


# Arguments of Keras's own layers --------------------------------------------------------------------------------------


def recurrent(rate, recurrent_rate=0.0):
    cells = [layers.LSTMCell(4, dropout=rate), layers.GRUCell(4, recurrent_dropout=recurrent_rate)]
    return network(
        layers.Bidirectional(layers.LSTM(4, return_sequences=True, dropout=rate), name="both"),
        layers.GRU(8, return_sequences=True, recurrent_dropout=recurrent_rate, name="gru"),
        layers.RNN(cells, return_sequences=True, name="cells"),
    )


def test_dropout_of_recurrent_layers_and_their_cells():
    full = recurrent(0.25, 0.25)
    assert sites_of(INGREDIENTS["dropout"], graph_of(full)) == ("both", "gru", "cells")
    same_function(remove(full, dropout=False), recurrent(0.0), training=True)


@pytest.mark.filterwarnings("ignore:`build..` was called on layer")  # by Keras, of layers without such a method
def test_layers_start_alike_with_and_without_dropout_among_their_arguments():
    for full in (recurrent(0.25, 0.25), network(TransformerBlock(8, 0.5, name="block"))):
        with_it, without = (
            {path: np.asarray(weight) for path, weight in named_weights(seeded(model, 1)) if "seed" not in path}
            for model in (full, remove(full, dropout=False))
        )
        assert with_it.keys() == without.keys()
        assert [path for path, value in with_it.items() if not np.array_equal(value, without[path])] == []


def test_dropout_of_attention_without_weights():
    inputs = keras.Input((6, 8))
    x = layers.Attention(dropout=0.5, name="attention")([inputs, inputs])
    assert present(keras.Model(inputs, layers.Dense(2)(x)))["dropout"] == 1


# Wrappers -------------------------------------------------------------------------------------------------------------


def film(batch_norm=True, activation="relu", dropout=0.3):
    frame = keras.Input((6, 6, 3))
    y = layers.Conv2D(4, 3, use_bias=not batch_norm, name="conv")(frame)
    y = layers.BatchNormalization(name="bn")(y) if batch_norm else y
    y = layers.GlobalAveragePooling2D()(layers.Activation(activation, name="act")(y))
    encoder = keras.Model(frame, y, name="encoder")
    inputs = keras.Input((5, 6, 6, 3))
    x = layers.TimeDistributed(layers.Conv2D(3, 1, use_bias=not batch_norm, name="in"), name="stem")(inputs)
    x = layers.TimeDistributed(layers.BatchNormalization(), name="stem_bn")(x) if batch_norm else x
    x = layers.TimeDistributed(encoder, name="frames")(x)
    x = layers.TimeDistributed(layers.Dense(4, activation=activation), name="each")(x)
    x = layers.TimeDistributed(layers.Dropout(dropout), name="drop")(x) if dropout else x
    dense = layers.SpectralNormalization(layers.Dense(4, activation=activation), name="spectral")
    return keras.Model(inputs, layers.Dense(2, name="classifier")(layers.LSTM(4, name="lstm")(dense(x))), name="film")


def test_wrapped_layers_and_wrapped_models():
    full = film()
    assert present(full)["batch_norm"] == 2
    same_function(remove(full, batch_norm=False), film(batch_norm=False))
    same_function(remove(full, activation="tanh"), film(activation="tanh"))
    same_function(remove(full, dropout=False), film(dropout=0.0))


def test_what_a_wrapper_does_not_lose_starts_alike():
    with_it, without = (dict(named_weights(seeded(model, 1))) for model in (film(), remove(film(), batch_norm=False)))
    assert np.array_equal(with_it["frames/conv/kernel/0"], without["frames/conv/kernel/0"])


# Activations and normalisations of the user ---------------------------------------------------------------------------


def activated(kind):
    made = {
        "mish": lambda: Mish(name="one"),
        "relu6": lambda: layers.Lambda(ops.relu6, name="one"),
        "tanh": lambda: layers.Activation("tanh", name="one"),
        "linear": None,
    }[kind]
    return network(*([made()] if made else []), layers.Dense(8, name="second"))


@pytest.mark.parametrize("kind", ["mish", "relu6"])
def test_activations_of_the_user(kind):
    full = activated(kind)
    assert present(full)["activation"] == 1
    for level in ("tanh", "linear"):
        same_function(remove(full, activation=level), activated(level))


def test_what_is_no_activation():
    inputs = keras.Input((6, 8))
    x = layers.Lambda(lambda image: ops.clip(image, 0, 1) ** 0.5)(inputs)  # prepares the data
    x = layers.Dense(8)(x)
    x = layers.Lambda(lambda x: 2 * x - 1)(x)
    x = layers.Lambda(lambda x: ops.softmax(x))(x)
    x = layers.Lambda(lambda x: ops.cumsum(x, axis=1))(x)
    assert present(keras.Model(inputs, layers.Dense(2)(x)))["activation"] == 0


def normalized(kind):
    made = {
        "rms": lambda: layers.RMSNormalization(name="norm"),
        "unit": lambda: layers.UnitNormalization(name="norm"),
        "class": lambda: RMSNorm(name="norm"),
        "layer": lambda: layers.LayerNormalization(name="norm"),
        "batch": lambda: layers.BatchNormalization(name="norm"),
        "none": None,
    }[kind]
    return network(*([made()] if made else []), layers.Dense(8, name="second"))


@pytest.mark.parametrize("kind", ["rms", "unit", "class"])
def test_normalisations_by_root_mean_square_and_to_unit_length(kind):
    full = normalized(kind)
    assert present(full)["norm"] == 1
    assert present(full)["batch_norm"] == 0
    same_function(remove(full, norm="none"), normalized("none"))
    assert remove(full, norm="layer").count_params() == normalized("layer").count_params()
    assert remove(full, norm="batch").count_params() == normalized("batch").count_params()
