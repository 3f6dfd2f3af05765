"""Pooling between the blocks of a network."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.kinds import POOLINGS, pools_globally
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at

_GEOMETRY = ("strides", "padding", "data_format")


class Pooling(Ingredient):
    """Poolings of more than one place as built, or all of one kind.

    ``max`` and ``average`` keep window and stride. ``strided`` learns the weights of the window: a convolution without
    activation of the same size, stride and padding and with as many filters as channels (Springenberg et al. 2015,
    https://arxiv.org/abs/1412.6806). Poolings of the whole map and mere subsampling
    stay.
    """

    name = "pooling"
    label = "the pooling"
    description = "poolings as built, or all max, average, strided (a convolution)"
    absence = "no pooling of more than one place"
    levels = ("built", "max", "average", "strided")
    stage = Stage.LAYERS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The poolings."""
        return sites_at(node for node in graph.find(*POOLINGS) if _is_pooling(graph, node))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts a pooling of the kind, or a convolution, in the place of each."""
        return graph.edited(layers=[_turned(graph, node, level) for node in nodes_at(graph, sites)])


def _is_pooling(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    return max(layer.config["pool_size"]) > 1 and not pools_globally(layer, graph.shape(node.inputs[0]))


def _turned(graph: Graph, node: Node, level: Level) -> LayerSpec:
    layer = graph.layer(node)
    window = layer.config["pool_size"]
    rank = f"{len(window)}D"
    geometry = {key: layer.config[key] for key in _GEOMETRY}
    if level == "strided":
        shape = graph.shape(node.inputs[0])
        channels = shape[1] if geometry["data_format"] == "channels_first" else shape[-1]
        return graph.turned(node, f"Conv{rank}", weighted=True, filters=channels, kernel_size=window, **geometry)
    kind = f"MaxPooling{rank}" if level == "max" else f"AveragePooling{rank}"
    return layer if layer.is_a(kind) else graph.turned(node, kind, pool_size=window, **geometry)
