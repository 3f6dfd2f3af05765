"""Self-attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import is_attention, is_normalization, mixes_channels
from ablate.keras.rewrites.halves import trunks_of, without_branches
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at


class Attention(Ingredient):
    """Attention of the places of a sequence to one another; without it each place has what it has.

    Found are the attention layers of Keras whose queries, keys and values come from one tensor, by themselves or
    through a projection each.

    - Where attention is all that a branch of a residual sum does, projections, normalisation and dropout aside, the
      branch goes. If it does not normalise what it gets, the normalisation of the sum goes with it.
    - Elsewhere the values pass in its place, which needs them to have the shape of its output.

    Attention to another sequence is left alone unless ``only.attention`` names it, and so is one whose weights of
    attention are used, or that has nothing of its shape that could pass.
    """

    name = "attention"
    label = "self-attention"
    description = "self-attention; without it the other half of a transformer block is left"
    absence = "no attention layer of a sequence to itself"
    stage = Stage.BLOCKS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The calls of attention layers."""
        found = ((node, _place(graph, node)) for node in _calls(graph))
        return tuple(Site((node.key,)) for node, place in found if not place.doubt)

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """Those that are no self-attention, or that cannot go."""
        found = ((node, _place(graph, node)) for node in _calls(graph))
        return {Site((node.key,)): place.doubt for node, place in found if place.doubt}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Takes the branch away, or lets the values pass."""
        places = {node: _place(graph, node) for node in nodes_at(graph, sites)}
        branches = dict.fromkeys(place.branch for place in places.values() if place.branch is not None)
        passed = {
            node.output: place.passes
            for node, place in places.items()
            if place.branch is None and place.passes is not None
        }
        return without_branches(graph, list(branches)).edited(tensors=passed)


@dataclass(frozen=True)
class _Place:
    """What can be done about a call of attention.

    Args:
        branch: The residual sum, and its trunk, of which it is all.
        passes: What may take the place of its output.
        doubt: Why it is left alone; empty if it is not.
    """

    branch: tuple[Node, Tensor] | None
    passes: Tensor | None
    doubt: str = ""


def _calls(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes.values() if is_attention(graph.layer(node))]


def _place(graph: Graph, node: Node) -> _Place:
    if any(one.node == node.key and one.position > 0 for user in graph.consumers(node) for one in user.inputs):
        return _Place(None, None, "its weights of attention are used too")
    query, value = _query_and_value(graph, node)
    branch = _branch_of(graph, node)
    passes = next((one for one in (value, query) if graph.shape(one) == node.shape), None)
    doubt = ""
    if branch is None and passes is None:
        doubt = "it stands in no residual branch of its own, and nothing that it reads has the shape of its output"
    elif _origin(graph, query) != _origin(graph, value):
        doubt = "its queries come from another sequence than its values"
    return _Place(branch, passes, doubt)


def _query_and_value(graph: Graph, node: Node) -> tuple[Tensor, Tensor]:
    """The first two of its inputs, in whatever structure they come: query and value."""
    if graph.layer(node).is_a("MultiHeadAttention", "GroupedQueryAttention"):
        named = [node.kwargs.get(key) for key in ("query", "value")]
        given = [*node.args, *(one for one in named if one is not None)]
        tensors = [one for one in given if isinstance(one, Tensor)]
    else:
        tensors = list(node.inputs)
    return tensors[0], tensors[1] if len(tensors) > 1 else tensors[0]


def _origin(graph: Graph, tensor: Tensor) -> Tensor:
    """The tensor that a projection was made of."""
    node = graph.nodes[tensor.node]
    while len(node.inputs) == 1 and mixes_channels(graph.layer(node)):
        tensor = node.inputs[0]
        node = graph.nodes[tensor.node]
    return tensor


def _branch_of(graph: Graph, node: Node) -> tuple[Node, Tensor] | None:
    """The residual sum, with its trunk, of which attention is all that is not a projection."""
    for total in graph.descendants(node):
        for trunk, branch in trunks_of(graph, total):
            if node in branch:
                # The sum next behind it decides: those further on go round more than this.
                return (total, trunk) if all(_belongs(graph, one) for one in _passed(graph, node, branch)) else None
    return None


def _passed(graph: Graph, attention: Node, branch: Sequence[Node]) -> list[Node]:
    """The nodes of a branch that its queries and its result pass; what only keys and values pass goes with them."""
    query, _ = _query_and_value(graph, attention)
    before = {query.node, *graph.ancestors(graph.nodes[query.node])}
    return [
        node for node in branch if node is attention or node.key in before or attention.key in graph.ancestors(node)
    ]


def _belongs(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if layer.inner is not None:
        return False
    return not layer.weighted or is_attention(layer) or is_normalization(layer) or _is_small(graph, node)


def _is_small(graph: Graph, node: Node) -> bool:
    """Whether it is a projection, or a layer scale."""
    from ablate.keras.scaling import scales  # needs Keras, unlike the declaration of the ingredient

    return mixes_channels(graph.layer(node)) or scales(graph, node)
