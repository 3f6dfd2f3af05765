"""Each rewrite of a full network computes the same as the variant written by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.keras.rewrites import INGREDIENTS, present, remove  # noqa: E402

pytestmark = pytest.mark.keras

AWAY = {
    "residual": False,
    "batch_norm": False,
    "bn_placement": "after",
    "separable": False,
    "head": "flatten",
    "bias": True,
}
FULL = {name: INGREDIENTS[name].levels[0] for name in AWAY}


class Hand:
    """Layers as a person would write them, with the toggles asked everywhere."""

    def __init__(self, residual, batch_norm, bn_placement, separable, head, bias):
        self.residual, self.batch_norm, self.placement = residual, batch_norm, bn_placement
        self.separable, self.head, self.use_bias = separable, head, bias or not batch_norm

    def conv(self, x, filters, kernel, name, **kwargs):
        return layers.Conv2D(filters, kernel, padding="same", use_bias=self.use_bias, name=name, **kwargs)(x)

    def sepconv(self, x, filters, name, **kwargs):
        kind = layers.SeparableConv2D if self.separable else layers.Conv2D
        return kind(filters, 3, padding="same", use_bias=self.use_bias, name=name, **kwargs)(x)

    def bn(self, x, name):
        return layers.BatchNormalization(name=name)(x) if self.batch_norm else x

    def bn_relu(self, x, name):
        if self.placement == "after":
            return self.bn(layers.ReLU(name=f"{name}_relu")(x), f"{name}_bn")
        return layers.ReLU(name=f"{name}_relu")(self.bn(x, f"{name}_bn"))

    def pool(self, x, name="pool"):
        return (layers.GlobalAveragePooling2D if self.head == "gap" else layers.Flatten)(name=name)(x)


def xception(**levels):
    hand = Hand(**levels)
    inputs = keras.Input((8, 8, 3))
    x = hand.conv(inputs, 4, 3, "stem")
    for name, size in (("a", 6), ("b", 8)):
        shortcut = x
        x = hand.sepconv(hand.bn_relu(x, f"{name}1"), size, f"{name}1_conv")
        x = hand.sepconv(hand.bn_relu(x, f"{name}2"), size, f"{name}2_conv")
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
        if hand.residual:
            x = layers.Add(name=f"{name}_add")([x, hand.conv(shortcut, size, 1, f"{name}_projection", strides=2)])
    x = layers.Dropout(0.5, name="dropout")(hand.pool(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="classifier")(x), name="xception")


def post_activation(**levels):
    """ResNet's blocks: batch norm of the last convolution feeds the sum, the sum feeds the activation."""
    hand = Hand(**levels)
    inputs = keras.Input((8, 8, 3))
    x = hand.bn_relu(hand.conv(inputs, 4, 3, "stem"), "stem")
    for name, size, strides in (("a", 4, 1), ("b", 6, 2)):
        shortcut = x
        x = hand.bn_relu(hand.conv(x, size, 3, f"{name}1", strides=strides), f"{name}1")
        x = hand.conv(x, size, 3, f"{name}2")
        if hand.residual:
            x = hand.bn(x, f"{name}2_bn")
            if strides > 1:
                shortcut = hand.bn(hand.conv(shortcut, size, 1, f"{name}_proj", strides=strides), f"{name}_proj_bn")
            x = layers.ReLU(name=f"{name}2_relu")(x + shortcut)
        else:
            x = hand.bn_relu(x, f"{name}2")
    return keras.Model(inputs, layers.Dense(3, name="classifier")(hand.pool(x)), name="post_activation")


def pre_activation(**levels):
    """Second blocks of ResNetV2: the identity is subsampled by a pooling of one place, sums by the operator."""
    hand = Hand(**levels)
    inputs = keras.Input((8, 8, 3))
    x = hand.conv(inputs, 4, 3, "stem")
    for name, strides in (("a", 1), ("b", 2)):
        shortcut = layers.MaxPooling2D(1, strides=2, name="subsample")(x) if strides > 1 and hand.residual else x
        x = hand.conv(hand.bn_relu(x, f"{name}1"), 4, 3, f"{name}1_conv", strides=strides)
        x = hand.conv(hand.bn_relu(x, f"{name}2"), 4, 3, f"{name}2_conv")
        if hand.residual:
            x = shortcut + x
    x = hand.pool(hand.bn_relu(x, "post"))
    return keras.Model(inputs, layers.Dense(3, name="classifier")(x), name="pre_activation")


def inverted_bottleneck(**levels):
    """Wide inside, narrow outside; one depthwise convolution is followed by the pointwise one, one by batch norm."""
    hand = Hand(**levels)
    inputs = keras.Input((8, 8, 3))
    stem = x = hand.conv(inputs, 4, 3, "stem")
    x = hand.bn_relu(hand.conv(x, 12, 1, "expand"), "expand")
    if hand.separable:
        x = layers.DepthwiseConv2D(5, padding="same", use_bias=hand.use_bias, name="depthwise")(x)
        x = hand.conv(x, 4, 1, "project")
    else:
        x = hand.conv(x, 4, 5, "project")
    x = hand.bn(x, "project_bn")
    if hand.residual:
        x = layers.Add(name="add")([stem, x])
    if hand.separable:
        x = layers.DepthwiseConv2D(
            3, 2, padding="same", depth_multiplier=2, use_bias=hand.use_bias, name="down", depthwise_regularizer="l2"
        )(x)
    else:
        x = layers.Conv2D(8, 3, 2, padding="same", use_bias=hand.use_bias, name="down", kernel_regularizer="l2")(x)
    x = hand.bn_relu(x, "down")
    return keras.Model(inputs, layers.Dense(3, name="classifier")(hand.pool(x)), name="inverted_bottleneck")


