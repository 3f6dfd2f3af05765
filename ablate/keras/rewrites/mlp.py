"""The feed-forward half of a transformer block (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import DENSE, activation_name, is_activation, is_multiplication, is_normalization, is_pointwise
from ablate.keras.rewrites.halves import trunks_of, without_branches
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at


class Mlp(Ingredient):
    """Two dense layers or more with an activation between, for each place by itself, around which a shortcut leads.

    Dense layers may be 1x1 convolutions; normalisation, dropout and factors of the branch belong to it. Without it the
    shortcut is left. If the branch does not normalise what it gets, the normalisation of the sum goes with it.

    A residual block of dense layers on vectors, which have no places, is left alone unless ``only.mlp`` names it.
    """

    name = "mlp"
    label = "the MLP of transformer blocks"
    description = "the feed-forward half of transformer blocks"
    absence = "no residual branch of dense layers that work on each place"
    stage = Stage.BLOCKS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The sums of such a branch and its shortcut."""
        return sites_at(node for node in _sums(graph) if len(node.shape) > 2)

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """Those of vectors."""
        vectors = sites_at(node for node in _sums(graph) if len(node.shape) == 2)
        return dict.fromkeys(vectors, "it works on vectors, which have no places")

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Lets the shortcut pass."""
        places = [(node, _trunk(graph, node)) for node in nodes_at(graph, sites)]
        return without_branches(graph, [(node, trunk) for node, trunk in places if trunk is not None])


def _sums(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes.values() if _trunk(graph, node) is not None]


def _trunk(graph: Graph, node: Node) -> Tensor | None:
    return next((trunk for trunk, branch in trunks_of(graph, node) if _is_mlp(graph, branch)), None)


def _is_mlp(graph: Graph, branch: Sequence[Node]) -> bool:
    from ablate.keras.scaling import scales  # needs Keras, unlike the declaration of the ingredient

    mixing: list[int] = []
    activations: list[int] = []
    for place, node in enumerate(branch):
        layer = graph.layer(node)
        if layer.inner is not None or not _works_on_each_place(graph, node):
            return False
        if layer.is_a(*DENSE) or is_pointwise(layer):
            mixing.append(place)
        elif layer.weighted and not (is_normalization(layer) or is_activation(layer) or scales(graph, node)):
            return False
        if activation_name(layer) is not None:
            activations.append(place)
    # A gate of the hidden layer (GLU) multiplies two tensors of one shape.
    return len(mixing) > 1 and any(mixing[0] <= place < mixing[-1] for place in activations)


def _works_on_each_place(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if len(set(node.inputs)) > 1:
        same = all(graph.shape(tensor) == node.shape for tensor in node.inputs)
        return same and is_multiplication(layer)
    moves = layer.is_a("Permute", "Reshape", "Flatten") or layer.is_operation(
        "Transpose", "Reshape", "Matmul", "Einsum"
    )
    return not moves and graph.shape(node.inputs[0])[:-1] == node.shape[:-1]
