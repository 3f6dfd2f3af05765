"""Pooling between the blocks of a network."""

from __future__ import annotations

from collections.abc import Sequence

from keras import layers

from ablate.keras.graph import Graph, LayerSpec, Node
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site
from ablate.keras.kinds import POOLINGS

__all__ = ["Pooling"]

_MAXIMUM: tuple[type, ...] = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
_AVERAGE: tuple[type, ...] = (layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)
_PLAIN: tuple[type, ...] = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_GEOMETRY = ("strides", "padding", "data_format")


class Pooling(Ingredient):
    """Poolings of more than one place as built, or all of one kind.

    ``max`` and ``average`` keep window and stride. ``strided`` learns the weights of the window: a convolution without
    activation of the same size, stride and padding and with as many filters as channels (Springenberg et al. 2015,
    https://arxiv.org/abs/1412.6806). Global poolings and mere subsampling stay.
    """

    name = "pooling"
    description = "pooling: maximum, average or a strided convolution"
    absence = "no pooling of more than one place"
    levels = ("built", "max", "average", "strided")

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The poolings."""
        return tuple(
            Site((node.key,)) for node in graph.find(*POOLINGS) if max(graph.layer(node).config["pool_size"]) > 1
        )

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts a pooling of the kind, or a convolution, in the place of each."""
        return graph.edited(layers=[_turned(graph, graph.nodes[site.nodes[0]], level) for site in sites])


def _turned(graph: Graph, node: Node, level: Level) -> LayerSpec:
    layer = graph.layer(node)
    dimensions = len(layer.config["pool_size"]) - 1
    kept = {key: layer.config[key] for key in _GEOMETRY}
    if level == "strided":
        shape = graph.shape(node.inputs[0])
        channels = shape[1] if kept["data_format"] == "channels_first" else shape[-1]
        made = layer.turned_into(_PLAIN[dimensions], filters=channels, kernel_size=layer.config["pool_size"], **kept)
        return made.with_weights()
    kind = (_MAXIMUM if level == "max" else _AVERAGE)[dimensions]
    return layer if layer.is_a(kind) else layer.turned_into(kind, pool_size=layer.config["pool_size"], **kept)
