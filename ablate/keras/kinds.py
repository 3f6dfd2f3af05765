"""Kinds of layers and operations, as far as the ingredients of a network are concerned.

A part of a network may be a layer (`keras.layers.Add`, `keras.layers.ReLU`) or an operation on tensors (`x + y`,
`keras.ops.relu`). Both are covered here, so that no ingredient needs to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape
from ablate.keras.layer_spec import LayerSpec


def by_rank(*names: str) -> tuple[str, ...]:
    """The classes of layers for one, two and three spatial dimensions.

    Example:
        >>> by_rank("MaxPooling")
        ('MaxPooling1D', 'MaxPooling2D', 'MaxPooling3D')
    """
    return tuple(f"{name}{rank}D" for name in names for rank in (1, 2, 3))


PLAIN_CONVOLUTIONS = by_rank("Conv")
TRANSPOSED_CONVOLUTIONS = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
CONVOLUTIONS = (
    *PLAIN_CONVOLUTIONS,
    *TRANSPOSED_CONVOLUTIONS,
    *("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
)
DENSE = ("Dense", "EinsumDense")
_NORMALIZATIONS = (
    "BatchNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "RMSNormalization",
    "UnitNormalization",
)
_NORMALIZATION_OPERATIONS = ("LayerNorm", "RMSNorm", "Normalize")
_NORMALIZATION_NAME = re.compile(r"norm(ali[sz]ation)?(?:[123]d)?$", re.IGNORECASE)
_BATCH_NORM_NAME = re.compile(r"batch_?norm", re.IGNORECASE)
_ATTENTIONS = ("MultiHeadAttention", "Attention", "AdditiveAttention")
POOLINGS = by_rank("MaxPooling", "AveragePooling")
_GLOBAL_POOLINGS = by_rank("GlobalAveragePooling", "GlobalMaxPooling")
_ADAPTIVE_POOLINGS = by_rank("AdaptiveAveragePooling", "AdaptiveMaxPooling")
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU")
_ACTIVATION_OPERATIONS = (
    "Celu Elu Gelu HardSigmoid HardSilu HardSwish HardTanh LeakyRelu Relu Relu6 Selu Sigmoid Silu Softplus Softsign "
    "Squareplus Swish Tanh TanhShrink HardShrink SoftShrink SparsePlus SparseSigmoid Threshold LogSigmoid"
).split()
_STRUCTURE = (*POOLINGS, *by_rank("ZeroPadding", "Cropping", "UpSampling"), "Identity")
_STRUCTURE_OPERATIONS = ("GetItem", "Pad", "MaxPool", "AveragePool", "Identity", "Cast")


def is_addition(layer: LayerSpec) -> bool:
    """Whether it adds tensors: an `Add` layer, `keras.ops.add`, the `+` operator, or a layer of InceptionResNetV2."""
    of_inception = layer.kind.__name__ == "CustomScaleLayer" and layer.is_of_keras()
    return of_inception or layer.is_a("Add") or layer.is_operation("Add")


def is_multiplication(layer: LayerSpec) -> bool:
    """Whether it multiplies tensors: a `Multiply` layer, `keras.ops.multiply` or the ``*`` operator."""
    return layer.is_a("Multiply") or layer.is_operation("Multiply")


def is_concatenation(layer: LayerSpec) -> bool:
    """Whether it puts tensors one behind the other: a `Concatenate` layer or `keras.ops.concatenate`."""
    return layer.is_a("Concatenate") or layer.is_operation("Concatenate")


def is_attention(layer: LayerSpec) -> bool:
    """Whether it is an attention layer of Keras."""
    # The class of `keras.layers.GroupQueryAttention` has another name.
    return layer.is_a(*_ATTENTIONS, "GroupedQueryAttention")


def is_position(layer: LayerSpec) -> bool:
    """Whether it embeds positions, by the name of its class: its output does not depend on the values of its input."""
    return "position" in layer.kind.__name__.lower()


def is_normalization(layer: LayerSpec) -> bool:
    """Whether it normalises its input: a layer or operation of Keras, or a class of the user called after it.

    `keras.layers.Normalization`, which prepares data, does not count, nor does a layer that holds others.
    """
    return layer.is_a(*_NORMALIZATIONS) or layer.is_operation(*_NORMALIZATION_OPERATIONS) or _is_called_norm(layer)


def is_batch_norm(layer: LayerSpec) -> bool:
    """Whether it normalises over the batch: a layer of Keras, or a class of the user called after it."""
    named = _is_called_norm(layer) and bool(_BATCH_NORM_NAME.search(layer.kind.__name__))
    return layer.is_a("BatchNormalization") or named


def _is_called_norm(layer: LayerSpec) -> bool:
    # Packages and papers bring normalisations of their own, which do not derive from one of Keras.
    if layer.is_of_keras() or layer.inner is not None or not layer.is_a("Layer") or layer.is_a("Wrapper"):
        return False
    return bool(_NORMALIZATION_NAME.search(layer.kind.__name__)) and not layer.sublayers


def pools_globally(layer: LayerSpec, shape: Shape) -> bool:
    """Whether it leaves one number a channel: a pooling of the whole map, whatever its class, or a mean or maximum.

    Args:
        layer: The layer or operation.
        shape: Shape of its input.
    """
    if layer.is_a(*_GLOBAL_POOLINGS):
        return True
    if len(shape) < 3:
        return False
    places = shape[2:] if _is_channels_first(layer) else shape[1:-1]
    if layer.is_a(*by_rank("AveragePooling")):  # a maximum of the last few places belongs to the blocks, as in VGG
        return _covers(layer.config, places)
    if layer.is_a(*_ADAPTIVE_POOLINGS):
        sizes = layer.config["output_size"]
        return set(sizes if isinstance(sizes, list | tuple) else [sizes]) == {1}
    if layer.is_operation("Mean", "Max"):
        axis = layer.config.get("axis")
        axes = sorted(one % len(shape) for one in (axis if isinstance(axis, list | tuple) else [axis or 0]))
        first = 2 if _is_channels_first(layer) else 1
        return axes == list(range(first, first + len(shape) - 2))
    if layer.kind.__name__ != "Lambda" and (layer.is_of_keras() or not layer.is_a("Layer")):
        return False
    from ablate.keras.probes import pools_places  # needs Keras, unlike the names of kinds

    return pools_places(layer, shape)


def _is_channels_first(layer: LayerSpec) -> bool:
    from keras import config

    return (layer.config.get("data_format") or config.image_data_format()) == "channels_first"


def _covers(config: Mapping[str, Any], places: Shape) -> bool:
    """Whether the one window of a pooling is the whole map."""
    window, strides = config["pool_size"], config["strides"]
    if all(size == 1 for size in places) or len(window) != len(places):
        return False
    if config["padding"] == "same":
        return all(
            size is not None and size <= min(step, side)
            for size, side, step in zip(places, window, strides, strict=True)
        )
    return tuple(window) == tuple(places)


def is_linear(layer: LayerSpec) -> bool:
    """Whether no activation is fused into it."""
    return layer.config.get("activation") in (None, "linear")


def activation_name(layer: LayerSpec) -> str | None:
    """The name of the activation function that it applies, alone or fused into it.

    Returns:
        The name in `keras.activations`; ``"custom"`` for one that has none there; None if there is no activation.
    """
    if is_activation(layer) and not layer.is_a("Activation"):
        # In snake case: LeakyReLU is leaky_relu.
        if not layer.is_a(*_ACTIVATIONS) and layer.is_a("Layer"):
            return "custom"
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", layer.kind.__name__.replace("LU", "lu")).lower()
        standard = all(layer.config.get(key) in (None, 0, 0.0) for key in ("max_value", "negative_slope", "threshold"))
        return name if name != "relu" or standard else "custom"
    function = layer.config.get("activation")
    if function in (None, "linear"):
        return None
    return function if isinstance(function, str) else "custom"


def is_activation(layer: LayerSpec) -> bool:
    """Whether it is an activation function on its own that works on each number alone, also one of the user."""
    if layer.is_operation(*_ACTIVATION_OPERATIONS):
        return True
    if layer.is_a(*_ACTIVATIONS):
        return layer.config.get("activation") not in ("linear", "softmax", "log_softmax")
    if layer.kind.__name__ != "Lambda" and (layer.is_of_keras() or not layer.is_a("Layer")):
        return False
    from ablate.keras.probes import is_elementwise  # needs Keras, unlike the names of kinds

    return is_elementwise(layer)


def is_pointwise(layer: LayerSpec) -> bool:
    """Whether it is a plain convolution with a 1x1 kernel, over all channels at once."""
    if not layer.is_a(*PLAIN_CONVOLUTIONS):
        return False
    return layer.config["groups"] == 1 and all(size == 1 for size in layer.config["kernel_size"])


def is_depthwise(layer: LayerSpec) -> bool:
    """Whether it is a convolution of each channel by itself."""
    return layer.is_a("DepthwiseConv1D", "DepthwiseConv2D")


def enlarges(graph: Graph, node: Node) -> bool:
    """Whether its output has more places than its input: upsampling, resizing, a transposed convolution with a stride.

    Args:
        graph: The graph.
        node: A node of it.
    """
    layer = graph.layer(node)
    others = layer.is_a("Reshape", "Permute", *by_rank("ZeroPadding")) or layer.is_operation(
        "Reshape", "Transpose", "Pad"
    )
    if len(set(node.inputs)) != 1 or others:
        return False
    if layer.is_a(*by_rank("UpSampling")):
        return True
    before, after = graph.shape(node.inputs[0])[1:-1], node.shape[1:-1]
    if None in (*before, *after):
        return layer.is_a(*TRANSPOSED_CONVOLUTIONS) and max(layer.config["strides"]) > 1
    return len(before) == len(after) > 0 and all(
        old is not None and new is not None and new > old for old, new in zip(before, after, strict=True)
    )


def mixes_channels(layer: LayerSpec) -> bool:
    """Whether it is a projection: a linear layer over the channels of each place."""
    return is_linear(layer) and (is_pointwise(layer) or layer.is_a(*DENSE))


def keeps_structure(layer: LayerSpec) -> bool:
    """Whether it only normalises, pools, pads, crops or passes its input on, as layers within a shortcut do."""
    if layer.is_a("Activation"):
        return layer.config.get("activation") == "linear"
    return layer.is_operation(*_STRUCTURE_OPERATIONS) or layer.is_a(*_STRUCTURE) or is_normalization(layer)


def is_last(graph: Graph, node: Node) -> bool:
    """Whether no layer with weights follows, normalisations aside.

    Args:
        graph: The graph.
        node: A node of it.
    """
    following = map(graph.layer, graph.descendants(node))
    return not any(layer.weighted and not is_normalization(layer) for layer in following)
