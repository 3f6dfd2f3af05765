"""Grouped convolutions (Krizhevsky et al. 2012; ResNeXt, Xie et al. 2017, https://arxiv.org/abs/1611.05431)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.keras.graph import Graph
from ablate.keras.graph_equality import same_layer
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import PLAIN_CONVOLUTIONS, is_concatenation
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage

_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")


class Groups(Ingredient):
    """A convolution within groups of channels; without it an ordinary convolution over all of them.

    The ordinary convolution has the same kernel, stride, padding, dilation, number of filters, initialiser and
    regulariser. Found are

    - a convolution with ``groups`` above 1;
    - the same written out: parts of the channels, an equal convolution of each, and their concatenation. What takes
      their place has the name of the first;
    - the same as a depthwise convolution whose outputs are added up within each group, as in TensorFlow's ResNeXt.

    Groups of one channel each are a depthwise convolution, which belongs to ``separable``. What exchanges channels
    between groups (the shuffle of ShuffleNet, https://arxiv.org/abs/1707.01083) stays: it is an order of channels.
    """

    name = "groups"
    label = "grouped convolutions"
    description = "convolutions within groups of channels, or over all of them"
    absence = "no convolution within groups of several channels"
    stage = Stage.LAYERS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The grouped convolutions: one node, or all that write one out, the last one first."""
        sites = []
        for node in graph.nodes.values():
            if _is_grouped(graph, node) and graph.calls(node.layer)[0] is node:
                sites.append(Site((node.key,)))
            elif (branches := _branches(graph, node)) is not None:
                sites.append(Site((node.key, *(branch.key for branch in branches))))
            elif chain := summed_within_groups(graph, node):
                sites.append(Site((node.key, *(one.key for one in chain))))
        return tuple(sites)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts one convolution over all channels in the place of each."""
        for site in sites:
            node, *others = (graph.nodes[key] for key in site.nodes)
            if is_concatenation(graph.layer(node)):
                graph = _merged(graph, node, others)
            elif others:
                graph = graph.edited(layers=[_over_all_channels(graph, node)], tensors={others[-1].output: node.output})
            else:
                graph = graph.edited(layers=[graph.layer(node).configured(groups=1)])
        return graph


def _is_grouped(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if not layer.is_a(*PLAIN_CONVOLUTIONS) or layer.config.get("groups", 1) == 1:
        return False
    return bool(layer.config["groups"] != _channels(graph, node.inputs[0], layer))


def _channels(graph: Graph, tensor: Tensor, layer: LayerSpec) -> int | None:
    return graph.shape(tensor)[1 if layer.config.get("data_format") == "channels_first" else -1]


def _branches(graph: Graph, node: Node) -> list[Node] | None:
    """The equal convolutions, each of its part of the channels of one tensor, that a node concatenates."""
    if not is_concatenation(graph.layer(node)) or len(set(node.inputs)) < 2:
        return None
    convolutions = [graph.nodes[tensor.node] for tensor in node.inputs]
    first = graph.layer(convolutions[0])
    places = sum(graph.shape(tensor)[-1] or 0 for tensor in node.inputs)
    if not first.is_a(*PLAIN_CONVOLUTIONS) or first.config["data_format"] == "channels_first":
        return None
    if node.shape[-1] != places or not all(_is_alone(graph, one) for one in convolutions):
        return None
    if not all(same_layer(first, graph.layer(one)) for one in convolutions):
        return None
    source = _source(graph, convolutions)
    return None if source is None else convolutions


def _is_alone(graph: Graph, node: Node) -> bool:
    return graph.sole_consumer(node) is not None and len(graph.calls(node.layer)) == 1


def _source(graph: Graph, convolutions: Sequence[Node]) -> Tensor | None:
    """The tensor of which each convolution takes the next part of the channels; None if there is none."""
    from ablate.keras.probes import selected_channels  # needs Keras, unlike the declaration of the ingredient

    source, begin = None, 0
    for convolution in convolutions:
        (part,) = convolution.inputs
        node = graph.nodes[part.node]
        if len(set(node.inputs)) != 1 or source not in (None, node.inputs[0]):
            return None
        source = node.inputs[0]
        selected = selected_channels(graph, node, part.position)
        if selected is None or selected[0] != begin:
            return None
        begin = selected[1]
    return source if source is not None and begin == graph.shape(source)[-1] else None


def _merged(graph: Graph, concatenation: Node, convolutions: Sequence[Node]) -> Graph:
    first = convolutions[0]
    source = _source(graph, convolutions)
    layer = graph.layer(first)
    if source is None:
        return graph
    whole = layer.configured(filters=layer.config["filters"] * len(convolutions))
    node = Node(first.key, first.layer, (source,), {}, concatenation.shapes)
    return graph.edited(layers=[whole], nodes=[node], tensors={concatenation.output: node.output})


def summed_within_groups(graph: Graph, node: Node) -> tuple[Node, ...]:
    """What adds up the outputs of a depthwise convolution within groups of channels, so that it is a grouped one.

    Args:
        graph: The graph.
        node: Any node of it.

    Returns:
        Three nodes: a division of the channels into groups, inputs and outputs, the sum over the inputs, and the union
        of the groups; none if the node is no depthwise convolution, or something else follows it.
    """
    layer = graph.layer(node)
    if not layer.is_a(*_DEPTHWISE) or layer.config["depth_multiplier"] == 1 or len(graph.calls(node.layer)) > 1:
        return ()
    chain = [node]
    while len(chain) < 4:
        after = graph.sole_consumer(chain[-1])
        if after is None or len(after.inputs) != 1 or graph.layer(after).weighted:
            return ()
        chain.append(after)
    _, divided, added, united = chain
    channels, size = _channels(graph, node.inputs[0], layer), layer.config["depth_multiplier"]
    places = node.shape[:-1]
    groups = (channels or 0) // size
    fits = (divided.shape, added.shape, united.shape) == (
        (*places, groups, size, size), (*places, groups, size), (*places, channels)
    )  # fmt: skip
    if not fits or layer.config["use_bias"] or layer.config.get("activation") not in (None, "linear"):
        return ()
    from ablate.keras.probes import sums_inputs_of_groups

    return (divided, added, united) if sums_inputs_of_groups(graph, added) else ()


def _over_all_channels(graph: Graph, node: Node) -> LayerSpec:
    config: Mapping[str, Any] = graph.layer(node).config
    shared = {key: config[key] for key in ("kernel_size", "strides", "padding", "data_format", "dilation_rate")}
    kernel = {f"kernel_{key}": config[f"depthwise_{key}"] for key in ("initializer", "regularizer", "constraint")}
    kind = PLAIN_CONVOLUTIONS[len(config["kernel_size"]) - 1]
    filters = _channels(graph, node.inputs[0], graph.layer(node))
    return graph.turned(node, kind, filters=filters, use_bias=False, **shared, **kernel)
