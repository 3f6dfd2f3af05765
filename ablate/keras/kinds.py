"""Kinds of layers and operations, as far as the ingredients of a network are concerned.

A part of a network may be a layer (`keras.layers.Add`, `keras.layers.ReLU`) or an operation on tensors (`x + y`,
`keras.ops.relu`). Both are covered here, so that no ingredient needs to know.
"""

from __future__ import annotations

import re
from typing import Any

from keras import config, layers

from ablate.keras.graph import LayerSpec, Shape

__all__ = [
    "CONVOLUTIONS",
    "DENSE",
    "NORMALIZATIONS",
    "POOLINGS",
    "activation_name",
    "is_activation",
    "is_addition",
    "is_concatenation",
    "is_linear",
    "is_multiplication",
    "is_pointwise",
    "is_position",
    "keeps_structure",
    "mixes_channels",
    "pools_globally",
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
_GLOBAL_POOLINGS: tuple[type, ...] = (
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)

POOLINGS: tuple[type, ...] = (
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
)

_ACTIVATIONS: tuple[type, ...] = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU)
_ACTIVATION_OPERATIONS = frozenset(
    "Celu Elu Gelu HardSigmoid HardSilu HardSwish HardTanh LeakyRelu Relu Relu6 Selu Sigmoid Silu Softplus Softsign "
    "SquarePlus Swish Tanh TanhShrink HardShrink SoftShrink SparsePlus SparseSigmoid Threshold".split()
)
_STRUCTURE: tuple[type, ...] = (
    *POOLINGS,
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
_STRUCTURE_OPERATIONS = frozenset(["GetItem", "Pad", "MaxPool", "AveragePool", "Identity", "Cast"])


def _is_of_keras(layer: LayerSpec) -> bool:
    return layer.kind.__module__.split(".")[0] == "keras"


def _is_operation(layer: LayerSpec) -> bool:
    return not layer.is_a(layers.Layer) and _is_of_keras(layer)


def is_addition(layer: LayerSpec) -> bool:
    """Whether it adds tensors: an `Add` layer, `keras.ops.add`, the `+` operator, or a layer of InceptionResNetV2."""
    own = layer.kind.__name__ == "CustomScaleLayer" and _is_of_keras(layer)
    return own or layer.is_a(layers.Add) or (_is_operation(layer) and layer.kind.__name__ == "Add")


def is_multiplication(layer: LayerSpec) -> bool:
    """Whether it multiplies tensors: a `Multiply` layer, `keras.ops.multiply` or the ``*`` operator."""
    return layer.is_a(layers.Multiply) or (_is_operation(layer) and layer.kind.__name__ == "Multiply")


def is_concatenation(layer: LayerSpec) -> bool:
    """Whether it puts tensors one behind the other: a `Concatenate` layer or `keras.ops.concatenate`."""
    return layer.is_a(layers.Concatenate) or (_is_operation(layer) and layer.kind.__name__ == "Concatenate")


def is_position(layer: LayerSpec) -> bool:
    """Whether it embeds positions, by the name of its class: what it gives does not depend on the values it sees."""
    return "position" in layer.kind.__name__.lower()


def pools_globally(layer: LayerSpec, shape: Shape) -> bool:
    """Whether it leaves one number a channel: a global pooling layer, or a mean or maximum over all places.

    Args:
        layer: The layer or operation.
        shape: Shape of what it is given.
    """
    if layer.is_a(*_GLOBAL_POOLINGS):
        return True
    if not _is_operation(layer) or layer.kind.__name__ not in ("Mean", "Max") or len(shape) < 3:
        return False
    given = layer.config.get("axis")
    axes = sorted(axis % len(shape) for axis in (given if isinstance(given, list | tuple) else [given or 0]))
    first = 2 if config.image_data_format() == "channels_first" else 1
    return axes == list(range(first, first + len(shape) - 2))


def is_linear(layer: LayerSpec) -> bool:
    """Whether no activation is fused into it."""
    return _activation(layer) in (None, "linear")


def activation_name(layer: LayerSpec) -> str | None:
    """The name of the activation function that it applies, alone or fused into it.

    Returns:
        The name in `keras.activations`; ``"custom"`` for one that has none there; None if there is no activation.
    """
    if is_activation(layer) and not layer.is_a(layers.Activation):
        name = {"ReLU": "relu", "Relu": "relu"}.get(layer.kind.__name__, _snake(layer.kind.__name__))
        plain = all(layer.config.get(key) in (None, 0, 0.0) for key in ("max_value", "negative_slope", "threshold"))
        return name if name != "relu" or plain else "custom"
    given = _activation(layer)
    if given in (None, "linear"):
        return None
    return given if isinstance(given, str) else "custom"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("LU", "lu")).lower()


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
