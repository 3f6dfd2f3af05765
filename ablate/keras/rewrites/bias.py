"""Convolutions and dense layers with or without a bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ablate.keras.graph import Graph
from ablate.keras.kinds import CONVOLUTIONS
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage


class Bias(Ingredient):
    """Convolutions and dense layers without a bias, as batch norm allows; ``true`` gives each of them one."""

    name = "bias"
    label = "biases"
    description = "a bias in the convolutions and dense layers beside batch norm"
    absence = "no convolution or dense layer without a bias"
    levels = (False, True)
    stage = Stage.BIASES
    requires: ClassVar[Mapping[str, tuple[Level, ...]]] = {
        "batch_norm": (True,)
    }  # else those beside it have one anyway

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The layers without a bias."""
        layers = [layer for layer in graph.layers.values() if layer.is_a(*CONVOLUTIONS, "Dense")]
        unbiased = [layer.name for layer in layers if layer.config["use_bias"] is False]
        return tuple(Site(tuple(node.key for node in graph.calls(name))) for name in unbiased)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Gives them a bias."""
        return graph.edited(layers=[graph.layer(site.nodes[0]).configured(use_bias=True) for site in sites])
