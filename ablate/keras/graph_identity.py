"""Whether two graphs are the same network."""

from __future__ import annotations

import hashlib
from typing import Any

from keras import tree

from ablate.keras.graph import Graph, LayerSpec, Tensor

__all__ = ["fingerprint"]


def fingerprint(graph: Graph) -> str:
    """A hash of what a network computes, up to its weights: kinds, arguments and ties of its layers, but no names.

    Args:
        graph: The graph. Equal hashes mean equal networks, with weights of equal shapes.
    """
    return hashlib.sha256(repr(_described(graph)).encode()).hexdigest()


def _described(graph: Graph) -> tuple[Any, ...]:
    keys = {key: place for place, key in enumerate(graph.nodes)}
    names = {name: place for place, name in enumerate(dict.fromkeys(node.layer for node in graph.nodes.values()))}

    def told(structure: Any) -> str:
        return repr(tree.map_structure(placed, structure))

    def placed(leaf: Any) -> Any:
        return f"tensor {keys[leaf.node]}:{leaf.position}" if isinstance(leaf, Tensor) else leaf

    kinds = tuple(_kind(graph.layers[name]) for name in names)
    calls = tuple((names[node.layer], told((node.args, dict(node.kwargs)))) for node in graph.nodes.values())
    return kinds, calls, told(graph.inputs), told(graph.outputs)


def _kind(layer: LayerSpec) -> tuple[Any, ...]:
    config = {key: value for key, value in sorted(layer.config.items()) if key != "name"}
    return layer.kind.__qualname__, repr(config), None if layer.inner is None else _described(layer.inner)
