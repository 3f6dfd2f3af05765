"""Kinds of layers and operations, as far as the ingredients of a network are concerned.

A part of a network may be a layer (`keras.layers.Add`, `keras.layers.ReLU`) or an operation on tensors (`x + y`,
`keras.ops.relu`). Both are covered here, so that no ingredient needs to know.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from ablate.keras.graph import LayerSpec

__all__ = [
    "CONVOLUTIONS",
    "DENSE",
    "GLOBAL_POOLINGS",
    "NORMALIZATIONS",
    "adds_scaled",
    "is_activation",
    "is_addition",
    "is_linear",
    "is_pointwise",
    "keeps_structure",
    "mixes_channels",
]

PLAIN_CONVOLUTIONS: tuple[type, ...] = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
CONVOLUTIONS: tuple[type, ...] = (
    *PLAIN_CONVOLUTIONS,
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
)
DENSE: tuple[type, ...] = (layers.Dense, layers.EinsumDense)
NORMALIZATIONS: tuple[type, ...] = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)
GLOBAL_POOLINGS: tuple[type, ...] = (
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)

_ACTIVATIONS: tuple[type, ...] = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU)
_ACTIVATION_OPERATIONS = frozenset(
    "Celu Elu Gelu HardSigmoid HardSilu HardSwish HardTanh LeakyRelu Relu Relu6 Selu Sigmoid Silu Softplus Softsign "
    "SquarePlus Swish Tanh TanhShrink HardShrink SoftShrink SparsePlus SparseSigmoid Threshold".split()
)
_STRUCTURE: tuple[type, ...] = (
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.UpSampling3D,
    layers.Identity,
)
_STRUCTURE_OPERATIONS = frozenset(["GetItem", "Pad", "MaxPool", "AveragePool", "Identity"])


def _is_of_keras(layer: LayerSpec) -> bool:
    return layer.kind.__module__.split(".")[0] == "keras"


def _is_operation(layer: LayerSpec) -> bool:
    return not layer.is_a(layers.Layer) and _is_of_keras(layer)


def is_addition(layer: LayerSpec) -> bool:
    """Whether it adds tensors: an `Add` layer, `keras.ops.add` or the `+` operator."""
    return layer.is_a(layers.Add) or (_is_operation(layer) and layer.kind.__name__ == "Add") or adds_scaled(layer)


def adds_scaled(layer: LayerSpec) -> bool:
    """Whether it adds its first input and a multiple of its second, as a layer of InceptionResNetV2 does."""
    return layer.kind.__name__ == "CustomScaleLayer" and _is_of_keras(layer)


def is_linear(layer: LayerSpec) -> bool:
    """Whether no activation is fused into it."""
    return _activation(layer) in (None, "linear")


def _activation(layer: LayerSpec) -> Any:
    """Its ``activation`` argument: a name, None, or the configuration of an activation that has no name."""
    return layer.config.get("activation")


def is_activation(layer: LayerSpec) -> bool:
    """Whether it is an activation function on its own that works on each number alone."""
    if _is_operation(layer):
        return layer.kind.__name__ in _ACTIVATION_OPERATIONS
    return layer.is_a(*_ACTIVATIONS) and _activation(layer) not in ("linear", "softmax", "log_softmax")


def is_pointwise(layer: LayerSpec) -> bool:
    """Whether it is a plain convolution with a 1x1 kernel, over all channels at once."""
    return (
        layer.is_a(*PLAIN_CONVOLUTIONS)
        and all(size == 1 for size in layer.config["kernel_size"])
        and layer.config["groups"] == 1
    )


def mixes_channels(layer: LayerSpec) -> bool:
    """Whether it is a projection: a linear layer over the channels of each place."""
    return is_linear(layer) and (is_pointwise(layer) or layer.is_a(*DENSE))


def keeps_structure(layer: LayerSpec) -> bool:
    """Whether it only normalises, pools, pads, crops or passes on, as a shortcut does on its way."""
    if _is_operation(layer):
        return layer.kind.__name__ in _STRUCTURE_OPERATIONS
    if layer.is_a(layers.Activation):
        return _activation(layer) == "linear"
    return layer.is_a(*NORMALIZATIONS, *_STRUCTURE)
