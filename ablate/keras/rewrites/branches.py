"""What lies between two tensors of a graph, of which one is computed from the other."""

from __future__ import annotations

import math

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape, Tensor
from ablate.keras.kinds import enlarges, is_position


def nodes_between(graph: Graph, fork: Tensor, trunk: Tensor) -> list[Node]:
    """The nodes from a fork to the end of a trunk, that of the fork left out."""
    keys = (trunk.node, *graph.ancestors(graph.nodes[trunk.node]))
    return [graph.nodes[key] for key in keys if fork.node in graph.ancestors(graph.nodes[key])]


def has_weights_between(graph: Graph, fork: Tensor, trunk: Tensor) -> bool:
    """Whether a layer with weights stands between a fork and the end of a trunk, embeddings of positions aside."""
    layers = map(graph.layer, nodes_between(graph, fork, trunk))
    return any(layer.weighted and not is_position(layer) for layer in layers)


def comes_back(graph: Graph, fork: Tensor, trunk: Tensor) -> bool:
    """Whether a trunk is enlarged, and yet not larger than its fork: a decoder that meets its encoder."""
    before, after = (_places(graph.shape(tensor)) for tensor in (fork, trunk))
    if before is not None and after is not None and after > before:
        return False  # a block that enlarges: its shortcut does so too
    return any(enlarges(graph, node) for node in nodes_between(graph, fork, trunk))


def takes_channels(graph: Graph, node: Node) -> bool:
    """Whether a call without weights passes some of the channels on, as between the parts of a Res2Net block.

    Such a part is no shortcut around what is computed from others: without it, it would be lost.
    """
    before, after = graph.shape(node.inputs[0]), node.shape
    if graph.layer(node).weighted or len(before) < 3 or before[:-1] != after[:-1]:
        return False
    return before[-1] is not None and after[-1] is not None and after[-1] < before[-1]


def _places(shape: Shape) -> int | None:
    sizes = [size for size in shape[1:-1] if size is not None]
    return math.prod(sizes) if len(sizes) == len(shape[1:-1]) else None
