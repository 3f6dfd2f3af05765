"""Whether two networks, or two layers, compute the same up to their weights."""

from __future__ import annotations

import hashlib
from typing import Any

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Tensor, substituted
from ablate.keras.layer_spec import LayerSpec


def fingerprint(graph: Graph) -> str:
    """A hash of what a network computes, up to its weights: kinds, arguments and connections of its layers, no names.

    Args:
        graph: The graph. Equal hashes mean equal networks, with weights of equal shapes.
    """
    return hashlib.sha256(repr(_description(graph)).encode()).hexdigest()


def same_layer(one: LayerSpec, other: LayerSpec) -> bool:
    """Whether two layers have the same class and arguments."""
    return _layer_description(one) == _layer_description(other)


def _description(graph: Graph) -> tuple[Any, ...]:
    names = {name: place for place, name in enumerate(dict.fromkeys(node.layer for node in graph.nodes.values()))}
    places = {
        Tensor(key, position): f"tensor {place}:{position}"
        for place, (key, node) in enumerate(graph.nodes.items())
        for position in range(len(node.shapes))
    }

    def text(structure: Any) -> str:
        return repr(substituted(structure, places))

    kinds = tuple(_layer_description(graph.layers[name]) for name in names)
    calls = tuple((names[node.layer], text((node.args, dict(node.kwargs)))) for node in graph.nodes.values())
    return kinds, calls, text(graph.inputs), text(graph.outputs)


def _layer_description(layer: LayerSpec) -> tuple[Any, ...]:
    config = {key: value for key, value in sorted(layer.config.items()) if key != "name"}
    inner = None if layer.inner is None else _description(layer.inner)
    wrapper = None if layer.wrapper is None else _layer_description(layer.wrapper)
    return layer.kind.__qualname__, repr(config), inner, wrapper
