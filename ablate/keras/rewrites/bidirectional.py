"""Recurrent layers that read in both directions (Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, tensors_in
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at


class Bidirectional(Ingredient):
    """A recurrent layer in each direction; without it the one that reads forward is left.

    It keeps its units and its initial weights. So where the results of the two were concatenated, half the channels are
    left, and what follows is built for them; where they were added, averaged or multiplied, their number stays.

    Left alone are layers that give both results apart, or their last states as well, or that are given initial states.
    """

    name = "bidirectional"
    label = "the backward direction"
    description = "recurrent layers in both directions, or forward alone"
    absence = "no Bidirectional layer"
    stage = Stage.LAYERS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The first call of each such layer."""
        return sites_at(node for node in _calls(graph) if not _doubt(graph, node))

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """Those whose other outputs or inputs have no counterpart in one direction."""
        doubts = ((node, _doubt(graph, node)) for node in _calls(graph))
        return {Site((node.key,)): doubt for node, doubt in doubts if doubt}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the forward layer in the place of each."""
        nodes = [node for node in nodes_at(graph, sites) if not _doubt(graph, node)]
        return graph.edited(layers=[_forward(graph.layer(node)) for node in nodes])


def _calls(graph: Graph) -> list[Node]:
    return [node for node in graph.find("Bidirectional") if graph.calls(node.layer)[0] is node]


def _doubt(graph: Graph, node: Node) -> str:
    calls = graph.calls(node.layer)
    if graph.layer(node).config.get("merge_mode") is None:
        return "it gives the results of both directions apart"
    if any(len(call.shapes) > 1 for call in calls):
        return "it gives the last states of both directions"
    if any(_starts(call) for call in calls):
        return "it is given initial states for both directions"
    return ""


def _starts(call: Node) -> bool:
    """Whether a call is given states to start from, beside what it reads and which steps of that count."""
    others = {key: value for key, value in call.kwargs.items() if key not in ("mask", "sequences", "inputs")}
    return bool(tensors_in((call.args[1:], others)))


def _forward(layer: LayerSpec) -> LayerSpec:
    from keras import layers

    from ablate.keras.layer_config import layer_config

    written: Any = layer.config["layer"]
    one = layers.deserialize(written) if isinstance(written, Mapping) else written
    trainable = bool(one.trainable and layer.config.get("trainable", True))
    config = {**layer_config(one), "name": layer.name, "trainable": trainable}
    return LayerSpec(layer.name, type(one), config, weighted=True, wrapper=layer.wrapper)
