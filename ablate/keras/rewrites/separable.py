"""Depthwise separable convolutions (Chollet 2017, https://arxiv.org/abs/1610.02357)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.kinds import is_linear, is_pointwise
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.groups import summed_within_groups
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage

_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
_PLAIN = ("Conv1D", "Conv2D")
_GEOMETRY = ("kernel_size", "strides", "padding", "data_format", "dilation_rate")
_OUTPUT = ("activation", "use_bias", "bias_initializer", "bias_regularizer", "bias_constraint", "activity_regularizer")


class Separable(Ingredient):
    """A convolution of each channel by itself; without it a plain convolution over all channels.

    The plain convolution has the kernel, stride, padding, dilation and number of filters of what it replaces. Found are

    - ``SeparableConv``;
    - ``DepthwiseConv`` and the 1x1 convolution that directly follows it: together one convolution, under the name of
      the latter;
    - ``DepthwiseConv`` alone, where normalisation or activation stands behind it, as in MobileNet; also written as a
      convolution with as many groups as channels, as in ConvNeXt.

    Groups of several channels belong to ``groups``.

    Initialiser, regulariser and constraint of the kernel are those of the pointwise part, or of the depthwise part
    where there is no other.
    """

    name = "separable"
    label = "depthwise separable convolutions"
    description = "depthwise separable convolutions, or plain ones"
    absence = "no separable or depthwise convolution"
    stage = Stage.LAYERS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The separable and depthwise convolutions, with the pointwise one that belongs to it."""
        sites = []
        for node in graph.nodes.values():
            layer = graph.layer(node)
            if layer.is_a(*_SEPARABLE) or (_is_depthwise(graph, node) and graph.calls(layer.name)[0] is node):
                pointwise = _pointwise_after(graph, node) if layer.is_a(*_DEPTHWISE) else None
                sites.append(Site((node.key, pointwise.key) if pointwise else (node.key,)))
        return tuple(sites)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts one plain convolution in the place of each."""
        for site in sites:
            node = graph.nodes[site.nodes[0]]
            if len(site.nodes) == 2:
                geometry = {key: graph.layer(node).config[key] for key in _GEOMETRY}
                pointwise = graph.layer(site.nodes[1])
                graph = graph.edited(layers=[pointwise.configured(**geometry)]).without([node])
            else:
                graph = graph.edited(layers=[_plain(graph, node)])
        return graph


def _is_depthwise(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if layer.is_a(*_DEPTHWISE):
        return not summed_within_groups(graph, node)
    return layer.is_a(*_PLAIN) and 1 < layer.config["groups"] == _channels(graph, node)


def _channels(graph: Graph, node: Node) -> int | None:
    shape = graph.shape(node.inputs[0])
    return shape[1 if graph.layer(node).config["data_format"] == "channels_first" else -1]


def _pointwise_after(graph: Graph, node: Node) -> Node | None:
    """The 1x1 convolution that a depthwise one can be merged with."""
    after = graph.sole_consumer(node)
    if after is None or not is_linear(graph.layer(node)) or not is_pointwise(graph.layer(after)):
        return None
    unshared = len(graph.calls(node.layer)) == len(graph.calls(after.layer)) == 1
    return after if unshared and all(stride == 1 for stride in graph.layer(after).config["strides"]) else None


def _plain(graph: Graph, node: Node) -> LayerSpec:
    layer = graph.layer(node)
    config = layer.config
    if layer.is_a(*_PLAIN):
        return layer.configured(groups=1)
    if layer.is_a(*_SEPARABLE):
        filters = config["filters"]
    else:
        filters = (_channels(graph, node) or 0) * config["depth_multiplier"]
    shared = {key: config[key] for key in (*_GEOMETRY, *_OUTPUT) if key in config}
    return graph.turned(node, _PLAIN[len(config["kernel_size"]) - 1], filters=filters, **shared, **_kernel(config))


def _kernel(config: Mapping[str, Any]) -> dict[str, Any]:
    """Initialiser, regulariser and constraint of the one kernel that takes the place of two."""
    kernel = {}
    for argument in ("initializer", "regularizer", "constraint"):
        pointwise = config.get(f"pointwise_{argument}")
        kernel[f"kernel_{argument}"] = config.get(f"depthwise_{argument}") if pointwise is None else pointwise
    return kernel
