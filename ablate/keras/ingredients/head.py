"""Global pooling in front of the classifier (Lin et al. 2014, https://arxiv.org/abs/1312.4400)."""

from __future__ import annotations

from collections.abc import Sequence

from keras import layers

from ablate.errors import NetworkError
from ablate.keras.graph import Graph, LayerSpec, Node, Shape
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site
from ablate.keras.kinds import CONVOLUTIONS, DENSE, GLOBAL_POOLINGS

__all__ = ["Head"]


class Head(Ingredient):
    """The global pooling that feeds the classifier; ``flatten`` keeps every place of the map instead.

    Only the pooling that leads to a dense layer (or a 1x1 convolution) in front of the output counts. One whose result
    goes back to a map, as in squeeze-and-excitation, stays. The layers behind it are built for their longer input.
    """

    name = "head"
    description = "global pooling in front of the classifier"
    absence = "no global pooling that feeds a dense layer"
    levels = ("gap", "flatten")

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The global poolings that feed a classifier."""
        return tuple(Site((node.key,)) for node in graph.find(*GLOBAL_POOLINGS) if _feeds_classifier(graph, node))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts a flattening in the place of each."""
        return graph.edited(layers=[_flatten(graph, graph.nodes[site.nodes[0]]) for site in sites])


def _feeds_classifier(graph: Graph, pooling: Node) -> bool:
    after = graph.descendants(pooling)
    family = {pooling.key, *(node.key for node in after)}
    for node in after:
        others = (tensor for tensor in node.inputs if tensor.node not in family)
        if any(_is_map(shape) for shape in node.shapes) or any(len(graph.shape(tensor)) > 2 for tensor in others):
            return False
    return bool(after) and not _reaches_output_unmixed(graph, pooling)


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


def _flatten(graph: Graph, node: Node) -> LayerSpec:
    layer = graph.layer(node)
    shape = graph.shape(node.inputs[0])
    if None in shape[1:]:
        raise NetworkError(
            f"`head` cannot become flatten in model '{graph.name}': layer '{layer.name}' gets maps of no fixed size "
            f"{shape[1:]}. Build the model with a fixed input shape."
        )
    if not layer.config.get("keepdims"):
        return layer.turned_into(layers.Flatten, data_format=layer.config["data_format"])
    places = (1,) * (len(shape) - 2)
    channels_first = layer.config["data_format"] == "channels_first"
    return layer.turned_into(layers.Reshape, target_shape=(-1, *places) if channels_first else (*places, -1))
