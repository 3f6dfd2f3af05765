"""Embeddings and encodings of positions (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import is_addition
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at


class Position(Ingredient):
    """Numbers that say where in a sequence or map something stands, added to what stands there.

    Found are sums of a tensor with

    - an embedding of positions: a layer whose output does not depend on the values of its input, or an `Embedding` of
      numbers that do not;
    - a constant that differs from place to place, such as sinusoids;

    and layers of the user, and `Lambda` layers, that add such a constant to their one input. Without it the tensor
    passes as it is. Constants that are added in front of all weights are left alone unless ``only.position`` names
    them, since they may prepare the data.
    """

    name = "position"
    label = "position embeddings"
    description = "embeddings or encodings of positions, added to what stands there"
    absence = "no sum with numbers that depend on the place alone"
    stage = Stage.SHORTCUTS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The sums, and the layers that add positions."""
        found = ((node, _place(graph, node)) for node in graph.nodes.values())
        return tuple(Site((node.key,)) for node, place in found if place is not None and not place.doubt)

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """What may be something else."""
        found = ((node, _place(graph, node)) for node in graph.nodes.values())
        return {Site((node.key,)): place.doubt for node, place in found if place is not None and place.doubt}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Lets the other terms pass."""
        nodes: list[Node] = []
        passed: dict[Tensor, Tensor] = {}
        for node in nodes_at(graph, sites):
            place = _place(graph, node)
            if place is None or not place.others:
                continue
            if len(place.others) == 1:
                passed[node.output] = place.others[0]
            else:
                nodes.append(Node(node.key, node.layer, (list(place.others),), {}, node.shapes))
        return graph.edited(nodes=nodes).edited(tensors=passed)


@dataclass(frozen=True)
class _Place:
    """Where positions are added.

    Args:
        others: The other terms of the sum.
        doubt: Why it is left alone; empty if it is not.
    """

    others: tuple[Tensor, ...]
    doubt: str = ""


def _place(graph: Graph, node: Node) -> _Place | None:
    from ablate.keras.positions import adds_positions, depends_on_place_alone, has_table  # these need Keras

    if len(node.shape) < 3:
        return None
    if is_addition(graph.layer(node)) and len(set(node.inputs)) > 1:
        others = tuple(tensor for tensor in node.inputs if not depends_on_place_alone(graph, tensor))
        fits = all(graph.shape(tensor) == node.shape for tensor in others)
        return _Place(others) if fits and 0 < len(others) < len(node.inputs) else None
    if len(node.inputs) != 1 or graph.shape(node.inputs[0]) != node.shape:
        return None
    if not (has_table(node) if is_addition(graph.layer(node)) else adds_positions(graph, node)):
        return None
    doubt = "" if graph.is_behind_weights(node) else "it stands in front of all weights, and may prepare the data"
    return _Place(node.inputs, doubt)
