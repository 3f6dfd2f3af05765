"""Global pooling in front of the classifier (Lin et al. 2014, https://arxiv.org/abs/1312.4400)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keras import config, layers

from ablate.errors import NetworkError
from ablate.keras.graph import Graph, LayerSpec, Node, Shape
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site
from ablate.keras.kinds import CONVOLUTIONS, DENSE, pools_globally

__all__ = ["Head"]

_MAXIMUM = (layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D)


class Head(Ingredient):
    """The global pooling that feeds the classifier: ``gmp`` takes the maximum, ``flatten`` keeps all places of the map.

    Only the pooling that leads to a dense layer (or a 1x1 convolution) in front of the output counts, also where it
    closes a model nested in the network. One whose result goes back to a map, as in squeeze-and-excitation, stays. The
    layers behind it are built for their longer input.
    """

    name = "head"
    description = "global pooling in front of the classifier"
    absence = "no global pooling that feeds a dense layer"
    levels = ("gap", "gmp", "flatten")

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The global poolings that feed a classifier; of one in a nested model, the nested models before its key."""
        sites = [Site((node.key,)) for node in _poolings(graph) if _feeds_classifier(graph, node)]
        for layer in graph.layers.values():
            if layer.inner is not None and all(_feeds_classifier(graph, node) for node in graph.calls(layer.name)):
                sites += [Site((layer.name, *path)) for path in _closing(layer.inner)]
        return tuple(sites)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts another pooling, or a flattening, in the place of each."""
        for site in sites:
            graph = _replaced(graph, site.nodes, level)
        return graph


def _poolings(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes.values():
        if len(node.inputs) == 1 and pools_globally(graph.layer(node), graph.shape(node.inputs[0])):
            yield node


def _closing(graph: Graph) -> Iterator[tuple[str, ...]]:
    """Paths of the poolings whose channels a nested model hands out as they are."""
    for node in _poolings(graph):
        if _stays_a_vector(graph, node) and _reaches_output_unmixed(graph, node):
            yield (node.key,)
    for layer in graph.layers.values():
        if layer.inner is not None and all(
            _stays_a_vector(graph, node) and _reaches_output_unmixed(graph, node) for node in graph.calls(layer.name)
        ):
            yield from ((layer.name, *path) for path in _closing(layer.inner))


def _feeds_classifier(graph: Graph, node: Node) -> bool:
    used = bool(graph.consumers(node))
    return used and _stays_a_vector(graph, node) and not _reaches_output_unmixed(graph, node)


def _stays_a_vector(graph: Graph, node: Node) -> bool:
    """Whether what a node gives has no places, and never meets a map again."""
    after = graph.descendants(node)
    family = {node.key, *(other.key for other in after)}
    if any(_is_map(shape) for shape in node.shapes):
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
    stack, seen = [node], {node.key}
    while stack:
        current = stack.pop()
        if graph.is_output(current):
            return True
        for user in graph.consumers(current):
            if user.key not in seen and not _is_mixing(graph.layer(user)):
                seen.add(user.key)
                stack.append(user)
    return False


def _is_mixing(layer: LayerSpec) -> bool:
    if layer.inner is not None:
        return any(_is_mixing(inner) for inner in layer.inner.layers.values())
    return layer.is_a(*CONVOLUTIONS, *DENSE)


def _replaced(graph: Graph, path: Sequence[str], level: Level) -> Graph:
    if len(path) > 1:
        layer = graph.layers[path[0]]
        if layer.inner is None:
            return graph
        return graph.edited(layers=[layer.nested(_replaced(layer.inner, path[1:], level))])
    node = graph.nodes[path[0]]
    made = _maximum(graph, node) if level == "gmp" else _flatten(graph, node)
    return graph.edited(layers=[made], nodes=[node.called_with(node.inputs[0])])


def _arguments(graph: Graph, node: Node) -> dict[str, str]:
    layer = graph.layer(node)
    form = layer.config.get("data_format") or config.image_data_format()
    return {**({} if "dtype" in layer.config else graph.number_format(node.inputs[0])), "data_format": form}


def _maximum(graph: Graph, node: Node) -> LayerSpec:
    layer = graph.layer(node)
    if layer.kind in _MAXIMUM or layer.kind.__name__ == "Max":
        return layer
    keepdims = bool(layer.config.get("keepdims"))
    kind = _MAXIMUM[len(graph.shape(node.inputs[0])) - 3]
    return layer.turned_into(kind, keepdims=keepdims, **_arguments(graph, node))


def _flatten(graph: Graph, node: Node) -> LayerSpec:
    layer = graph.layer(node)
    shape = graph.shape(node.inputs[0])
    if None in shape[1:]:
        raise NetworkError(
            f"`head` cannot become flatten in model '{graph.name}': layer '{layer.name}' gets maps of no fixed size "
            f"{shape[1:]}. Build the model with a fixed input shape."
        )
    arguments = _arguments(graph, node)
    if not layer.config.get("keepdims"):
        return layer.turned_into(layers.Flatten, **arguments)
    places = (1,) * (len(shape) - 2)
    channels_first = arguments.pop("data_format") == "channels_first"
    target = (-1, *places) if channels_first else (*places, -1)
    return layer.turned_into(layers.Reshape, target_shape=target, **arguments)
