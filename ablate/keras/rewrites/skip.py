"""Skip connections from an encoder to its decoder (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape, Tensor
from ablate.keras.kinds import (
    CONVOLUTIONS,
    by_rank,
    enlarges,
    is_addition,
    is_concatenation,
    is_multiplication,
    is_normalization,
    is_pointwise,
)
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at

_RESIZING = (*by_rank("Cropping", "ZeroPadding"), "CenterCrop", "Identity")


class Skip(Ingredient):
    """Maps of an encoder put beside those of its decoder, or added to them; without it the decoder's go on alone.

    Found is a concatenation of channels, or a sum, of a map that was made smaller and then larger again, with maps of
    that resolution from before: directly, cropped, through one layer with weights (FPN,
    https://arxiv.org/abs/1612.03144), or gated (https://arxiv.org/abs/1804.03999). The layers behind a concatenation
    are built for fewer channels.

    Left alone unless ``only.skip`` names them are those with several layers with weights in between, as where branches
    of several resolutions go side by side.
    """

    name = "skip"
    label = "skip connections to the decoder"
    description = "maps of the encoder concatenated with, or added to, those of the decoder"
    absence = "no decoder that gets maps of its encoder"
    stage = Stage.CONCATENATIONS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The concatenations and sums."""
        found = ((node, joined_in_decoder(graph, node)) for node in graph.nodes.values())
        return tuple(Site((node.key,)) for node, join in found if join is not None and not join.doubt)

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """Those with several layers in between."""
        found = ((node, joined_in_decoder(graph, node)) for node in graph.nodes.values())
        return {Site((node.key,)): join.doubt for node, join in found if join is not None and join.doubt}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Lets the decoder's map pass."""
        joins = ((node, joined_in_decoder(graph, node)) for node in nodes_at(graph, sites))
        return graph.edited(tensors={node.output: join.decoded for node, join in joins if join is not None})


@dataclass(frozen=True)
class DecoderJoin:
    """Where maps of an encoder join one of its decoder.

    Args:
        decoded: The decoder's map.
        doubt: Why it may be none; empty if it is one.
    """

    decoded: Tensor
    doubt: str = ""


def joined_in_decoder(graph: Graph, node: Node) -> DecoderJoin | None:
    """What a concatenation or sum joins, if it is a map of a decoder with maps of its encoder.

    Args:
        graph: The graph.
        node: Any node of it.
    """
    layer = graph.layer(node)
    if len(node.shape) < 3 or not 2 <= len(set(node.inputs)) == len(node.inputs):
        return None
    if is_concatenation(layer):
        if not _joins_channels(graph, node):
            return None
    elif not is_addition(layer) or any(graph.shape(tensor) != node.shape for tensor in node.inputs):
        return None
    if _computes_gate(graph, node) or not any(enlarges(graph, graph.nodes[key]) for key in graph.ancestors(node)):
        return None
    candidates = []
    for tensor in node.inputs:
        depths = [_layers_between(graph, other, tensor) for other in node.inputs if other != tensor]
        if None not in depths:
            candidates.append((tensor, max(depth or 0 for depth in depths)))
    if len(candidates) != 1:
        return None
    tensor, depth = candidates[0]
    return DecoderJoin(tensor, "several layers with weights stand between the two" if depth > 1 else "")


def _joins_channels(graph: Graph, node: Node) -> bool:
    axis = graph.layer(node).config.get("axis", -1) % len(node.shape)
    others = [[size for place, size in enumerate(graph.shape(tensor)) if place != axis] for tensor in node.inputs]
    return axis in (1, len(node.shape) - 1) and all(one == others[0] for one in others)


def _layers_between(graph: Graph, early: Tensor, decoded: Tensor) -> int | None:
    """How many layers with weights lead from the map at which encoder and decoder part to what the encoder hands over.

    Args:
        graph: The graph.
        early: What may come from the encoder.
        decoded: What may come from the decoder.

    Returns:
        The least number, normalisations aside; None if there is no such map.
    """
    least: dict[Tensor, int] = {early: 0}
    stack = [early]
    numbers = []
    while stack:
        tensor = stack.pop()
        if _comes_back(graph, tensor, decoded):
            numbers.append(least[tensor])
            continue
        node = graph.nodes[tensor.node]
        layer = graph.layer(node)
        if enlarges(graph, node):
            continue
        depth = least[tensor] + (layer.weighted and not is_normalization(layer))
        for one in node.inputs:
            passes = layer.is_a(*_RESIZING) or layer.is_operation("GetItem", "Pad") or _same_places(graph, one, tensor)
            if passes and least.get(one, depth + 1) > depth:
                least[one] = depth
                stack.append(one)
    return min(numbers, default=None)


def _same_places(graph: Graph, one: Tensor, other: Tensor) -> bool:
    return graph.shape(one)[1:-1] == graph.shape(other)[1:-1]


def _comes_back(graph: Graph, fork: Tensor, decoded: Tensor) -> bool:
    """Whether a map was computed from another one through a convolution of a smaller map, and enlarged to its size."""
    if fork == decoded or not graph.depends_on(decoded, fork):
        return False
    keys = (decoded.node, *graph.ancestors(graph.nodes[decoded.node]))
    between = [graph.nodes[key] for key in keys if fork.node in graph.ancestors(graph.nodes[key])]
    enlarging = [node for node in between if enlarges(graph, node)]
    if not enlarging:
        return False
    before, after = _size(graph.shape(fork)), _size(graph.shape(decoded))
    if before is not None and after is not None and after > before:
        return False
    # Context that is pooled to one place, and spread again, comes through 1x1 convolutions alone.
    inner = {key for node in enlarging for key in graph.ancestors(node)}
    return any(_convolves_smaller(graph, node, after) for node in between if node.key in inner)


def _convolves_smaller(graph: Graph, node: Node, size: int | None) -> bool:
    """Whether it is a convolution, wider than 1x1, whose map is smaller than others."""
    layer = graph.layer(node)
    own = _size(node.shape)
    smaller = own is None or size is None or own < size
    return smaller and layer.is_a(*CONVOLUTIONS) and not is_pointwise(layer)


def _computes_gate(graph: Graph, node: Node) -> bool:
    """Whether all that a sum does, through layers in a row, is to multiply a map, as in attention U-Nets."""
    current = graph.sole_consumer(node)
    while current is not None and len(set(current.inputs)) == 1:
        current = graph.sole_consumer(current)
    return current is not None and is_multiplication(graph.layer(current))


def _size(shape: Shape) -> int | None:
    sides = [side for side in shape[1:-1] if side is not None]
    return math.prod(sides) if len(sides) == len(shape) - 2 else None
