"""Global pooling in front of the classifier (Lin et al. 2014, https://arxiv.org/abs/1312.4400)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ablate.errors import NetworkError
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape
from ablate.keras.kinds import CONVOLUTIONS, DENSE, by_rank, pools_globally
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nested_sites, rewritten_at
from ablate.keras.rewrites.squeeze_excite import poolings_of_gates

_MAXIMUM = by_rank("GlobalMaxPooling", "AdaptiveMaxPooling")


class Head(Ingredient):
    """The global pooling that feeds the classifier: ``gmp`` takes the maximum, ``flatten`` keeps all places of the map.

    A pooling is global if its window is the whole map, whatever its class: an `AveragePooling2D` or a mean may be.
    Only the pooling that leads to a dense layer (or a 1x1 convolution) in front of the output counts, also where it
    closes a model nested in the network. One whose result goes back to a map or becomes a gate, as in
    squeeze-and-excitation and the two poolings of CBAM's channel attention, stays. The layers behind it are built for
    their longer input.
    """

    name = "head"
    label = "the head"
    description = "global pooling before the classifier as built, or gmp (the maximum), or flatten"
    absence = "no global pooling that feeds a dense layer"
    levels = ("gap", "gmp", "flatten")
    stage = Stage.HEAD

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The global poolings that feed a classifier; of one in a nested model, the nested models before its key."""
        return tuple(nested_sites(graph, _poolings, _feeds_classifier, _closes))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts another pooling, or a flattening, in the place of each."""
        return rewritten_at(graph, sites, lambda graph, nodes: _replaced(graph, nodes, level))

    def may_be_inside(self, graph: Graph, layer: str) -> bool:
        """Not in a layer whose output meets a map again, as the gates that it computes do."""
        return all(_stays_a_vector(graph, node) for node in graph.calls(layer))


def _poolings(graph: Graph) -> Iterator[Node]:
    of_gates = poolings_of_gates(graph)
    for node in graph.nodes.values():
        if (
            len(node.inputs) == 1
            and node.key not in of_gates
            and pools_globally(graph.layer(node), graph.shape(node.inputs[0]))
        ):
            yield node


def _closes(graph: Graph, node: Node) -> bool:
    """Whether the pooled channels themselves are an output of the nested model."""
    return _stays_a_vector(graph, node) and _reaches_output_unmixed(graph, node)


def _feeds_classifier(graph: Graph, node: Node) -> bool:
    return bool(graph.consumers(node)) and _stays_a_vector(graph, node) and not _reaches_output_unmixed(graph, node)


def _stays_a_vector(graph: Graph, node: Node) -> bool:
    """Whether what a node gives has no places, and never meets a map again."""
    after = graph.descendants(node)
    family = {node.key, *(other.key for other in after)}
    if any(_is_map(shape) for shape in node.shapes):
        return False
    # A wider convolution is one of a block, even where images are so small that its map has one place.
    if any(max(graph.layer(other).config.get("kernel_size") or [1]) > 1 for other in after):
        return False
    for other in after:
        outside = (tensor for tensor in other.inputs if tensor.node not in family)
        if any(_is_map(shape) for shape in other.shapes) or any(len(graph.shape(tensor)) > 2 for tensor in outside):
            return False
    return True


def _is_map(shape: Shape) -> bool:
    """Whether the tensor has places beside its channels."""
    return sum(size != 1 for size in shape[1:]) > 1


def _reaches_output_unmixed(graph: Graph, node: Node) -> bool:
    """Whether the pooled channels themselves, not weighted sums of them, are an output of the model."""
    unmixed = graph.reached(node, lambda user: not _is_mixing(graph.layer(user)))
    return any(graph.is_output(one) for one in unmixed)


def _is_mixing(layer: LayerSpec) -> bool:
    if layer.inner is not None:
        return any(_is_mixing(inner) for inner in layer.inner.layers.values())
    return layer.is_a(*CONVOLUTIONS, *DENSE)


def _replaced(graph: Graph, nodes: Sequence[Node], level: Level) -> Graph:
    turned = _maximum if level == "gmp" else _flatten
    reshaped = [] if level == "gmp" else [one for node in nodes for one in _reshaped_behind(graph, node)]
    return graph.edited(
        layers=[*(turned(graph, node) for node in nodes), *(_of_any_length(graph, one) for one in reshaped)],
        nodes=[node.called_with(node.inputs[0]) for node in (*nodes, *reshaped)],
    )


def _reshaped_behind(graph: Graph, node: Node) -> list[Node]:
    """The calls between a pooling and the classifier that reshape its channels, to a map of one place, say."""
    unmixed = graph.reached(node, lambda user: not _is_mixing(graph.layer(user)))
    return [
        one
        for one in unmixed
        if (graph.layer(one).is_a("Reshape") or graph.layer(one).is_operation("Reshape"))
        and sum(size != 1 for size in one.shape[1:]) == 1
    ]


def _of_any_length(graph: Graph, node: Node) -> LayerSpec:
    return graph.turned(node, "Reshape", target_shape=tuple(1 if size == 1 else -1 for size in node.shape[1:]))


def _data_format(layer: LayerSpec) -> str:
    from keras import config

    return layer.config.get("data_format") or config.image_data_format()


def _keeps_places(graph: Graph, node: Node) -> bool:
    """Whether its output is a map of one place."""
    return len(node.shape) == len(graph.shape(node.inputs[0]))


def _maximum(graph: Graph, node: Node) -> LayerSpec:
    layer = graph.layer(node)
    if layer.is_a(*_MAXIMUM) or layer.is_operation("Max"):
        return layer
    kind = _MAXIMUM[len(graph.shape(node.inputs[0])) - 3]
    return graph.turned(node, kind, keepdims=_keeps_places(graph, node), data_format=_data_format(layer))


def _flatten(graph: Graph, node: Node) -> LayerSpec:
    layer = graph.layer(node)
    shape = graph.shape(node.inputs[0])
    if None in shape[1:]:
        raise NetworkError(
            f"`head` cannot become flatten in model '{graph.name}': layer '{layer.name}' gets maps of no fixed size "
            f"{shape[1:]}. Build the model with a fixed input shape."
        )
    if not _keeps_places(graph, node):
        return graph.turned(node, "Flatten", data_format=_data_format(layer))
    places = (1,) * (len(shape) - 2)
    target = (-1, *places) if _data_format(layer) == "channels_first" else (*places, -1)
    return graph.turned(node, "Reshape", target_shape=target)
