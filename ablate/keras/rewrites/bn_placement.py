"""Batch normalisation before or after the activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ablate.keras.graph import Graph
from ablate.keras.kinds import is_activation, is_batch_norm
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage


class BatchNormPlacement(Ingredient):
    """A batch norm in front of its activation; ``after`` lets the two change places.

    ``convolution, batch norm, activation`` becomes ``convolution, activation, batch norm``. Where a block activates
    first (``batch norm, activation, convolution``) it becomes ``activation, batch norm, convolution``: the convolution
    then sees numbers that are normalised and no longer rectified. A batch norm whose output goes elsewhere than to one
    activation (into a sum, say, as at the end of a ResNet block) stays: it has nothing to change places with. One
    behind an activation, also one fused into a convolution, is after it already.
    """

    name = "bn_placement"
    label = "the place of batch normalisation"
    description = "batch norm before or after the activation"
    absence = "no batch norm directly in front of an activation"
    levels = ("before", "after")
    stage = Stage.ACTIVATIONS
    requires: ClassVar[Mapping[str, tuple[Level, ...]]] = {"batch_norm": (True,)}  # else there is nothing to place

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The batch norms with the activation behind each; in a row of both, each goes with the one next behind it."""
        sites = []
        taken: set[str] = set()
        for norm in graph.nodes.values():
            if not is_batch_norm(graph.layer(norm)):
                continue
            activation = graph.sole_consumer(norm)
            if activation is None or not is_activation(graph.layer(activation)) or len(activation.inputs) != 1:
                continue
            before = graph.producers(norm)[0]
            if before.key in taken or not is_activation(graph.layer(before)):
                taken.add(activation.key)
                sites.append(Site((norm.key, activation.key)))
        return tuple(sites)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Lets the two change places."""
        for site in sites:
            norm, activation = (graph.nodes[key] for key in site.nodes)
            graph = graph.swapped(norm, activation)
        return graph
