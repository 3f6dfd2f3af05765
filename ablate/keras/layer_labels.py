"""Short labels of layers, as diagrams print them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ablate.keras.graph_node import Node
from ablate.keras.kinds import CONVOLUTIONS, POOLINGS, by_rank, is_activation, is_linear
from ablate.keras.layer_spec import LayerSpec

_SIZES = ("units", "rate", "output_dim")
"""Arguments of which one follows the name of a kind."""
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
"""Kinds that have an activation inside, which their name implies."""

_SHORT = {
    "Add": "+",
    "Multiply": "×",
    "BatchNormalization": "BN",
    "LayerNormalization": "LN",
    "GroupNormalization": "GN",
    "Concatenate": "Concat",
    "GlobalAveragePooling": "GAP",
    "GlobalMaxPooling": "GMP",
    "MaxPooling": "MaxPool",
    "AveragePooling": "AvgPool",
    "SeparableConv": "SepConv",
    "DepthwiseConv": "DWConv",
    "ZeroPadding": "Pad",
}
_ACTIVATIONS = {name.lower(): name for name in ("ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SELU", "GELU", "SiLU")}


def layer_label(layer: LayerSpec, node: Node) -> str:
    """The label of a layer: kind, kernel, filters, strides, activation, as in ``"SepConv 3×3, 64 /2"``.

    Args:
        layer: The layer.
        node: A call of it.
    """
    config = layer.config
    if layer.is_a("InputLayer"):
        return f"Input {joined_sizes(node.shape[1:])}"
    if layer.is_a("ReLU") and config.get("max_value"):
        return f"ReLU{config['max_value']:g}"
    if is_activation(layer) or layer.is_a("Activation"):
        return _activation(layer)
    if layer.is_a("Bidirectional") and isinstance(written := config.get("layer"), Mapping):
        units = written["config"].get("units")
        return f"Bi{written['class_name']}" + ("" if units is None else f" {units}")
    name = re.sub(r"\dD", "", layer.kind.__name__)
    label = _SHORT.get(name, name)
    if layer.is_a(*CONVOLUTIONS, *POOLINGS):
        label += f" {joined_sizes(config.get('kernel_size') or config['pool_size'])}"
    if "filters" in config:
        label += f", {config['filters']}"
    if (config.get("groups") or 1) > 1:
        label += f" in {config['groups']} groups"
    if layer.is_a(*CONVOLUTIONS, *POOLINGS) and max(config["strides"]) > 1:
        label += f" /{max(config['strides'])}"
    if layer.is_a(*by_rank("UpSampling")):
        size = config["size"]
        label += f" {joined_sizes(size if isinstance(size, list | tuple) else [size])}"
    if "num_heads" in config:
        label += f", {config['num_heads']} heads"
    for key in _SIZES:
        if key in config:
            label += f" {config[key]}"
    return label if is_linear(layer) or layer.is_a(*_RECURRENT) else f"{label} {_activation(layer)}"


def change_label(before: str, after: str) -> str:
    """The label of a layer that an ablation changed, without the details that both forms have.

    Args:
        before: The label of the layer in the full network.
        after: Its label in the network of the cell.

    Example:
        >>> change_label("SepConv 3×3, 64", "Conv 3×3, 64")
        'SepConv → Conv 3×3, 64'
    """
    kind, _, details = before.partition(" ")
    return f"{kind if after.partition(' ')[2] == details else before} → {after}"


def joined_sizes(values: Any) -> str:
    """Numbers with a multiplication sign between them; unknown ones as ``?``."""
    return "×".join("?" if value is None else str(value) for value in values)


def _activation(layer: LayerSpec) -> str:
    """The name of the activation that the layer is, or that is fused into it."""
    name = layer.config.get("activation", layer.kind.__name__)
    if isinstance(name, dict):
        # Keras serializes a function or layer of the user as a mapping.
        name = name["config"] if name["class_name"] == "function" else name["class_name"]
    return _ACTIVATIONS.get(name.replace("_", "").lower(), name)
