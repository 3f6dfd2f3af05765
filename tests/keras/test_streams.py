from __future__ import annotations

import random

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

from ablate.keras.streams import generator, reseed, seeded, stream_seed  # noqa: E402

pytestmark = pytest.mark.keras


def network(*, batch_norm=True, extra=False):
    inputs = keras.Input((8, 8, 1), name="image")
    x = layers.RandomFlip(name="flip")(inputs)
    if extra:
        x = layers.Conv2D(1, 3, padding="same", name="extra")(x)
        x = layers.Dropout(0.1, name="extra_dropout")(x)
    x = layers.SeparableConv2D(4, 3, padding="same", name="first")(x)
    if batch_norm:
        x = layers.BatchNormalization(name="bn")(x)
    x = layers.Conv2D(4, 3, padding="same", name="second")(x)
    x = layers.Conv2D(4, 3, padding="same", name="third")(x)
    x = layers.Dropout(0.5, name="drop")(layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))


def values(model):
    return [variable.value.numpy() for variable in model.variables]


def same(first, second):
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_stream_has_the_same_seed_in_every_process_and_version():
    assert stream_seed(0, "init", "conv", "kernel") == 705823718
    assert stream_seed(7, "order", 3) == 1777017126
    assert generator(1, "split").integers(1000, size=3).tolist() == [344, 702, 476]


def test_streams_differ_by_seed_by_name_and_by_the_place_of_a_name():
    seeds = [stream_seed(0, "a", "b"), stream_seed(1, "a", "b"), stream_seed(0, "ab"), stream_seed(0, "b", "a")]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_layers_that_two_networks_share_start_bit_identical():
    full = seeded(network(), 3)
    for other in (network(batch_norm=False), network(extra=True), network(batch_norm=False, extra=True)):
        start = seeded(other, 3)
        for layer in full.layers:
            if layer.name in {one.name for one in start.layers}:
                assert same(values(layer), values(start.get_layer(layer.name))), layer.name


def test_weights_of_one_shape_differ_between_layers_and_between_seeds():
    start = seeded(network(), 3)
    assert not same(values(start.get_layer("second")), values(start.get_layer("third")))
    other = seeded(network(), 4)
    for name in ("flip", "first", "second", "drop", "out"):
        assert not same(values(start.get_layer(name)), values(other.get_layer(name))), name


def test_reseeding_forgets_what_was_trained_and_leaves_the_global_generators_alone():
    model = network()
    reseed(model, 5)
    start = values(model)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(np.ones((8, 8, 8, 1)), np.zeros(8), verbose=0)
    assert not same(start, values(model))
    random.seed(1)
    expected = random.random()
    random.seed(1)
    reseed(model, 5)
    assert random.random() == expected
    assert same(start, values(model))


def test_the_original_of_a_clone_stays_as_it_is():
    model = network()
    before = values(model)
    seeded(model, 1)
    assert same(before, values(model))


@keras.saving.register_keras_serializable("ablate_tests")
class Block(layers.Layer):
    """Parts made in the constructor, built only when called, with noise of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.parts = [layers.Dense(units), layers.Dense(units)]
        self.noise = keras.random.SeedGenerator()

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="scale")
        for part in self.parts:
            part.build(shape)

    def call(self, x, training=False):
        for part in self.parts:
            x = part(x)
        return x * self.scale + (keras.random.normal(keras.ops.shape(x), seed=self.noise) if training else 0)

    def get_config(self):
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable("ablate_tests")
class Lazy(layers.Layer):
    """Parts that get their weights at the first call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.part = layers.Dense(4)

    def build(self, shape):
        self.built = True

    def call(self, x):
        return self.part(x)


def custom(*, attention=True):
    inputs = keras.Input((5, 4), name="tokens")
    inner = keras.Sequential([keras.Input((5, 4)), layers.Dense(4, name="dense"), Block(4, name="block")], name="inner")
    x = Lazy(name="lazy")(Block(4, name="block")(inner(inputs)))
    if attention:
        x = layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    return keras.Model(inputs, layers.Dense(2, name="out")(x))


def test_custom_layers_attention_and_nested_models_follow_their_names():
    first, second = seeded(custom(), 2), seeded(custom(), 2)
    assert same(values(first), values(second))
    assert not any(same([a], [b]) for a, b in zip(values(first), values(seeded(custom(), 9)), strict=True) if a.std())
    without = seeded(custom(attention=False), 2)
    for name in ("inner", "block", "lazy", "out"):
        assert same(values(first.get_layer(name)), values(without.get_layer(name))), name
    parts = values(first.get_layer("block"))
    kernels = [part for part in parts if part.shape == (4, 4)]
    assert len(kernels) == 2 and not np.array_equal(*kernels)
    weights = first.get_layer("attention").weights
    query, key = (weight for weight in weights if weight.path.endswith(("query/kernel", "key/kernel")))
    assert not np.array_equal(query, key)
    inner, outer = first.get_layer("inner").get_layer("block"), first.get_layer("block")
    assert not np.array_equal(inner.scale, outer.scale)


def test_a_network_of_keras_applications_starts_the_same_every_time():
    def made():
        return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=3)

    model = made()
    reseed(model, 1)
    first = values(model)
    reseed(model, 1)
    assert same(first, values(model))
