"""Layers in the few words of a diagram."""

from __future__ import annotations

import re
from typing import Any

from keras import layers

from ablate.keras.graph import LayerSpec, Node
from ablate.keras.kinds import CONVOLUTIONS, activation_name, is_activation, is_addition, is_multiplication

__all__ = ["sizes", "words"]

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


def words(layer: LayerSpec, node: Node) -> str:
    """A layer in a few words, ``"SepConv 3×3, 64 /2"``.

    Args:
        layer: The layer.
        node: A call of it.
    """
    kind, config = layer.kind.__name__, layer.config
    if layer.is_a(layers.InputLayer):
        return f"Input {sizes(node.shape[1:])}"
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
        return f"{pooled[1][:3]}Pool {sizes(config['pool_size'])}{_strides(config)}"
    if pooled := re.fullmatch(r"Global(Max|Average)Pooling\dD", kind):
        return "GMP" if pooled[1] == "Max" else "GAP"
    if "rate" in config and "drop" in kind.lower():
        return f"Dropout {config['rate']:g}"
    return _SHORT.get(kind, re.sub(r"\dD$", "", kind))


def sizes(values: Any) -> str:
    """Numbers with a multiplication sign between them; unknown ones as ``?``."""
    return "×".join("?" if value is None else str(value) for value in values)


def _convolution(layer: LayerSpec) -> str:
    kind, config = layer.kind.__name__, layer.config
    name = "SepConv" if kind.startswith("Separable") else "DWConv" if kind.startswith("Depthwise") else "Conv"
    name += "ᵀ" if kind.endswith("Transpose") else ""
    groups = config.get("groups", 1)
    filters = f", {config['filters']}" if "filters" in config else ""
    grouped = f" in {groups} groups" if groups and groups > 1 else ""
    return f"{name} {sizes(config['kernel_size'])}{filters}{grouped}{_strides(config)}{_fused(layer)}"


def _strides(config: Any) -> str:
    largest = max(config.get("strides") or (1,)) if not isinstance(config.get("strides"), int) else config["strides"]
    return f" /{largest}" if largest > 1 else ""


def _fused(layer: LayerSpec) -> str:
    name = activation_name(layer)
    if name is None:
        return ""
    given = layer.config.get("activation")
    # A layer or function of the user, as Keras writes it down.
    own = given.get("class_name") if isinstance(given, dict) and given.get("class_name") != "function" else None
    return f" {own or _ACTIVATION.get(name, name)}"