def squeeze_excite(**levels):
    """Two global poolings, of which one belongs to the head; the head keeps its dimensions, as in MobileNetV3."""
    hand = Hand(**levels)
    inputs = keras.Input((8, 8, 3))
    x = hand.bn_relu(hand.conv(inputs, 6, 3, "stem"), "stem")
    block = hand.sepconv(x, 6, "body")
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(block)
    gate = layers.Conv2D(2, 1, activation="relu", name="reduce")(gate)
    gate = layers.Conv2D(6, 1, activation="sigmoid", name="excite")(gate)
    block = layers.Multiply(name="scale")([block, gate])
    if hand.residual:
        block = x + block
    if hand.head == "gap":
        x = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(block)
    else:
        x = layers.Reshape((1, 1, -1), name="pool")(block)
    x = layers.Conv2D(3, 1, name="classifier")(x)
    return keras.Model(inputs, layers.Flatten(name="flat")(x), name="squeeze_excite")


def two_inputs(**levels):
    """An image and a vector of facts about it; the constant and the broadcast sum are no residual connections."""
    hand = Hand(**levels)
    image, facts = keras.Input((8, 8, 3), name="image"), keras.Input((5,), name="facts")
    x = hand.bn_relu(hand.conv(image, 4, 3, "stem"), "stem")
    x = x + 3.0
    body = hand.bn_relu(hand.sepconv(x, 4, "body"), "body")
    body = body + ops.reshape(layers.Dense(4, name="shift")(facts), (-1, 1, 1, 4))
    x = layers.Add(name="merged")([x, body]) if hand.residual else body
    x = layers.Concatenate(name="both")([hand.pool(x), facts])
    return keras.Model([image, facts], layers.Dense(3, name="classifier")(x), name="two_inputs")


NETWORKS = (xception, post_activation, pre_activation, inverted_bottleneck, squeeze_excite, two_inputs)
COMBINATIONS = (
    {"residual": False, "batch_norm": False},
    {"residual": False, "bn_placement": "after"},
    {"bn_placement": "after", "bias": True},
    {"residual": False, "batch_norm": False, "separable": False},
    {"residual": False, "separable": False, "bn_placement": "after", "bias": True, "head": "flatten"},
    {"residual": False, "batch_norm": False, "separable": False, "head": "flatten"},
)
SINGLES = tuple({name: level} for name, level in AWAY.items())


LACKS_SEPARABLE = (post_activation, pre_activation)
CASES = [
    pytest.param(network, levels, id=f"{network.__name__}-{'+'.join(levels)}")
    for network in NETWORKS
    for levels in (*SINGLES, *COMBINATIONS)
    if not ("separable" in levels and network in LACKS_SEPARABLE)
]


def randomized(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        low = 0.5 if weight.path.endswith("variance") else -0.5
        weight.assign(rng.uniform(low, 1.0, weight.shape))
    return model


def kinds(model):
    return sorted(type(operation).__name__ for operation in model.operations)


@pytest.mark.parametrize(("network", "levels"), CASES)
def test_rewrite_equals_the_variant_written_by_hand(network, levels):
    full = network(**FULL)
    rewritten = randomized(remove(full, **levels))
    by_hand = network(**{**FULL, **levels})
    assert kinds(rewritten) == kinds(by_hand)
    assert rewritten.count_params() == by_hand.count_params()
    assert rewritten.output_shape == by_hand.output_shape
    assert len(copied_weights(rewritten, by_hand)) == len(by_hand.weights) == len(rewritten.weights)
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(2, *tensor.shape[1:])).astype("float32") for tensor in full.inputs]
    x = x if len(x) > 1 else x[0]
    for training in (False,) if network is xception else (False, True):  # dropout draws
        np.testing.assert_allclose(rewritten(x, training=training), by_hand(x, training=training), rtol=1e-5, atol=1e-5)
    inside = present(rewritten)
    assert [name for name in levels if name != "bn_placement" and inside[name]] == []


def test_every_network_of_the_oracle_has_what_it_is_there_for():
    six = {name: INGREDIENTS[name] for name in AWAY}
    found = {network.__name__: present(network(**FULL), six) for network in NETWORKS}
    assert found == {
        "xception": dict(zip(AWAY, (2, 4, 4, 4, 1, 7), strict=True)),
        "post_activation": dict(zip(AWAY, (2, 6, 3, 0, 1, 6), strict=True)),
        "pre_activation": dict(zip(AWAY, (2, 5, 5, 0, 1, 5), strict=True)),
        "inverted_bottleneck": dict(zip(AWAY, (1, 3, 2, 2, 1, 5), strict=True)),
        "squeeze_excite": dict(zip(AWAY, (1, 1, 1, 1, 1, 2), strict=True)),
        "two_inputs": dict(zip(AWAY, (1, 2, 2, 1, 1, 2), strict=True)),
    }


def test_shared_layers_keep_name_and_configuration():
    for network, levels in itertools.product((xception, post_activation), SINGLES):
        full = network(**FULL)
        if present(full)[next(iter(levels))]:
            by_hand = {layer.name: layer.get_config() for layer in network(**{**FULL, **levels}).layers[1:]}
            rewritten = {layer.name: layer.get_config() for layer in remove(full, **levels).layers[1:]}
            assert rewritten.keys() >= {layer.name for layer in full.layers[1:] if layer.name in by_hand}
            for layer in full.layers[1:]:
                if by_hand.get(layer.name) == layer.get_config():
                    assert rewritten[layer.name] == layer.get_config()
