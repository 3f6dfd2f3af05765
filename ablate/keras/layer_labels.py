"""Short labels of layers, as diagrams print them."""

from __future__ import annotations

import re
from typing import Any

from keras import layers

from ablate.keras.graph import LayerSpec
from ablate.keras.graph_node import Node
from ablate.keras.kinds import CONVOLUTIONS, activation_name, is_activation, is_addition, is_multiplication

_SHORT = {
    "BatchNormalization": "BN",
    "LayerNormalization": "LN",
    "GroupNormalization": "GN",
    "Concatenate": "Concat",
    "MultiHeadAttention": "Attention",
    "ZeroPadding1D": "Pad",
    "ZeroPadding2D": "Pad",
    "ZeroPadding3D": "Pad",
}
_ACTIVATION = {
    **{"relu": "ReLU", "custom": "activation", "silu": "SiLU", "swish": "SiLU", "gelu": "GELU", "elu": "ELU"},
    **{"relu6": "ReLU6", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "selu": "SELU"},
}


def layer_label(layer: LayerSpec, node: Node) -> str:
    """The label of a layer: kind, kernel, filters, strides, activation, as in ``"SepConv 3×3, 64 /2"``.

    Args:
        layer: The layer.
        node: A call of it.
    """
    kind, config = layer.kind.__name__, layer.config
    if layer.is_a(layers.InputLayer):
        return f"Input {joined_sizes(node.shape[1:])}"
    if is_addition(layer):
        return "+"
    if is_multiplication(layer):
        return "×"
    if is_activation(layer):
        if kind == "ReLU" and config.get("max_value"):
            return f"ReLU{config['max_value']:g}"
        name = activation_name(layer) or kind
        return _ACTIVATION.get(name, name)
    if layer.is_a(layers.Activation):
        return activation_name(layer) or "linear"
    if layer.is_a(*CONVOLUTIONS):
        return _convolution(layer)
    if layer.is_a(layers.Dense):
        return f"Dense {config['units']}{_fused(layer)}"
    if pooled := re.fullmatch(r"(Max|Average)Pooling\dD", kind):
        return f"{pooled[1][:3]}Pool {joined_sizes(config['pool_size'])}{_strides(config)}"
    if pooled := re.fullmatch(r"Global(Max|Average)Pooling\dD", kind):
        return "GMP" if pooled[1] == "Max" else "GAP"
    if "rate" in config and "drop" in kind.lower():
        return f"Dropout {config['rate']:g}"
    return _SHORT.get(kind, re.sub(r"\dD$", "", kind))


def changed_label(old: LayerSpec, old_node: Node, new: LayerSpec, new_node: Node) -> str:
    """The label of a layer that an ablation changed.

    Args:
        old: The layer in the full network.
        old_node: A call of it.
        new: The layer of the same name in the network of the cell.
        new_node: A call of it.
    """
    before, after = layer_label(old, old_node), layer_label(new, new_node)
    if before == after:
        return f"{before} + bias" if old.config.get("use_bias") != new.config.get("use_bias") else f"{before} behind"
    kind, _, details = before.partition(" ")
    return f"{kind if after.partition(' ')[2] == details else before} → {after}"


def joined_sizes(values: Any) -> str:
    """Numbers with a multiplication sign between them; unknown ones as ``?``."""
    return "×".join("?" if value is None else str(value) for value in values)


def _convolution(layer: LayerSpec) -> str:
    kind, config = layer.kind.__name__, layer.config
    name = "SepConv" if kind.startswith("Separable") else "DWConv" if kind.startswith("Depthwise") else "Conv"
    name += "ᵀ" if kind.endswith("Transpose") else ""
    groups = config.get("groups", 1)
    filters = f", {config['filters']}" if "filters" in config else ""
    grouped = f" in {groups} groups" if groups and groups > 1 else ""
    return f"{name} {joined_sizes(config['kernel_size'])}{filters}{grouped}{_strides(config)}{_fused(layer)}"


def _strides(config: Any) -> str:
    largest = max(config.get("strides") or (1,)) if not isinstance(config.get("strides"), int) else config["strides"]
    return f" /{largest}" if largest > 1 else ""


def _fused(layer: LayerSpec) -> str:
    name = activation_name(layer)
    if name is None:
        return ""
    activation = layer.config.get("activation")
    # Keras serializes a layer or function of the user as a mapping with the name of its class.
    class_name = activation.get("class_name") if isinstance(activation, dict) else None
    return f" {_ACTIVATION.get(name, name) if class_name in (None, 'function') else class_name}"
