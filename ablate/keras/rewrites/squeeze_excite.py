"""Squeeze and excitation (Hu et al. 2018, https://arxiv.org/abs/1709.01507)."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor, tensors_in
from ablate.keras.kinds import is_multiplication, pools_globally
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at


class SqueezeExcite(Ingredient):
    """A gate for each channel, computed from the pooled map; without it the map passes as it is.

    Found is a product of a map with numbers for its channels that come, through layers with weights, from global
    poolings of that map and from nothing else: one, or the mean and the maximum as in CBAM (Woo et al. 2018,
    https://arxiv.org/abs/1807.06521). Poolings, dense layers and product fall away.
    """

    name = "squeeze_excite"
    label = "squeeze-and-excitation"
    description = "gates of the channels"
    absence = "no product of a map with gates computed from its global pooling"
    stage = Stage.GATES

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The products, each with the poolings behind its gates."""
        return tuple(
            Site((node.key, *(pooling.key for pooling in gate[1])))
            for node in graph.nodes.values()
            if (gate := _gate(graph, node)) is not None
        )

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Lets the map pass."""
        gates = ((node, _gate(graph, node)) for node in nodes_at(graph, sites))
        return graph.edited(tensors={node.output: gate[0] for node, gate in gates if gate is not None})


def layers_of_gates(graph: Graph) -> frozenset[str]:
    """Keys of the nodes that compute gates, from the poolings to the product, both left aside.

    Args:
        graph: The graph.
    """
    keys: set[str] = set()
    for node in graph.nodes.values():
        gate = _gate(graph, node)
        if gate is not None:
            gated, poolings = gate
            for tensor in node.inputs:
                sources = {pooling.key for pooling in poolings}
                between = graph.computed_between(tensor, sources) if tensor != gated else None
                keys |= {one.key for one in between or ()}
    return frozenset(keys)


def gated_maps(graph: Graph) -> list[tuple[Node, Tensor]]:
    """The products of maps and gates of their channels, each with the map.

    Args:
        graph: The graph.
    """
    gates = ((node, _gate(graph, node)) for node in graph.nodes.values())
    return [(node, gate[0]) for node, gate in gates if gate is not None]


def poolings_of_gates(graph: Graph) -> frozenset[str]:
    """Keys of the nodes that pool a map to compute its gates.

    Args:
        graph: The graph.
    """
    gates = (_gate(graph, node) for node in graph.nodes.values())
    return frozenset(pooling.key for gate in gates if gate is not None for pooling in gate[1])


def _gate(graph: Graph, node: Node) -> tuple[Tensor, list[Node]] | None:
    """The map that a product gates, and what pools it: poolings, models or layers of the user that give gates."""
    if not is_multiplication(graph.layer(node)) or len(node.inputs) != 2:
        return None
    for gated, gates in (node.inputs, node.inputs[::-1]):
        if graph.shape(gated) != node.shape:
            continue
        poolings = _poolings_behind(graph, gates)
        if poolings and all(_passes(graph, gated, pooling.inputs[0]) for pooling in poolings):
            return gated, poolings
    return None


def _poolings_behind(graph: Graph, gates: Tensor) -> list[Node]:
    """The global poolings from which a tensor is computed through weights; none if anything else reaches it."""
    weighted = False
    poolings: dict[str, Node] = {}
    seen = {gates.node}
    stack = [gates.node]
    while stack:
        node = graph.nodes[stack.pop()]
        if not node.inputs:
            return []
        if len(set(node.inputs)) == 1 and pools_globally(graph.layer(node), graph.shape(node.inputs[0])):
            poolings[node.key] = node
            continue
        if _computes_gates(graph, node):
            poolings[node.key] = node
            weighted = True
            continue
        weighted = weighted or graph.layer(node).weighted
        stack += [one.node for one in node.inputs if one.node not in seen]
        seen |= {one.node for one in node.inputs}
    return list(poolings.values()) if weighted else []


def _computes_gates(graph: Graph, node: Node) -> bool:
    """Whether a nested model or a layer of the user computes gates from global poolings of its one input."""
    layer = graph.layer(node)
    if len(set(node.inputs)) != 1 or len(node.shapes) > 1:
        return False
    if layer.inner is not None:
        inside, outputs = layer.inner, tensors_in(layer.inner.outputs)
    else:
        from ablate.keras.layer_contents import contents  # needs Keras, unlike the declaration of the ingredient

        graphs = contents(graph, layer)
        if not graphs:
            return False
        inside = graphs[0]
        outputs = tensors_in(inside.outputs)
        outputs = inside.nodes[outputs[0].node].inputs  # of the node that stands for the rest of the network
    if len(outputs) != 1:
        return False
    poolings = _poolings_behind(inside, outputs[0])
    return bool(poolings) and all(_pools_an_input(inside, pooling) for pooling in poolings)


def _pools_an_input(graph: Graph, pooling: Node) -> bool:
    return any(not graph.nodes[one.node].inputs for one in unweighted_sources(graph, pooling.inputs[0]))


def _passes(graph: Graph, gated: Tensor, pooled: Tensor) -> bool:
    """Whether the gated map is the pooled one, or one comes from the other without weights and branches."""
    return pooled in unweighted_sources(graph, gated) or gated in unweighted_sources(graph, pooled)


def unweighted_sources(graph: Graph, tensor: Tensor) -> list[Tensor]:
    """A tensor, and those that it comes from through single layers without weights.

    Args:
        graph: The graph.
        tensor: Any tensor of it.
    """
    sources = [tensor]
    node = graph.nodes[tensor.node]
    while len(node.inputs) == 1 and not graph.layer(node).weighted:
        sources.append(node.inputs[0])
        node = graph.nodes[node.inputs[0].node]
    return sources
