"""Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ablate.keras.graph import Graph, LayerSpec
from ablate.keras.graph_node import Node
from ablate.keras.kinds import CONVOLUTIONS
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at


class BatchNorm(Ingredient):
    """Batch normalisation; without it every batch norm is skipped and all convolutions have a bias.

    A batch norm brings a bias of its own, which is why the layer before it goes without. So when batch norm is gone,
    every convolution gets a bias, wherever it stands, and every dense layer that fed a batch norm. Where only some
    batch norms go, the convolutions next to them do.
    """

    name = "batch_norm"
    label = "batch normalisation"
    description = "batch normalisation; without it every convolution has a bias"
    absence = "no BatchNormalization layer"
    stage = Stage.NORMALIZATIONS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The batch norms."""
        return sites_at(graph.find("BatchNormalization"))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Skips the batch norms and gives the convolutions a bias."""
        return without_norms(graph, nodes_at(graph, sites), everywhere=len(sites) == len(self.find(graph)))


def without_norms(graph: Graph, norms: Sequence[Node], everywhere: bool) -> Graph:
    """The graph without some normalisations; layers that lost the bias these brought get one of their own.

    Args:
        graph: The graph.
        norms: The nodes to skip.
        everywhere: Whether all convolutions get a bias, or only those next to a skipped node.
    """
    fed = {node.layer for norm in norms for node in graph.producers(norm) if graph.layer(node).is_a("Dense")}
    near = {node.layer for norm in norms for node in _convolutions_at(graph, norm)}
    biased = [
        layer.configured(use_bias=True)
        for layer in graph.layers.values()
        if layer.config.get("use_bias") is False
        and (layer.name in fed or (layer.is_a(*CONVOLUTIONS) and (everywhere or layer.name in near)))
    ]
    return graph.edited(layers=biased).without(norms)


def _convolutions_at(graph: Graph, norm: Node) -> Iterator[Node]:
    """The convolution that a normalisation follows, or else those that it stands before."""
    before = [node for node in graph.producers(norm) if graph.layer(node).is_a(*CONVOLUTIONS)]
    yield from before or _next_convolutions(graph, graph.consumers(norm))


def _next_convolutions(graph: Graph, nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        layer: LayerSpec = graph.layer(node)
        if layer.is_a(*CONVOLUTIONS):
            yield node
        elif not layer.weighted and len(node.inputs) == 1:
            yield from _next_convolutions(graph, graph.consumers(node))
