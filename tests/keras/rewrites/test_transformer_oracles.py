"""Transformers without attention, positions or MLP, or with normalisations elsewhere, against hand-written ones."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from rewrite_oracles import difference, shared_start  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.models.position_embedding import PositionEmbedding  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, inaccessible_places, present, remove, sites_of  # noqa: E402
from ablate.keras.rewrites.places import left_alone  # noqa: E402

pytestmark = pytest.mark.keras

WIDTH = 8


def encoder(placement="pre", attention=True, mlp=True, position=True, end="end"):
    """Two blocks as a person writes them; ``end`` names the last normalisation of networks that normalise first."""

    def half(x, name, on, branch):
        if not on:
            return x
        y = layers.LayerNormalization(name=f"{name}_norm")(x) if placement == "pre" else x
        x = layers.Add(name=f"{name}_add")([x, layers.Dropout(0.1, name=f"{name}_drop")(branch(y, name))])
        return x if placement == "pre" else layers.LayerNormalization(name=f"{name}_norm")(x)

    def attend(x, name):
        return layers.MultiHeadAttention(2, WIDTH // 2, name=name)(x, x)

    def feed_forward(x, name):
        return layers.Dense(WIDTH, name=f"{name}_2")(layers.Dense(12, activation="gelu", name=f"{name}_1")(x))

    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(12, WIDTH, name="embedding")(tokens)
    if position:
        x = layers.Add(name="positions_add")([x, PositionEmbedding(name="positions")(x)])
    for number in (1, 2):
        x = half(x, f"attention{number}", attention, attend)
        x = half(x, f"mlp{number}", mlp, feed_forward)
    if placement == "pre":
        x = layers.LayerNormalization(name=end)(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(tokens, layers.Dense(3, name="classifier")(x), name="encoder")


OFF = [{"attention": False}, {"mlp": False}, {"position": False}, {"attention": False, "mlp": False, "position": False}]


@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize("levels", OFF, ids="+".join)
def test_without_its_parts_a_transformer_is_the_one_written_by_hand(placement, levels):
    full = encoder(placement)
    rewritten = remove(full, **levels)
    assert difference(rewritten, encoder(placement, **levels)) == 0.0
    assert not any(present(rewritten)[name] for name in levels)
    shared = shared_start(full, rewritten)
    assert len(shared) == len(rewritten.weights)


def test_what_a_transformer_is_made_of():
    for placement in ("pre", "post"):
        found = present(encoder(placement))
        expected = {
            "attention": 2,
            "mlp": 2,
            "position": 1,
            "norm_placement": 4,
            "residual": 4,
            "dropout": 4,
            "head": 1,
        }
        assert {name: found[name] for name in expected} == expected
        assert found["norm"] == (5 if placement == "pre" else 4)


def test_normalisation_moves_from_the_branches_to_the_sums():
    full = encoder("pre")
    rewritten = remove(full, norm_placement="post")
    assert difference(rewritten, encoder("post")) == 0.0
    assert len(shared_start(full, rewritten)) == len(rewritten.weights)


def test_normalisation_moves_from_the_sums_to_the_branches_and_one_ends_the_run():
    full = encoder("post")
    rewritten = remove(full, norm_placement="pre")
    assert difference(rewritten, encoder("pre", end="mlp2_norm_end")) == 0.0
    assert set(shared_start(full, rewritten)) == {
        path for path in shared_start(rewritten, rewritten) if not path.startswith("mlp2_norm_end")
    }


def test_normalisation_that_stands_there_already_is_no_change():
    with pytest.raises(NetworkError, match="it is like that already"):
        remove(encoder("pre"), norm_placement="pre")


def test_moved_normalisations_go_with_what_is_taken_away_afterwards():
    rewritten = remove(encoder("pre"), norm_placement="post", attention=False)
    assert difference(rewritten, encoder("post", attention=False)) == 0.0


def test_only_names_the_places():
    rewritten = remove(encoder("post"), attention=False, only={"attention": "attention2"})
    assert [layer.name for layer in rewritten.layers if isinstance(layer, layers.MultiHeadAttention)] == ["attention1"]
    assert {layer.name for layer in encoder("post").layers} - {layer.name for layer in rewritten.layers} == {
        "attention2",
        "attention2_add",
        "attention2_drop",
        "attention2_norm",
    }


def sequence_model(body, shape=(6, WIDTH)):
    inputs = keras.Input(shape, name="series")
    x = layers.Dense(WIDTH, name="first")(inputs)
    x = body(x)
    return keras.Model(inputs, layers.Dense(3, name="classifier")(layers.GlobalAveragePooling1D(name="pool")(x)))


def test_attention_outside_of_a_residual_branch_lets_its_values_pass():
    full = sequence_model(lambda x: layers.MultiHeadAttention(2, 4, name="attention")(x, x))
    assert difference(remove(full, attention=False), sequence_model(lambda x: x)) == 0.0


def test_attention_between_projections_within_a_branch_lets_its_values_pass():
    """As in a bottleneck: the convolutions of the branch stay."""

    def body(x, attends):
        y = layers.Conv1D(4, 3, padding="same", activation="relu", name="reduce")(x)
        y = layers.MultiHeadAttention(2, 2, name="attention")(y, y) if attends else y
        return x + layers.Conv1D(WIDTH, 3, padding="same", name="expand")(y)

    full = sequence_model(lambda x: body(x, True))
    assert difference(remove(full, attention=False), sequence_model(lambda x: body(x, False))) == 0.0


def test_attention_of_projected_queries_keys_and_values():
    def body(x, attends):
        value = layers.Dense(WIDTH, name="value")(x)
        if not attends:
            return value
        query, key = layers.Dense(WIDTH, name="query")(x), layers.Dense(WIDTH, name="key")(x)
        return layers.Attention(name="attention")([query, value, key])

    full = sequence_model(lambda x: body(x, True))
    assert difference(remove(full, attention=False), sequence_model(lambda x: body(x, False))) == 0.0


def reasons(name, model):
    return left_alone(INGREDIENTS[name], graph_of(model))


def test_attention_that_cannot_go_is_refused_with_the_reason():
    def widened(x):
        return layers.MultiHeadAttention(2, 2, output_shape=5, name="attention")(x, x)

    full = sequence_model(widened)
    assert list(reasons("attention", full)) == ["attention"]
    with pytest.raises(NetworkError, match="nothing that it reads has the shape of its output"):
        remove(full, attention=False)


def test_attention_to_another_sequence_goes_where_it_is_named():
    def body(x):
        other = layers.Conv1D(WIDTH, 3, name="other")(x)
        return layers.Add(name="sum")([x, layers.MultiHeadAttention(2, 4, name="cross")(x, other)])

    full = sequence_model(body)
    assert reasons("attention", full) == {"cross": "its queries come from another sequence than its values"}
    with pytest.raises(NetworkError, match=r"only\.attention"):
        remove(full, attention=False)
    named = remove(full, attention=False, only={"attention": "cross"})
    assert difference(named, sequence_model(lambda x: x)) == 0.0


def test_weights_of_attention_that_are_used_keep_it():
    def body(x):
        y, weights = layers.MultiHeadAttention(2, 4, name="attention")(x, x, return_attention_scores=True)
        return y * ops.mean(weights)

    assert reasons("attention", sequence_model(body)) == {"attention": "its weights of attention are used too"}


def test_a_gated_mlp_and_one_of_convolutions_are_found_and_token_mixing_is_not():
    def gated(x):
        y = layers.Dense(12, activation="silu")(x) * layers.Dense(12)(x)
        return x + layers.Dense(WIDTH)(y)

    def convolved(x):
        return x + layers.Conv1D(WIDTH, 1)(layers.Conv1D(4, 1, activation="relu")(x))

    def mixing(x):
        y = layers.Dense(6)(layers.Dense(9, activation="gelu")(layers.Permute((2, 1))(x)))
        return x + layers.Permute((2, 1))(y)

    def linear(x):
        return x + layers.Dense(WIDTH)(layers.Dense(9)(x))

    counts = {one.__name__: present(sequence_model(one))["mlp"] for one in (gated, convolved, mixing, linear)}
    assert counts == {"gated": 1, "convolved": 1, "mixing": 0, "linear": 0}


def test_a_residual_block_on_vectors_is_no_mlp_unless_it_is_named():
    def table(block):
        inputs = keras.Input((5,), name="row")
        x = layers.Dense(4, name="first")(inputs)
        if block:
            y = layers.Dense(4, name="second")(layers.Dense(9, activation="relu", name="wide")(x))
            x = layers.Add(name="sum")([x, y])
        return keras.Model(inputs, layers.Dense(2, name="classifier")(x))

    assert reasons("mlp", table(True)) == {"sum": "it works on vectors, which have no places"}
    assert difference(remove(table(True), mlp=False, only={"mlp": "sum"}), table(False)) == 0.0


class Sinusoids(layers.Layer):
    """Adds a table of its own; the name of its class says nothing."""

    def build(self, shape):
        places, channels = np.arange(shape[1])[:, None], np.arange(shape[2])[None]
        self.table = np.sin(places / 10 ** (channels / shape[2])).astype("float32")

    def call(self, x):
        return x + self.table


class Learned(layers.Layer):
    """Adds a learned table that starts as zero."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], initializer="zeros", name="table")

    def call(self, x):
        return x + self.table


