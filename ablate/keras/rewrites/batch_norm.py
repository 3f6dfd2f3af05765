"""Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.kinds import (
    CONVOLUTIONS,
    DENSE,
    by_rank,
    is_activation,
    is_batch_norm,
    is_last,
    is_linear,
    is_multiplication,
    is_normalization,
    keeps_structure,
    pools_globally,
)
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at


class BatchNorm(Ingredient):
    """Batch normalisation; without it every batch norm is skipped, and convolutions that did without a bias have one.

    A batch norm brings a bias of its own, which is why the layers beside it go without. When it is gone, a bias is
    given to convolutions and dense layers whose output it normalised (also through activation, pooling, sum,
    concatenation, or a linear layer), and to the convolutions of a block that normalises first: those that it fed, and
    those that read what it read, as a shortcut does, unless one that stays brings them a bias. Others have none, as
    before: gates, and the last layer.
    """

    name = "batch_norm"
    label = "batch normalisation"
    description = "batch normalisation; without it the convolutions beside it have a bias"
    absence = "no BatchNormalization layer"
    stage = Stage.NORMALIZATIONS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The batch norms."""
        return sites_at(node for node in graph.nodes.values() if is_batch_norm(graph.layer(node)))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Skips the batch norms and gives the convolutions a bias."""
        return without_norms(graph, nodes_at(graph, sites))


def without_norms(graph: Graph, norms: Sequence[Node]) -> Graph:
    """The graph without some normalisations; layers that lost the bias these brought get one of their own.

    Args:
        graph: The graph.
        norms: The nodes to skip.
    """
    gone = {norm.key for norm in norms}
    shifting = [norm for norm in norms if _shifts(graph.layer(norm))]
    staying = [node for node in graph.nodes.values() if node.key not in gone and is_normalization(graph.layer(node))]
    kept = {node.layer for norm in staying if _shifts(graph.layer(norm)) for node in _normalized(graph, norm)}
    near = {node.layer for norm in shifting for node in _normalized(graph, norm)}
    near |= {node.layer for norm in shifting for node in _beside(graph, norm)} - kept
    biased = [
        graph.layers[name].configured(use_bias=True)
        for name in graph.layers
        if name in near and graph.layers[name].config.get("use_bias") is False
    ]
    return graph.edited(layers=biased).without(norms)


def _shifts(layer: LayerSpec) -> bool:
    """Whether a normalisation brings a bias."""
    if layer.is_a("BatchNormalization", "LayerNormalization", "GroupNormalization") or is_batch_norm(layer):
        return bool(layer.config.get("center", True))
    return False


def _beside(graph: Graph, norm: Node) -> Iterator[Node]:
    """The convolutions that a normalisation feeds, and those that read what it reads."""
    siblings = [user for source in graph.producers(norm) for user in graph.consumers(source)]
    for node in [*siblings, *_fed(graph, norm)]:
        if graph.layer(node).is_a(*CONVOLUTIONS) and not is_last(graph, node):
            yield node


def _normalized(graph: Graph, norm: Node) -> Iterator[Node]:
    """The layers with weights whose output a normalisation gets, by itself or with others, also through linear ones."""
    stack, seen = [(node, False) for node in graph.producers(norm)], set[str]()
    while stack:
        node, behind_weights = stack.pop()
        layer = graph.layer(node)
        if node.key in seen:
            continue
        seen.add(node.key)
        if layer.is_a(*CONVOLUTIONS, *DENSE):
            if not behind_weights or is_linear(layer):
                yield node
                stack.extend((one, True) for one in graph.producers(node))
        elif not (layer.weighted or is_multiplication(layer) or _reduces(graph, node)) and (
            not behind_weights or keeps_structure(layer)
        ):
            stack.extend((one, behind_weights) for one in graph.producers(node))


def _fed(graph: Graph, norm: Node) -> Iterator[Node]:
    """What a normalisation feeds by itself, through layers that keep the channels apart."""
    for node in graph.consumers(norm):
        layer = graph.layer(node)
        yield node
        passes = is_activation(layer) or keeps_structure(layer) or layer.is_a("Dropout", *by_rank("SpatialDropout"))
        if len(node.inputs) == 1 and not layer.weighted and passes:
            yield from _fed(graph, node)


def _reduces(graph: Graph, node: Node) -> bool:
    """Whether its output has lost an axis or the places of its input, as that of a gate has."""
    shapes = [graph.shape(tensor) for tensor in node.inputs]
    return any(pools_globally(graph.layer(node), shape) or len(shape) > len(node.shape) for shape in shapes)
