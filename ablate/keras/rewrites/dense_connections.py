"""Dense connections (Huang et al. 2017, https://arxiv.org/abs/1608.06993)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.formatting import listing
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import CONVOLUTIONS, DENSE, by_rank, is_concatenation, is_multiplication, is_position
from ablate.keras.rewrites.branches import comes_back, has_weights_between, takes_channels
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at
from ablate.keras.rewrites.skip import joined_in_decoder
from ablate.keras.rewrites.squeeze_excite import gated_maps

_OTHER_SOURCES = "its newest map is computed from something else as well"
_OWN_LAYERS = "its earlier map passes layers of its own first"
_CUTS = ("Dropout", "Identity", *by_rank("SpatialDropout", "Cropping", "ZeroPadding"))


class DenseConnections(Ingredient):
    """Earlier maps put beside the newest one; without it the newest map goes on alone.

    Found is a concatenation over the channels in which one tensor was computed, through layers with weights, from all
    the others and from nothing else. Branches side by side, as those of Inception, do not count, nor do the long
    connections of U-Net, which are `Skip`'s. The layers behind it are built for fewer channels.

    One whose newest map is computed from something else as well is left alone until that is gone.
    """

    name = "dense_connections"
    label = "dense connections"
    description = "earlier maps concatenated with the newest"
    absence = "no concatenation of a map with what was computed from it"
    stage = Stage.CONCATENATIONS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The concatenations."""
        return sites_at(node for node in graph.nodes.values() if (one := _connection(graph, node)) and not one.doubt)

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """Concatenations with changed maps of an encoder, or of maps that come from others too; the reasons."""
        connections = ((node, _connection(graph, node)) for node in graph.nodes.values())
        return {Site((node.key,)): one.doubt for node, one in connections if one is not None and one.doubt}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the newest map in the place of each, but for maps that come from others as long as these are there."""
        connections = [(node, _connection(graph, node)) for node in nodes_at(graph, sites)]
        return graph.edited(
            tensors={node.output: one.newest for node, one in connections if one and one.doubt != _OTHER_SOURCES}
        )

    def misfit(self, graph: Graph, level: Level) -> str:
        """Why gates behind the concatenations, which are built for their channels, forbid it."""
        sites = {site.nodes[0] for site in self.find(graph)}
        gates = [product.key for product, gated in gated_maps(graph) if _channels_from(graph, gated) in sites]
        if not gates:
            return ""
        return (
            f"`dense_connections` cannot be removed from model '{graph.name}': squeeze-and-excitation "
            f"({listing(gates, 6)}) is built for as many channels as the concatenations have. Remove it as well "
            "(squeeze_excite=false)."
        )


@dataclass(frozen=True)
class _DenseConnection:
    """A concatenation of earlier maps and the newest.

    Args:
        newest: The map that was computed from the others.
        doubt: Why it is no dense connection after all, although it looks like one; empty if it is.
    """

    newest: Tensor
    doubt: str = ""


def _connection(graph: Graph, node: Node) -> _DenseConnection | None:
    if not is_concatenation(graph.layer(node)) or not 2 <= len(set(node.inputs)) == len(node.inputs):
        return None
    if joined_in_decoder(graph, node) is not None:
        return None
    channels = graph.layer(node).config.get("axis", -1)
    if len(node.shape) < 3 or channels % len(node.shape) == 0:
        return None
    for tensor in node.inputs:
        others = [_uncut(graph, other) for other in node.inputs if other != tensor]
        if _computed_from(graph, tensor, others):
            return _DenseConnection(tensor)
    for tensor in node.inputs:
        doubts = [_doubt(graph, tensor, other) for other in node.inputs if other != tensor]
        # Of many, those that pass layers of their own are branches side by side, such as those of pyramid pooling.
        if all(doubt is not None for doubt in doubts) and (len(doubts) == 1 or _OWN_LAYERS not in doubts):
            return _DenseConnection(tensor, next(filter(None, doubts), _OTHER_SOURCES))
    return None


def _channels_from(graph: Graph, tensor: Tensor) -> str:
    """The key of the node that decides how many channels a tensor has."""
    node = graph.nodes[tensor.node]
    while len(node.inputs) == 1 and not graph.layer(node).is_a(*CONVOLUTIONS, *DENSE):
        node = graph.nodes[node.inputs[0].node]
    return node.key


def _uncut(graph: Graph, tensor: Tensor) -> Tensor:
    """What a tensor was before it was cut or padded to the size of another, or dropout met it."""
    node = graph.nodes[tensor.node]
    while len(node.inputs) == 1 and graph.layer(node).is_a(*_CUTS):
        tensor = node.inputs[0]
        node = graph.nodes[tensor.node]
    return tensor


def _computed_from(graph: Graph, tensor: Tensor, sources: Sequence[Tensor]) -> bool:
    """Whether a tensor comes through weights from every one of the sources, and from nothing else."""
    # A part of the channels that is put beside what the other part became (CSPNet) would be lost.
    if any(source.node == tensor.node or not graph.depends_on(tensor, source) for source in sources):
        return False
    layers = map(graph.layer, graph.computed_between(tensor, {source.node for source in sources}) or ())
    return any(layer.weighted and not is_position(layer) for layer in layers)


def _doubt(graph: Graph, newest: Tensor, other: Tensor) -> str | None:
    """How an earlier map is changed before it is put beside the newest.

    Returns:
        The reason to leave it alone; empty if it is the map as it was; None if the newest map was not computed from it,
        or does not come back to the resolution of one that was changed, as that of a decoder does.
    """
    gated = weighted = False
    while not graph.depends_on(newest, other):
        node = graph.nodes[other.node]
        if is_multiplication(graph.layer(node)):
            # The gate may be repeated for all channels, and then only the way to the newest map tells which is which.
            maps = [one for one in dict.fromkeys(node.inputs) if graph.shape(one) == node.shape]
            maps = [one for one in maps if graph.depends_on(newest, one)] or maps[:1]
            gated = True
        else:
            maps = list(node.inputs) if len(node.inputs) == 1 and not takes_channels(graph, node) else []
            weighted = weighted or graph.layer(node).weighted
        if not maps:
            return None
        other = maps[0]
    if not has_weights_between(graph, other, newest):
        return None
    if not (gated or weighted):
        return ""
    if not comes_back(graph, other, newest):
        return None
    return "its earlier map passes a gate first, as in attention U-Nets" if gated else _OWN_LAYERS
