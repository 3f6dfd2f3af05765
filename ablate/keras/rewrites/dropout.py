"""Dropout (Srivastava et al. 2014) and drop path (Huang et al. 2016, https://arxiv.org/abs/1603.09382)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ablate.keras.graph import Graph
from ablate.keras.kinds import by_rank
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at

_LAYERS = ("Dropout", *by_rank("SpatialDropout"), "AlphaDropout", "GaussianDropout")
_NAMES = re.compile(r"drop|stochastic_?depth", re.IGNORECASE)
_RATES = ("rate", "drop_rate", "drop_path_rate", "drop_prob")


class Dropout(Ingredient):
    """Layers that drop numbers, channels or whole branches while training; without it nothing is dropped.

    Besides the layers of Keras these are layers without weights and with one input whose class is called after it
    (``StochasticDepth``, ``DropPath``, ``DropBlock``), and layers that do other things too and have a rate of dropout
    among their arguments: attention, recurrent layers (also within `Bidirectional` and `RNN`), and layers of the user
    with an argument such as ``dropout`` or ``drop_rate``. A layer whose rate is 0 does not count.
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
            if (_drops(graph.layer(node)) and len(node.inputs) == 1) or _has_rates(graph.layer(node))
        )

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Skips the layers, and sets the rates within others to 0."""
        nodes = nodes_at(graph, sites)
        skipped = [node for node in nodes if _drops(graph.layer(node)) and len(node.inputs) == 1]
        others = [graph.layer(node) for node in nodes if node not in skipped]
        return graph.edited(layers=[one.configured(**_zeroed(one)) for one in others]).without(skipped)


def without_dropout(config: Mapping[str, Any], kind: str, sublayers: Sequence[Any] = ()) -> Mapping[str, Any]:
    """The arguments of a layer with all rates of dropout at 0, also those of layers among the arguments.

    A rate is a fraction whose key is called after dropout, or a bare ``rate`` of a class that is, or that has the same
    number as the ``rate`` of a layer that it holds.

    Args:
        config: The arguments as `get_config` returns them.
        kind: The name of its class.
        sublayers: The Keras layers that it holds.

    Returns:
        Arguments without dropout; the same object if there was none.
    """
    zeroed = _without_rates("", {"class_name": kind, "config": config})["config"]
    rate = zeroed.get("rate")
    if _is_rate(rate) and any(getattr(sublayer, "rate", None) == rate for sublayer in sublayers):
        return {**zeroed, "rate": 0.0}
    return zeroed


def _without_rates_in(config: Mapping[str, Any]) -> Mapping[str, Any]:
    changed = {key: new for key, value in config.items() if (new := _without_rates(key, value)) is not value}
    return {**config, **changed} if changed else config


def _without_rates(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        config = value.get("config")
        if isinstance(config, Mapping) and _NAMES.search(str(value.get("class_name"))) and _is_rate(config.get("rate")):
            value = {**value, "config": {**config, "rate": 0.0}}
        return _without_rates_in(value)
    if type(value) in (list, tuple):
        items = [_without_rates(key, one) for one in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else type(value)(items)
    return 0.0 if _NAMES.search(key) and _is_rate(value) else value


def _is_rate(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _drops(layer: LayerSpec) -> bool:
    if layer.weighted or layer.inner is not None:
        return False
    # By the name of the class as well: packages and papers bring layers of their own, which do not derive from one
    # of Keras.
    if not layer.is_a(*_LAYERS) and not (layer.is_a("Layer") and _NAMES.search(layer.kind.__name__)):
        return False
    rates = [layer.config[key] for key in _RATES if key in layer.config]
    return not rates or any(rates)


def _has_rates(layer: LayerSpec) -> bool:
    """Whether it does other things too, and drops."""
    if layer.inner is not None or not layer.is_a("Layer") or layer.is_a(*_LAYERS):
        return False
    return _zeroed(layer) is not layer.config


def _zeroed(layer: LayerSpec) -> Mapping[str, Any]:
    return without_dropout(layer.config, layer.kind.__name__, layer.sublayers)
