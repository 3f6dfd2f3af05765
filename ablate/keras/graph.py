"""A functional model as a plain value that can be read and edited.

Keras keeps a functional model as objects that know each other. `Graph` is the same network as data: *nodes* (one for
each call) refer to *layers* by name and to each other's outputs by `Tensor`. `graph_of` reads a model, an edit returns
a new graph, and `model_of` builds the network once, at the end. Layer names never change on the way, because initial
weights are drawn by layer name: a layer that an edit does not touch starts from the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from keras.layers import InputLayer

from ablate.keras.graph_node import LayerSpec, Node, Shape, Tensor, substituted, tensors_in

__all__ = ["Graph", "LayerSpec", "Node", "Shape", "Tensor", "substituted", "tensors_in"]


@dataclass(frozen=True, eq=False)
class Graph:
    """A functional model as data.

    Nodes that no output needs fall away, and nodes stand in an order in which they can be computed.

    Args:
        name: Name of the model.
        kind: Its class.
        nodes: Its calls by key.
        layers: Its layers by name.
        inputs: Its input tensors, in the structure in which the model takes them.
        outputs: Its output tensors, in the structure in which the model returns them.
        trainable: Whether its weights are trained.
    """

    name: str
    kind: type
    nodes: Mapping[str, Node]
    layers: Mapping[str, LayerSpec]
    inputs: Any
    outputs: Any
    trainable: bool = True

    def __post_init__(self) -> None:
        roots = [tensor.node for tensor in (*tensors_in(self.inputs), *tensors_in(self.outputs))]
        nodes = {key: self.nodes[key] for key in _ordered(roots, self.nodes)}
        object.__setattr__(self, "nodes", nodes)
        used = {node.layer for node in nodes.values()}
        object.__setattr__(self, "layers", {name: self.layers[name] for name in self.layers if name in used})

    def layer(self, node: Node | str) -> LayerSpec:
        """The layer that a node calls."""
        return self.layers[(node if isinstance(node, Node) else self.nodes[node]).layer]

    def shape(self, tensor: Tensor) -> Shape:
        """The shape of a tensor in the model as it was read."""
        return self.nodes[tensor.node].shapes[tensor.position]

    def find(self, *kinds: type) -> Iterator[Node]:
        """The nodes whose layer is of one of the classes, in order."""
        return (node for node in self.nodes.values() if self.layer(node).is_a(*kinds))

    def calls(self, layer: str) -> tuple[Node, ...]:
        """The nodes that call a layer; several if it is shared."""
        return self._calls[layer]

    def consumers(self, node: Node) -> tuple[Node, ...]:
        """The nodes that use an output of a node."""
        return self._consumers[node.key]

    def producers(self, node: Node) -> tuple[Node, ...]:
        """The nodes whose outputs a node uses."""
        return tuple(self.nodes[tensor.node] for tensor in node.inputs)

    def sole_consumer(self, node: Node) -> Node | None:
        """The only node that uses a node's output; None if there are several, or if it is an output of the model."""
        users = self.consumers(node)
        return users[0] if len(users) == 1 and node.key not in self._output_keys else None

    def ancestors(self, node: Node) -> frozenset[str]:
        """Keys of all nodes that a node depends on."""
        return self._ancestors[node.key]

    def descendants(self, node: Node) -> tuple[Node, ...]:
        """All nodes that depend on a node, in order."""
        return tuple(other for other in self.nodes.values() if node.key in self._ancestors[other.key])

    def is_output(self, node: Node) -> bool:
        """Whether an output of the node is an output of the model."""
        return node.key in self._output_keys

    def edited(
        self,
        *,
        layers: Iterable[LayerSpec] = (),
        nodes: Iterable[Node] = (),
        tensors: Mapping[Tensor, Tensor] | None = None,
    ) -> Graph:
        """The graph with layers replaced or added by name, nodes by key, and tensors exchanged.

        Args:
            layers: Layers to put in the place of those of the same name.
            nodes: Nodes to put in the place of those of the same key, exactly as given.
            tensors: For a tensor the one that its consumers shall use instead; chains are followed. It does not
                apply to the nodes given in the same call.
        """
        fresh = {node.key: node for node in nodes}
        exchange = _resolved(tensors or {})
        kept = {key: node.rewired(exchange) for key, node in self.nodes.items() if key not in fresh}
        return replace(
            self,
            nodes={**kept, **fresh},
            layers={**self.layers, **{layer.name: layer for layer in layers}},
            outputs=substituted(self.outputs, exchange),
        )

    def without(self, nodes: Iterable[Node]) -> Graph:
        """The graph without some nodes of one input each; the input passes through."""
        return self.edited(tensors={node.output: node.inputs[0] for node in nodes})

    def swapped(self, first: Node, second: Node) -> Graph:
        """The graph with two nodes in a row in the opposite order.

        Args:
            first: A node with one input.
            second: The only consumer of `first`, with one input.
        """
        return self.edited(
            nodes=[
                second.rewired({first.output: first.inputs[0]}),
                first.rewired({first.inputs[0]: second.output}),
            ],
            tensors={second.output: first.output},
        )

    def inserted(self, after: Tensor, layer: LayerSpec) -> Graph:
        """The graph with a layer that keeps the shape put behind a tensor, in front of all that uses it.

        Args:
            after: The tensor.
            layer: The layer; its name must be new.
        """
        node = Node(layer.name, layer.name, (after,), {}, (self.shape(after),))
        return self.edited(layers=[layer], nodes=[node], tensors={after: node.output})

    def number_format(self, tensor: Tensor) -> dict[str, Any]:
        """The ``dtype`` argument for a layer put behind a tensor: that of the layer that made it."""
        node = self.nodes[tensor.node]
        while "dtype" not in self.layer(node).config and node.inputs:
            node = self.nodes[node.inputs[0].node]
        made = self.layer(node).config.get("dtype")
        return {} if made is None or self.layer(node).is_a(InputLayer) else {"dtype": made}

    @cached_property
    def _output_keys(self) -> frozenset[str]:
        return frozenset(tensor.node for tensor in tensors_in(self.outputs))

    @cached_property
    def _calls(self) -> Mapping[str, tuple[Node, ...]]:
        return _grouped((node.layer, node) for node in self.nodes.values())

    @cached_property
    def _consumers(self) -> Mapping[str, tuple[Node, ...]]:
        users = ((key, node) for node in self.nodes.values() for key in dict.fromkeys(t.node for t in node.inputs))
        return {**dict.fromkeys(self.nodes, ()), **_grouped(users)}

    @cached_property
    def _ancestors(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for key, node in self.nodes.items():
            parents = {tensor.node for tensor in node.inputs}
            found[key] = frozenset(parents).union(*(found[parent] for parent in parents))
        return found


def _grouped(pairs: Iterable[tuple[str, Node]]) -> dict[str, tuple[Node, ...]]:
    groups: dict[str, list[Node]] = {}
    for key, node in pairs:
        groups.setdefault(key, []).append(node)
    return {key: tuple(nodes) for key, nodes in groups.items()}


def _resolved(tensors: Mapping[Tensor, Tensor]) -> dict[Tensor, Tensor]:
    def last(tensor: Tensor) -> Tensor:
        while tensor in tensors:
            tensor = tensors[tensor]
        return tensor

    return {tensor: last(tensor) for tensor in tensors}


def _ordered(roots: Iterable[str], nodes: Mapping[str, Node]) -> list[str]:
    """Keys of the nodes that the roots need, each after those it depends on."""
    done: dict[str, None] = {}
    stack = [(key, False) for key in reversed(list(roots))]
    while stack:
        key, expanded = stack.pop()
        if key in done:
            continue
        if expanded:
            done[key] = None
        else:
            stack.append((key, True))
            stack.extend((tensor.node, False) for tensor in reversed(nodes[key].inputs) if tensor.node not in done)
    return list(done)
