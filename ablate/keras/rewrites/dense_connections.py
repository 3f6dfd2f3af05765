"""Dense connections (Huang et al. 2017, https://arxiv.org/abs/1608.06993)."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import is_concatenation, is_position
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at
from ablate.keras.rewrites.skip import joined_in_decoder


class DenseConnections(Ingredient):
    """Earlier maps put beside the newest one; without it the newest map goes on alone.

    Found is a concatenation over the channels in which one tensor was computed, through layers with weights, from all
    the others and from nothing else. Branches side by side, as those of Inception, do not count, nor do the long
    connections of U-Net, which are `Skip`'s. The layers behind it are built for fewer channels.
    """

    name = "dense_connections"
    label = "dense connections"
    description = "earlier maps concatenated with the newest"
    absence = "no concatenation of a map with what was computed from it"
    stage = Stage.CONCATENATIONS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The concatenations."""
        return sites_at(node for node in graph.nodes.values() if _newest(graph, node) is not None)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the newest map in the place of each."""
        return graph.edited(
            tensors={node.output: newest for node in nodes_at(graph, sites) if (newest := _newest(graph, node))}
        )


def _newest(graph: Graph, node: Node) -> Tensor | None:
    if not is_concatenation(graph.layer(node)) or not 2 <= len(set(node.inputs)) == len(node.inputs):
        return None
    if joined_in_decoder(graph, node) is not None:
        return None
    channels = graph.layer(node).config.get("axis", -1)
    if len(node.shape) < 3 or channels % len(node.shape) == 0:
        return None
    for tensor in node.inputs:
        others = [other for other in node.inputs if other != tensor]
        if _computed_from(graph, tensor, others):
            return tensor
    return None


def _computed_from(graph: Graph, tensor: Tensor, sources: Sequence[Tensor]) -> bool:
    """Whether a tensor comes through weights from every one of the sources, and from nothing else."""
    # A part of the channels that is put beside what the other part became (CSPNet) would be lost.
    if any(source.node == tensor.node or not graph.depends_on(tensor, source) for source in sources):
        return False
    layers = map(graph.layer, graph.computed_between(tensor, {source.node for source in sources}) or ())
    return any(layer.weighted and not is_position(layer) for layer in layers)