class PositionVectors(layers.Layer):
    """As in examples: an embedding of the numbers of the places, which does not look at its input's values."""

    def __init__(self, length, width, **kwargs):
        super().__init__(**kwargs)
        self.length, self.width = length, width
        self.vectors = layers.Embedding(length, width)

    def call(self, x):
        return ops.broadcast_to(self.vectors(ops.arange(self.length)), ops.shape(x))


class TokenAndPosition(layers.Layer):
    """As in examples: embeds tokens and adds positions, in one layer."""

    def __init__(self, length, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.length, self.vocabulary, self.width = length, vocabulary, width
        self.tokens, self.positions = layers.Embedding(vocabulary, width), layers.Embedding(length, width)

    def call(self, x):
        return self.tokens(x) + self.positions(ops.arange(self.length))


TABLE = np.random.default_rng(0).normal(size=(1, 6, WIDTH)).astype("float32")


def counted(x):
    places = ops.cumsum(ops.ones_like(x[:, :, 0]), axis=1) - 1.0
    return x + layers.Embedding(6, WIDTH, name="places")(ops.cast(places, "int32"))


POSITIONS = {
    "a table": lambda x: x + TABLE,
    "a table in the Lambda of somebody": lambda x: layers.Lambda(lambda y: y + TABLE)(x),
    "a layer that adds sinusoids": lambda x: Sinusoids()(x),
    "a layer that adds what is learned": lambda x: Learned()(x),
    "vectors of a layer": lambda x: layers.Add()([x, PositionVectors(6, WIDTH)(x)]),
    "vectors with dropout": lambda x: x + layers.Dropout(0.1)(PositionEmbedding()(x)),
    "an embedding of counted places": counted,
}
NO_POSITIONS = {
    "a number": lambda x: x + 3.0,
    "a number for each channel": lambda x: x + TABLE[:, :1],
    "another branch": lambda x: x + layers.Conv1D(WIDTH, 3, padding="same")(x),
    "a factor": lambda x: x * TABLE,
    "an activation": lambda x: layers.Lambda(lambda y: y + ops.tanh(y))(x),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_positions_are_found_whatever_adds_them(name):
    full = sequence_model(POSITIONS[name])
    assert present(full)["position"] == 1
    assert difference(remove(full, position=False), sequence_model(lambda x: x)) == 0.0


@pytest.mark.parametrize("name", NO_POSITIONS)
def test_what_is_no_position(name):
    assert present(sequence_model(NO_POSITIONS[name]))["position"] == 0


def test_a_table_in_front_of_all_weights_is_left_alone_unless_it_is_named():
    inputs = keras.Input((6, WIDTH), name="series")
    x = layers.Dense(3, name="classifier")(layers.GlobalAveragePooling1D(name="pool")(inputs + TABLE))
    full = keras.Model(inputs, x)
    (name,) = reasons("position", full)
    assert present(full)["position"] == 0
    without = remove(full, position=False, only={"position": name})
    assert [layer.name for layer in without.layers] == ["series", "pool", "classifier"]


def test_positions_within_a_layer_of_the_user_are_counted_and_refused():
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = TokenAndPosition(6, 12, WIDTH, name="both")(tokens)
    x = layers.Add(name="more")([x, PositionEmbedding(name="positions")(x)])
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    full = keras.Model(tokens, layers.Dense(3, name="classifier")(x), name="net")
    assert [place.layer for place in inaccessible_places(INGREDIENTS["position"], graph_of(full))] == ["both"]
    with pytest.raises(NetworkError, match=r"1 of 2 places.*1 is inside `TokenAndPosition`"):
        remove(full, position=False)
    assert sites_of(INGREDIENTS["position"], graph_of(remove(full, position=False, partial=True))) == ()
