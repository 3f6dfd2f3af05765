"""Activation functions between the layers of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keras import layers

from ablate.keras.graph import Graph, LayerSpec, Node
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site
from ablate.keras.kinds import CONVOLUTIONS, DENSE, activation_name, is_activation, is_multiplication

__all__ = ["Activation"]


_BOUNDED = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "custom")


class Activation(Ingredient):
    """The activations within a network as built, or all of one kind; with ``linear`` there are none.

    Activations on their own and those fused into convolutions and dense layers count. Gates do not (an activation that
    reaches a product of two tensors without meeting weights, as at the end of squeeze-and-excitation, or in a swish
    written out as ``x * sigmoid(x)``), nor does what an output ends with, nor what is within recurrent or attention
    layers.
    """

    name = "activation"
    description = "activation functions within the network"
    absence = "no activation function but those of gates and outputs"
    levels = ("built", "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus")

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The activations; of what ends a nested model, but not the network, the nested models before its key."""
        sites = [Site((node.key,)) for node in graph.nodes.values() if _is_within(graph, node)]
        for layer in graph.layers.values():
            if layer.inner is not None and all(_ending(graph, node) is None for node in graph.calls(layer.name)):
                sites += [Site((layer.name, *path)) for path in _closing(layer.inner)]
        return tuple(sites)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the function in the place of each."""
        return _exchanged(graph, [site.nodes for site in sites], level)


def _exchanged(graph: Graph, paths: Sequence[Sequence[str]], level: Level) -> Graph:
    for name in dict.fromkeys(path[0] for path in paths if len(path) > 1):
        layer = graph.layers[name]
        if layer.inner is not None:
            inside = [path[1:] for path in paths if len(path) > 1 and path[0] == name]
            graph = graph.edited(layers=[layer.nested(_exchanged(layer.inner, inside, level))])
    found = [graph.nodes[path[0]] for path in paths if len(path) == 1]
    nodes = [node for node in found if activation_name(graph.layer(node)) != level]
    alone = [node for node in nodes if is_activation(graph.layer(node))]
    fused = [graph.layer(node).configured(activation=level) for node in nodes if node not in alone]
    if level == "linear":
        return graph.edited(layers=fused).without(alone)
    made = [
        graph.layer(node).turned_into(layers.Activation, activation=level, **_format(graph, node)) for node in alone
    ]
    return graph.edited(layers=[*fused, *made], nodes=[node.called_with(node.inputs[0]) for node in alone])


def _is_within(graph: Graph, node: Node) -> bool:
    return _activates(graph.layer(node)) and len(node.inputs) == 1 and _ending(graph, node) is None


def _closing(graph: Graph) -> Iterator[tuple[str, ...]]:
    """Paths of the activations that a nested model ends with."""
    for node in graph.nodes.values():
        if _activates(graph.layer(node)) and len(node.inputs) == 1 and _ending(graph, node) == "output":
            yield (node.key,)
    for layer in graph.layers.values():
        if layer.inner is not None and all(_ending(graph, node) == "output" for node in graph.calls(layer.name)):
            yield from ((layer.name, *path) for path in _closing(layer.inner))


def _activates(layer: LayerSpec) -> bool:
    return activation_name(layer) not in (None, "softmax", "log_softmax") and (
        is_activation(layer) or layer.is_a(*CONVOLUTIONS, *DENSE)
    )


def _format(graph: Graph, node: Node) -> dict[str, str]:
    return {} if "dtype" in graph.layer(node).config else graph.number_format(node.inputs[0])


def _ending(graph: Graph, node: Node) -> str | None:
    """What it meets without weights between: ``"output"``, the model's, or ``"gate"``, a map that it is a factor of."""
    stack, seen = [node], {node.key}
    while stack:
        current = stack.pop()
        if graph.is_output(current):
            return "output"
        for user in graph.consumers(current):
            if is_multiplication(graph.layer(user)) and len(user.inputs) == 2:
                # Where both have the same shape, the bounded one is the factor.
                if current.shape != user.shape or (
                    activation_name(graph.layer(node)) in _BOUNDED and _same(graph, user)
                ):
                    return "gate"
            elif user.key not in seen and not graph.layer(user).weighted and len(user.inputs) == 1:
                seen.add(user.key)
                stack.append(user)
    return None


def _same(graph: Graph, product: Node) -> bool:
    return all(graph.shape(tensor) == product.shape for tensor in product.inputs)
