"""Residual networks, with activations behind their convolutions or in front of them.

He et al. 2016: https://arxiv.org/abs/1512.03385 (behind), https://arxiv.org/abs/1603.05027 (in front).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.network import DROPOUT, MOMENTUM, Network, integers, unequal_lengths
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.study.setting import flag


def resnet(
    signature: ModelSignature,
    *,
    filters: Sequence[int] = (16, 32, 64),
    blocks: Sequence[int] = (1, 1, 1),
    pre_activation: bool = False,
    dropout: float = 0.0,
    batch_norm_momentum: float = 0.9,
) -> Any:
    """Stages of residual blocks of two 3x3 convolutions, as in the networks for small images of He et al.

    From the second stage on, the first block of a stage halves height and width. A shortcut passes a 1x1 convolution
    where size or channels change, and is the identity everywhere else. ``blocks=(3, 3, 3)`` is ResNet-20.

    Args:
        signature: What it is to take and to give: images whose values are scaled to about 0 to 1.
        filters: Channels of each stage.
        blocks: Number of blocks of each stage, as many entries as `filters`.
        pre_activation: Whether a block normalises and activates in front of its convolutions; the shortcut then
            stays free from activations.
        dropout: Share of features dropped in front of the classifier.
        batch_norm_momentum: Momentum of the moving averages.

    Returns:
        A functional model.
    """
    block = _pre_activation_block if pre_activation else _post_activation_block
    inputs = keras.Input(signature.input_shape, name="image")
    x = layers.Conv2D(filters[0], 3, padding="same", use_bias=False, name="stem_conv")(inputs)
    if not pre_activation:
        x = _normalized(x, "stem_{}", batch_norm_momentum)
    for stage, (size, depth) in enumerate(zip(filters, blocks, strict=True), 1):
        for number in range(1, depth + 1):
            strides = 2 if stage > 1 and number == 1 else 1
            x = block(x, size, strides, f"stage{stage}_block{number}_{{}}", batch_norm_momentum)
    if pre_activation:
        x = _normalized(x, "post_{}", batch_norm_momentum)
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = layers.Dropout(dropout, name="head_dropout")(x)
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="resnet")


def _post_activation_block(x: Any, size: int, strides: int, name: str, momentum: float) -> Any:
    shortcut = x
    if strides > 1 or x.shape[-1] != size:
        shortcut = _convolution(x, size, 1, strides, name.format("projection"))
        shortcut = layers.BatchNormalization(momentum=momentum, name=name.format("projection_bn"))(shortcut)
    x = _convolution(x, size, 3, strides, name.format("conv1"))
    x = _normalized(x, name + "1", momentum)
    x = _convolution(x, size, 3, 1, name.format("conv2"))
    x = layers.BatchNormalization(momentum=momentum, name=name.format("bn2"))(x)
    x = layers.Add(name=name.format("add"))([x, shortcut])
    return layers.ReLU(name=name.format("relu2"))(x)


def _pre_activation_block(x: Any, size: int, strides: int, name: str, momentum: float) -> Any:
    shortcut = x
    changes = strides > 1 or x.shape[-1] != size
    x = _normalized(x, name + "1", momentum)
    if changes:
        shortcut = _convolution(x, size, 1, strides, name.format("projection"))
    x = _convolution(x, size, 3, strides, name.format("conv1"))
    x = _normalized(x, name + "2", momentum)
    x = _convolution(x, size, 3, 1, name.format("conv2"))
    return layers.Add(name=name.format("add"))([x, shortcut])


def _convolution(x: Any, size: int, kernel: int, strides: int, name: str) -> Any:
    return layers.Conv2D(size, kernel, strides=strides, padding="same", use_bias=False, name=name)(x)


def _normalized(x: Any, name: str, momentum: float) -> Any:
    x = layers.BatchNormalization(momentum=momentum, name=name.format("bn"))(x)
    return layers.ReLU(name=name.format("relu"))(x)


NETWORK = Network(
    resnet,
    {
        "filters": integers(),
        "blocks": integers(),
        "pre_activation": flag(),
        "dropout": DROPOUT,
        "batch_norm_momentum": MOMENTUM,
    },
    takes=(InputForm.IMAGES,),
    halvings=lambda values, input_shape: len(values["filters"]) - 1,
    misfits=lambda values, signature: unequal_lengths(values, "filters", "blocks"),
)
