"""Dropout (Srivastava et al. 2014) and drop path (Huang et al. 2016, https://arxiv.org/abs/1603.09382)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ablate.keras.graph import Graph, LayerSpec
from ablate.keras.kinds import by_rank
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at

_LAYERS = ("Dropout", *by_rank("SpatialDropout"), "AlphaDropout", "GaussianDropout")
_NAMES = re.compile(r"drop|stochasticdepth", re.IGNORECASE)
_RATES = ("dropout", "recurrent_dropout")


class Dropout(Ingredient):
    """Layers that drop numbers, channels or whole branches while training; without it nothing is dropped.

    Besides the layers of Keras these are layers without weights and with one input whose class is called after it
    (``StochasticDepth``, ``DropPath``, ``DropBlock``), and the ``dropout`` of attention and recurrent layers. A layer
    whose rate is 0 does not count.
    """

    name = "dropout"
    description = "dropout and drop path; their rates belong to the network"
    absence = "no layer that drops anything"
    stage = Stage.DROPOUT

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The calls of layers that drop."""
        return sites_at(
            node
            for node in graph.nodes.values()
            if _inside(graph.layer(node)) or (_drops(graph.layer(node)) and len(node.inputs) == 1)
        )

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Skips the layers, and sets the rates within others to 0."""
        nodes = nodes_at(graph, sites)
        rates = [graph.layer(node).configured(**_inside(graph.layer(node))) for node in nodes]
        skipped = [node for node in nodes if not _inside(graph.layer(node))]
        return graph.edited(layers=rates).without(skipped)


def _drops(layer: LayerSpec) -> bool:
    if layer.weighted or layer.inner is not None:
        return False
    # By the name of the class as well: packages and papers bring layers of their own, which do not derive from one
    # of Keras.
    if not layer.is_a(*_LAYERS) and not (layer.is_a("Layer") and _NAMES.search(layer.kind.__name__)):
        return False
    rates = [layer.config[key] for key in ("rate", "drop_rate", "drop_path_rate", "drop_prob") if key in layer.config]
    return not rates or any(rates)


def _inside(layer: LayerSpec) -> Mapping[str, Any]:
    """The rates of dropout within a layer that does other things too, set to 0."""
    if not layer.weighted or layer.inner is not None or not layer.is_of_keras():
        return {}
    return {key: 0.0 for key in _RATES if layer.config.get(key)}
