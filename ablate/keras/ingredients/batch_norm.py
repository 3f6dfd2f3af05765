"""Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167)."""

from __future__ import annotations

from collections.abc import Sequence

from keras import layers

from ablate.keras.graph import Graph
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site
from ablate.keras.kinds import CONVOLUTIONS

__all__ = ["BatchNorm"]


class BatchNorm(Ingredient):
    """Batch normalisation; without it every batch norm is skipped and all convolutions have a bias.

    A batch norm brings a bias of its own, which is why the layer before it goes without. So when batch norm is gone,
    every convolution gets a bias, wherever it stands, and every dense layer that fed a batch norm.
    """

    name = "batch_norm"
    description = "batch normalisation"
    absence = "no BatchNormalization layer"

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The batch norms."""
        return tuple(Site((node.key,)) for node in graph.find(layers.BatchNormalization))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Skips the batch norms and gives the convolutions a bias."""
        norms = [graph.nodes[site.nodes[0]] for site in sites]
        fed = {node.layer for norm in norms for node in graph.producers(norm) if graph.layer(node).is_a(layers.Dense)}
        biased = [
            layer.configured(use_bias=True)
            for layer in graph.layers.values()
            if (layer.is_a(*CONVOLUTIONS) or layer.name in fed) and layer.config.get("use_bias") is False
        ]
        return graph.edited(layers=biased).without(norms)
