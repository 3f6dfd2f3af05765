"""The kind of normalisation: over the batch, the channels, or groups of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.kinds import is_normalization
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.batch_norm import without_norms
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at

_KINDS = {"batch": "BatchNormalization", "layer": "LayerNormalization", "group": "GroupNormalization"}
_SHARED_ARGUMENTS = (
    "epsilon center scale beta_initializer gamma_initializer "
    "beta_regularizer gamma_regularizer beta_constraint gamma_constraint"
).split()


class Norm(Ingredient):
    """All normalisations as built, or all of one kind; ``none`` skips them as `BatchNorm` does.

    ``batch`` normalises each channel over the batch (Ioffe and Szegedy 2015), ``layer`` each place over its channels
    (Ba et al. 2016, https://arxiv.org/abs/1607.06450), ``group`` each image over groups of channels (Wu and He 2018,
    https://arxiv.org/abs/1803.08494) as `groups` says. Epsilon, scale and shift stay as they were. Normalisations
    by the root of the mean square or to unit length count too, and classes of the user that are called after one.
    Where ``layer`` or ``group`` would normalise a single number, as in front of a network for grey images, it is
    refused: nothing of the image would be left.
    """

    name = "norm"
    label = "the normalisation"
    description = "all normalisations as built, or of one kind: batch, layer, group, none"
    absence = "no normalisation layer"
    levels = ("built", "batch", "layer", "group", "none")
    stage = Stage.NORMALIZATIONS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The normalisations."""
        return sites_at(node for node in graph.nodes.values() if _normalizes(graph, node))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts a normalisation of the kind in the place of each."""
        nodes = nodes_at(graph, sites)
        if level == "none":
            return without_norms(graph, nodes)
        changed = [node for node in nodes if not graph.layer(node).is_a(_KINDS[str(level)])]
        alone = [node.key for node in changed if _numbers(graph, node, str(level)) == 1]
        if alone:
            raise NetworkError(
                f"norm={level} cannot take the place of {listing(alone, 6)} in model '{graph.name}': a normalisation "
                "of a single number makes it 0, whatever it was. Limit it to other layers: only.norm=..."
            )
        return graph.edited(
            layers=[_turned(graph, node, str(level)) for node in changed],
            nodes=[node.called_with(node.inputs[0]) for node in changed],
        )


def groups(channels: int) -> int:
    """The number of groups: the largest divisor of the channels up to 32 that leaves at least four channels a group.

    Args:
        channels: Number of channels.
    """
    divisors = (number for number in range(min(32, channels // 4), 1, -1) if channels % number == 0)
    return next(divisors, 1)


def _normalizes(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if not is_normalization(layer) or len(set(node.inputs)) != 1:
        return False
    # A class of the user without weights and in front of all weights prepares the data.
    return layer.is_of_keras() or layer.weighted or graph.is_behind_weights(node)


def _numbers(graph: Graph, node: Node, level: str) -> int | None:
    """How many numbers of one image a normalisation of a kind brings to mean 0; None if that is not known.

    Args:
        graph: The graph.
        node: The normalisation whose place it takes.
        level: The kind.
    """
    shape = graph.shape(node.inputs[0])
    channels = shape[_axis(graph.layer(node))]
    if level == "batch" or channels is None:
        return None
    if level == "layer":
        return channels
    places = math.prod(side or 2 for side in shape[1:]) // channels
    return channels // groups(channels) * places


def _axis(layer: LayerSpec) -> int:
    axis = layer.config.get("axis", -1)
    if isinstance(axis, list | tuple):
        axis = axis[0] if len(axis) == 1 else -1
    return int(axis)


def _turned(graph: Graph, node: Node, level: str) -> LayerSpec:
    layer = graph.layer(node)
    axis = _axis(layer)
    arguments: dict[str, Any] = {key: layer.config[key] for key in _SHARED_ARGUMENTS if key in layer.config}
    if level == "group":
        arguments["groups"] = groups(graph.shape(node.inputs[0])[axis] or 1)
    return graph.turned(node, _KINDS[level], weighted=True, axis=axis, **arguments)
