"""Squeeze and excitation (Hu et al. 2018, https://arxiv.org/abs/1709.01507)."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import is_multiplication, pools_globally
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at


class SqueezeExcite(Ingredient):
    """A gate for each channel, computed from the pooled map; without it the map passes as it is.

    Found is a product of a map with numbers for its channels that come, through layers with weights and nothing that
    joins another branch, from a global pooling of that map. Pooling, dense layers and product fall away.
    """

    name = "squeeze_excite"
    label = "squeeze-and-excitation"
    description = "gates of the channels"
    absence = "no product of a map with gates computed from its global pooling"
    stage = Stage.GATES

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The products, each with the pooling behind its gates."""
        return tuple(
            Site((node.key, gate[1].key)) for node in graph.nodes.values() if (gate := _gate(graph, node)) is not None
        )

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Lets the map pass."""
        gates = ((node, _gate(graph, node)) for node in nodes_at(graph, sites))
        return graph.edited(tensors={node.output: gate[0] for node, gate in gates if gate is not None})


def layers_of_gates(graph: Graph) -> frozenset[str]:
    """Keys of the nodes that compute gates, from the pooling to the product, both left aside.

    Args:
        graph: The graph.
    """
    keys: set[str] = set()
    for node in graph.nodes.values():
        gate = _gate(graph, node)
        if gate is not None:
            gated, pooling = gate
            for tensor in node.inputs:
                between = graph.computed_between(tensor, {pooling.key}) if tensor != gated else None
                keys |= {one.key for one in between or ()}
    return frozenset(keys)


def _gate(graph: Graph, node: Node) -> tuple[Tensor, Node] | None:
    """The map that a product gates, and the pooling of it."""
    if not is_multiplication(graph.layer(node)) or len(node.inputs) != 2:
        return None
    for gated, gates in (node.inputs, node.inputs[::-1]):
        pooling = _pooling_behind(graph, gates)
        if pooling is not None and graph.shape(gated) == node.shape and _passes(graph, gated, pooling.inputs[0]):
            return gated, pooling
    return None


def _pooling_behind(graph: Graph, gates: Tensor) -> Node | None:
    weighted = False
    node = graph.nodes[gates.node]
    while len(set(node.inputs)) == 1:
        if pools_globally(graph.layer(node), graph.shape(node.inputs[0])):
            return node if weighted else None
        weighted = weighted or graph.layer(node).weighted
        node = graph.nodes[node.inputs[0].node]
    return None


def _passes(graph: Graph, gated: Tensor, pooled: Tensor) -> bool:
    """Whether the gated map is the pooled one, or one comes from the other without weights and branches."""
    return pooled in _unweighted_sources(graph, gated) or gated in _unweighted_sources(graph, pooled)


def _unweighted_sources(graph: Graph, tensor: Tensor) -> list[Tensor]:
    sources = [tensor]
    node = graph.nodes[tensor.node]
    while len(node.inputs) == 1 and not graph.layer(node).weighted:
        sources.append(node.inputs[0])
        node = graph.nodes[node.inputs[0].node]
    return sources
