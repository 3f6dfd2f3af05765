"""Spatial attention (CBAM, Woo et al. 2018, https://arxiv.org/abs/1807.06521)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape, Tensor, tensors_in
from ablate.keras.kinds import activation_name, is_activation, is_multiplication
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at
from ablate.keras.rewrites.squeeze_excite import unweighted_sources

_SIGMOIDS = ("sigmoid", "hard_sigmoid")


class SpatialAttention(Ingredient):
    """A gate for each place, the same for all channels; without it the map passes as it is.

    Found is a product of a map of several channels with a map of one channel that ends in a sigmoid and is computed
    from the former alone: by means and maxima over the channels and a convolution as in CBAM, or a 1x1 convolution as
    in spatial squeeze-and-excitation (Roy et al. 2018, https://arxiv.org/abs/1803.02579). Behind the sigmoid it may be
    enlarged, or repeated for all channels.

    A gate that is computed from other maps, or from maps that have another use too, as that of attention U-Nets
    (https://arxiv.org/abs/1804.03999), is left alone unless ``only.spatial_attention`` names it.
    """

    name = "spatial_attention"
    label = "spatial attention"
    description = "gates of the places of a map"
    absence = "no product of a map with a gate for each place computed from it"
    stage = Stage.GATES

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The products."""
        gates = ((node, _gate(graph, node)) for node in graph.nodes.values())
        return tuple(Site((node.key,)) for node, gate in gates if gate is not None and not gate.doubt)

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """The products with such a gate that is computed from something else."""
        gates = ((node, _gate(graph, node)) for node in graph.nodes.values())
        return {Site((node.key,)): gate.doubt for node, gate in gates if gate is not None and gate.doubt}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Lets the map pass."""
        gates = ((node, _gate(graph, node)) for node in nodes_at(graph, sites))
        return graph.edited(tensors={node.output: gate.gated for node, gate in gates if gate is not None})


@dataclass(frozen=True)
class _Gate:
    """A gate for each place of a map.

    Args:
        gated: The map that is multiplied.
        gates: What it is multiplied with.
        source: The map from which the gate is computed; None if that is another one, or more than one.
        doubt: Why it is no spatial attention after all; empty if it is.
    """

    gated: Tensor
    gates: Tensor
    source: Tensor | None
    doubt: str


def layers_of_spatial_gates(graph: Graph) -> frozenset[str]:
    """Keys of the nodes that compute gates, from the map that they are computed from to the product, both left aside.

    Args:
        graph: The graph.
    """
    keys: set[str] = set()
    for node in graph.nodes.values():
        gate = _gate(graph, node)
        if gate is not None and gate.source is not None:
            keys |= {one.key for one in graph.computed_between(gate.gates, {gate.source.node}) or ()}
    return frozenset(keys)


def _gate(graph: Graph, node: Node) -> _Gate | None:
    """The gate with which a product multiplies a map."""
    if not is_multiplication(graph.layer(node)) or len(node.inputs) != 2:
        return None
    for gated, gates in (node.inputs, node.inputs[::-1]):
        if gated == gates or graph.shape(gated) != node.shape or not _fits(graph.shape(gates), node.shape):
            continue
        end = _sigmoid_behind(graph, gates)
        if end is None:
            continue
        source = next((one for one in unweighted_sources(graph, gated) if _has_own_branch(graph, one, end)), None)
        doubt = "" if source else "its gate is not computed from what it multiplies alone, as in attention U-Nets"
        return _Gate(gated, gates, source, doubt)
    return None


def _has_own_branch(graph: Graph, source: Tensor, end: Node) -> bool:
    """Whether a gate is computed from a map alone, in layers that nothing else uses."""
    between = graph.computed_between(end.output, {source.node})
    if between is None:
        return False
    keys = {node.key for node in between}
    # The maps of a decoder come from what they gate as well, the long way round, and feed the decoder too.
    return all(user.key in keys for node in between if node is not end for user in graph.consumers(node))


def _fits(gates: Shape, gated: Shape) -> bool:
    """Whether it is a number for each of several places, for one channel or repeated for all."""
    if len(gates) != len(gated) or len(gated) < 3:
        return False
    for channel in (-1, 1):
        places, others = list(gated[1:]), list(gates[1:])
        here, there = places.pop(channel if channel < 0 else 0), others.pop(channel if channel < 0 else 0)
        size = math.prod(side or 2 for side in places)
        if places == others and size > 1 and here not in (None, 1) and there in (1, here):
            return True
    return False


def _sigmoid_behind(graph: Graph, tensor: Tensor) -> Node | None:
    """The sigmoid of one channel that a tensor is, or that it is made of without weights; None if there is none."""
    node = graph.nodes[tensor.node]
    while not _is_sigmoid(graph, node):
        if graph.layer(node).weighted or len(set(node.inputs)) != 1:
            return None
        node = graph.nodes[node.inputs[0].node]
    return node if 1 in (node.shape[-1], node.shape[1]) else None


def _is_sigmoid(graph: Graph, node: Node) -> bool:
    """Whether a node gives a sigmoid, also one within a nested model or a layer of the user."""
    layer = graph.layer(node)
    if layer.inner is not None:
        outputs = tensors_in(layer.inner.outputs)
        return len(outputs) == 1 and _sigmoid_behind(layer.inner, outputs[0]) is not None
    name = activation_name(layer)
    if name in _SIGMOIDS:
        return True
    if is_activation(layer):
        return name == "custom" and _gives_fractions(layer)
    from ablate.keras.layer_contents import contents  # needs Keras, unlike the declaration of the ingredient

    for inside in contents(graph, layer)[:1]:
        (end,) = tensors_in(inside.outputs)
        results = inside.nodes[end.node].inputs
        return len(results) == 1 and _sigmoid_behind(inside, results[0]) is not None
    return False


def _gives_fractions(layer: LayerSpec) -> bool:
    from ablate.keras.probes import gives_fractions

    return gives_fractions(layer)
