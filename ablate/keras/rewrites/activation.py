"""Activation functions between the layers of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.kinds import CONVOLUTIONS, DENSE, activation_name, is_activation, is_multiplication
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nested_sites, rewritten_at

_BOUNDED = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "custom")


class Activation(Ingredient):
    """The activations within a network as built, or all of one kind; with ``linear`` there are none.

    Activations on their own and those fused into convolutions and dense layers count. Gates do not (an activation that
    reaches a product of two tensors without meeting weights, as at the end of squeeze-and-excitation, or in a swish
    written out as ``x * sigmoid(x)``), nor does what an output ends with, nor what is within recurrent or attention
    layers. A `Lambda` or a class of the user is an activation if it computes one function of each number.
    """

    name = "activation"
    label = "the activation"
    description = "activations within the network as built, or linear, relu, gelu, silu, ..."
    absence = "no activation function but those of gates and outputs"
    levels = ("built", "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus")
    removed = "linear"
    stage = Stage.ACTIVATIONS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The activations; of what ends a nested model, but not the network, the nested models before its key."""
        return tuple(nested_sites(graph, _activations, _is_within, _reaches_output))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the function in the place of each."""
        return rewritten_at(graph, sites, lambda graph, nodes: _exchanged(graph, nodes, level))


def _activations(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes.values():
        layer = graph.layer(node)
        # What a function of the user does in front of all weights prepares the data.
        of_keras = layer.is_of_keras() and layer.kind.__name__ != "Lambda"
        if len(node.inputs) == 1 and _activates(layer) and (of_keras or graph.is_behind_weights(node)):
            yield node


def _is_within(graph: Graph, node: Node) -> bool:
    return _ending(graph, node) is None


def _reaches_output(graph: Graph, node: Node) -> bool:
    return _ending(graph, node) == "output"


def _exchanged(graph: Graph, nodes: Sequence[Node], level: Level) -> Graph:
    others = [node for node in nodes if activation_name(graph.layer(node)) != level]
    alone = [node for node in others if is_activation(graph.layer(node))]
    fused = [graph.layer(node).configured(activation=level) for node in others if node not in alone]
    if level == "linear":
        return graph.edited(layers=fused).without(alone)
    replaced = [graph.turned(node, "Activation", weighted=False, activation=level) for node in alone]
    return graph.edited(layers=[*fused, *replaced], nodes=[node.called_with(node.inputs[0]) for node in alone])


def _activates(layer: LayerSpec) -> bool:
    return activation_name(layer) not in (None, "softmax", "log_softmax") and (
        is_activation(layer) or layer.is_a(*CONVOLUTIONS, *DENSE)
    )


def _ending(graph: Graph, node: Node) -> str | None:
    """What it meets without weights between: ``"output"``, the model's, or ``"gate"``, a map that it is a factor of."""
    for current in graph.reached(node, lambda user: not graph.layer(user).weighted and len(user.inputs) == 1):
        if graph.is_output(current):
            return "output"
        if any(_is_gate(graph, node, current, user) for user in graph.consumers(current)):
            return "gate"
    return None


def _is_gate(graph: Graph, activation: Node, factor: Node, product: Node) -> bool:
    """Whether a node multiplies a map by a factor that comes from an activation."""
    if not is_multiplication(graph.layer(product)) or len(product.inputs) != 2:
        return False
    # Where both have the same shape, the bounded one is the factor.
    same_shapes = all(graph.shape(tensor) == product.shape for tensor in product.inputs)
    bounded = activation_name(graph.layer(activation)) in _BOUNDED
    return factor.shape != product.shape or (bounded and same_shapes)
