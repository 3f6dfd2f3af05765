"""Which layers get a bias without batch norm, and which poolings are the head, by what they do."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.keras.rewrites import present, remove  # noqa: E402

pytestmark = pytest.mark.keras


def same_function(rewritten, hand):
    rng = np.random.default_rng(0)
    for weight in hand.weights:
        weight.assign(rng.uniform(-0.5, 1.0, weight.shape))
    assert rewritten.count_params() == hand.count_params()
    assert len(copied_weights(hand, rewritten)) == len(hand.weights)
    x = rng.uniform(size=(2, *hand.inputs[0].shape[1:])).astype("float32")
    np.testing.assert_allclose(rewritten(x, training=False), hand(x, training=False), rtol=1e-5, atol=1e-5)


def biases(model):
    return {layer.name for layer in model.layers if getattr(layer, "use_bias", False)}


def conv(x, filters, kernel, name, **kwargs):
    return layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=name, **kwargs)(x)


def attention_and_classifier(batch_norm=True):
    """CBAM's 7x7 convolution, a gate and a classifier: none has a bias, and none stands beside batch norm."""

    def norm(x):
        return layers.BatchNormalization()(x) if batch_norm else x

    def plain(x, filters, kernel, name):
        return layers.Conv2D(filters, kernel, padding="same", use_bias=not batch_norm, name=name)(x)

    inputs = keras.Input((8, 8, 3))
    x = layers.ReLU()(norm(plain(inputs, 4, 3, "stem")))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = conv(layers.ReLU()(conv(gate, 2, 1, "down")), 4, 1, "up", activation="sigmoid")
    x = layers.Multiply()([x, gate])
    both = layers.Concatenate()([ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)])
    x = layers.Multiply()([x, conv(both, 1, 7, "cbam", activation="sigmoid")])
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.ReLU()(norm(plain(x, 6, 1, "neck")))
    return keras.Model(inputs, layers.Flatten()(conv(x, 3, 1, "classifier")))


def test_only_layers_that_lost_a_bias_get_one():
    without = remove(attention_and_classifier(), batch_norm=False)
    assert biases(without) == {"stem", "neck"}
    same_function(without, attention_and_classifier(batch_norm=False))


def test_convolutions_beside_batch_norm_in_a_block_that_normalises_first():
    inputs = keras.Input((8, 8, 3))
    x = conv(inputs, 4, 3, "stem")
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = conv(layers.ReLU()(layers.BatchNormalization()(conv(y, 4, 3, "first"))), 6, 3, "second")
    x = layers.Add()([y, conv(x, 6, 1, "projection")])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(3, use_bias=False, name="classifier")(x))
    assert biases(remove(model, batch_norm=False)) == {"stem", "first", "second", "projection"}


def test_a_batch_norm_without_shift_takes_no_bias_away():
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(center=False)(conv(inputs, 4, 3, "stem"))
    model = keras.Model(inputs, layers.Dense(3, use_bias=False)(layers.GlobalAveragePooling2D()(x)))
    assert biases(remove(model, batch_norm=False)) == set()


# The head -------------------------------------------------------------------------------------------------------------

HEADS = {
    "global": lambda x: layers.GlobalAveragePooling2D()(x),
    "average over the map": lambda x: layers.Flatten()(layers.AveragePooling2D(8)(x)),
    "average, same": lambda x: layers.Flatten()(layers.AveragePooling2D(8, padding="same")(x)),
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "mean of negative axes": lambda x: layers.Flatten()(ops.mean(x, axis=[-3, -2], keepdims=True)),
    "lambda": lambda x: layers.Lambda(lambda y: ops.mean(y, axis=[1, 2]))(x),
    "adaptive": lambda x: layers.Flatten()(layers.AdaptiveAveragePooling2D(1)(x)),
}


def classifier(head, convolutional=False):
    inputs = keras.Input((8, 8, 3))
    x = head(layers.Conv2D(4, 3, padding="same", name="conv")(inputs))
    if not convolutional:
        return keras.Model(inputs, layers.Dense(3, name="classifier")(x))
    return keras.Model(inputs, layers.Flatten()(layers.Conv2D(3, 1, name="classifier")(x)))


@pytest.mark.parametrize("name", HEADS)
def test_a_pooling_of_the_whole_map_is_the_head(name):
    full = classifier(HEADS[name])
    assert (present(full)["head"], present(full)["pooling"]) == (1, 0)
    same_function(remove(full, head="flatten"), classifier(layers.Flatten()))
    same_function(remove(full, head="gmp"), classifier(layers.GlobalMaxPooling2D()))


@pytest.mark.parametrize("reshape", [layers.Reshape((1, 1, 4)), lambda x: ops.reshape(x, (-1, 1, 1, 4))])
def test_a_reshaped_pooling_before_a_pointwise_convolution(reshape):
    full = classifier(lambda x: reshape(layers.GlobalAveragePooling2D()(x)), convolutional=True)
    assert present(full)["head"] == 1
    hand = classifier(lambda x: layers.Reshape((1, 1, -1))(layers.Flatten()(x)), convolutional=True)
    same_function(remove(full, head="flatten"), hand)


def test_a_pooling_of_a_part_of_the_map_is_none():
    full = classifier(lambda x: layers.Flatten()(layers.AveragePooling2D(4)(x)))
    assert (present(full)["head"], present(full)["pooling"]) == (0, 1)


def test_poolings_of_small_maps_within_a_network_are_no_head():
    def blocks(pooling):
        return lambda x: layers.Flatten()(conv(pooling(conv(x, 4, 3, "one")), 4, 3, "two"))

    assert present(classifier(blocks(layers.AveragePooling2D(8))))["head"] == 0
    last = present(classifier(lambda x: layers.Flatten()(layers.MaxPooling2D(8)(x))))
    assert (last["head"], last["pooling"]) == (0, 1)
