"""A functional model as a plain value that can be read and edited.

Keras keeps a functional model as objects that refer to each other. `Graph` is the same network as data: *nodes* (one
for each call) refer to *layers* by name and to each other's outputs by `Tensor`. `graph_of` reads a model, an edit
returns a new graph, and `model_of` builds the network once, at the end. Layer names never change on the way, because
initial weights are drawn by layer name: a layer that an edit does not touch starts from the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from ablate.keras.graph_node import (
    Node,
    Shape,
    Tensor,
    ordered_keys,
    resolved,
    substituted,
    tensors_in,
)

Kind = str | type
"""A class of layers: its name in `keras.layers`, so that no ingredient need import Keras, or the class itself."""


@dataclass(frozen=True, eq=False)
class LayerSpec:
    """What is needed to create a layer or an operation anew.

    Args:
        name: Its name, which stays the same through every edit.
        kind: Its class.
        config: The arguments of its class.
        weighted: Whether it has weights.
        inner: The graph of a nested model, otherwise None.
        wrapper: The wrapper that calls it (`TimeDistributed`, `SpectralNormalization`), without its ``layer``; None if
            there is none. All else is that of the wrapped layer, so that it is found as one without a wrapper is.
        origin: The layer of the model it was read from; None once its configuration was edited.
    """

    name: str
    kind: type
    config: Mapping[str, Any]
    weighted: bool
    inner: Graph | None = None
    wrapper: LayerSpec | None = None
    origin: Any = None

    def is_a(self, *kinds: Kind) -> bool:
        """Whether it is of one of the classes, or of a class derived from one."""
        names = _layer_names(self.kind)
        return any(kind in names if isinstance(kind, str) else issubclass(self.kind, kind) for kind in kinds)

    def is_operation(self, *names: str) -> bool:
        """Whether it is one of these operations of Keras on tensors, such as ``x + y`` (``"Add"``), and no layer."""
        return self.kind.__name__ in names and self.is_of_keras() and not self.is_a("Layer")

    def is_of_keras(self) -> bool:
        """Whether its class comes with Keras, or with our own networks, so that it is known what it computes."""
        return self.kind.__module__.split(".")[0] in ("keras", "ablate")

    @property
    def unwrapped_origin(self) -> Any:
        """The layer that was read, without its wrapper."""
        return self.origin if self.wrapper is None or self.origin is None else self.origin.layer

    @property
    def sublayers(self) -> tuple[Any, ...]:
        """The Keras layers that a layer of the user holds and its own code calls, at any depth; of one that was read.

        What Keras's own layers are made of, such as the dense layers of attention, belongs to them.
        """
        return tuple(self.unwrapped_origin._flatten_layers(include_self=False)) if self.is_custom else ()

    @property
    def is_custom(self) -> bool:
        """Whether it is a layer of the user that was read, and no nested model: its own code says what it computes."""
        return not self.is_of_keras() and self.is_a("Layer") and self.inner is None and self.origin is not None

    def configured(self, **config: Any) -> LayerSpec:
        """The same layer with some of its arguments changed."""
        return replace(self, config={**self.config, **config}, origin=None)


@dataclass(frozen=True, eq=False)
class LayerIdentity:
    """A layer wherever it stands in a network, in its own graph and in those of nested models.

    Args:
        spec: The layer as it was read.
    """

    spec: LayerSpec


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
        dtype: Name of its number format, ``mixed_float16``; by it Keras decides whether the loss is scaled.
        attributes: What a model of a class of the user's has beyond other models.
        identities: By the name of a layer what it is in all graphs in which it stands: models nested in one may share
            it. It stays the same when the layer is edited.
    """

    name: str
    kind: type
    nodes: Mapping[str, Node]
    layers: Mapping[str, LayerSpec]
    inputs: Any
    outputs: Any
    trainable: bool = True
    dtype: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    identities: Mapping[str, LayerIdentity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        roots = [tensor.node for tensor in (*tensors_in(self.inputs), *tensors_in(self.outputs))]
        nodes = {key: self.nodes[key] for key in ordered_keys(roots, self.nodes)}
        object.__setattr__(self, "nodes", nodes)
        used = {node.layer for node in nodes.values()}
        object.__setattr__(self, "layers", {name: self.layers[name] for name in self.layers if name in used})

    def layer(self, node: Node | str) -> LayerSpec:
        """The layer that a node calls."""
        return self.layers[(node if isinstance(node, Node) else self.nodes[node]).layer]

    def shape(self, tensor: Tensor) -> Shape:
        """The shape of a tensor in the model as it was read."""
        return self.nodes[tensor.node].shapes[tensor.position]

    def find(self, *kinds: Kind) -> Iterator[Node]:
        """The nodes whose layer is of one of the classes, in order."""
        return (node for node in self.nodes.values() if self.layer(node).is_a(*kinds))

    def calls(self, layer: str) -> tuple[Node, ...]:
        """The nodes that call a layer; several if it is shared."""
        return tuple(node for node in self.nodes.values() if node.layer == layer)

    def consumers(self, node: Node) -> tuple[Node, ...]:
        """The nodes that use an output of a node."""
        return tuple(self._consumers[node.key])

    def producers(self, node: Node) -> tuple[Node, ...]:
        """The nodes whose outputs a node uses."""
        return tuple(self.nodes[tensor.node] for tensor in node.inputs)

    def sole_consumer(self, node: Node) -> Node | None:
        """The only node that uses a node's output; None if there are several, or if it is an output of the model."""
        users = self.consumers(node)
        return users[0] if len(users) == 1 and not self.is_output(node) else None

    def ancestors(self, node: Node) -> frozenset[str]:
        """Keys of all nodes that a node depends on."""
        return self._ancestors[node.key]

    def depends_on(self, tensor: Tensor, other: Tensor) -> bool:
        """Whether a tensor is another one or computed from it, not only from another output of the same call.

        Args:
            tensor: The tensor.
            other: What it may be computed from.
        """
        ancestors = self.ancestors(self.nodes[tensor.node])
        if tensor == other or other.node not in ancestors:
            return tensor == other
        if len(self.nodes[other.node].shapes) == 1:
            return True
        return any(other in self.nodes[key].inputs for key in (tensor.node, *ancestors))

    def is_behind_weights(self, node: Node) -> bool:
        """Whether a layer with weights stands somewhere before a node."""
        return any(self.layer(key).weighted for key in self.ancestors(node))

    def descendants(self, node: Node) -> tuple[Node, ...]:
        """All nodes that depend on a node, in order."""
        return tuple(other for other in self.nodes.values() if node.key in self._ancestors[other.key])

    def computed_between(self, tensor: Tensor, sources: Collection[str]) -> list[Node] | None:
        """The nodes by which a tensor is computed from some others.

        Args:
            tensor: The tensor.
            sources: Keys of the nodes at which the walk back from it ends.

        Returns:
            The nodes between them, that of the tensor included; None if an input of the model reaches the tensor
            without passing one of the sources.
        """
        between: dict[str, Node] = {}
        stack = [tensor.node]
        while stack:
            node = self.nodes[stack.pop()]
            if node.key in sources or node.key in between:
                continue
            if not node.inputs:
                return None
            between[node.key] = node
            stack.extend(one.node for one in node.inputs)
        return list(between.values())

    def is_output(self, node: Node) -> bool:
        """Whether an output of the node is an output of the model."""
        return any(tensor.node == node.key for tensor in tensors_in(self.outputs))

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
            nodes: Nodes to put in the place of those of the same key, exactly as they are.
            tensors: For a tensor the one that its consumers shall use instead; chains are followed. It does not
                apply to the nodes of the same call.
        """
        replaced = {node.key: node for node in nodes}
        exchange = resolved(tensors or {})
        others = {key: node.rewired(exchange) for key, node in self.nodes.items() if key not in replaced}
        return replace(
            self,
            nodes={**others, **replaced},
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
            nodes=[second.rewired({first.output: first.inputs[0]}), first.rewired({first.inputs[0]: second.output})],
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

    def reached(self, node: Node, passes: Callable[[Node], bool]) -> Iterator[Node]:
        """A node, and the nodes that depend on it, without those behind a node that does not pass.

        Args:
            node: Where to start.
            passes: Whether a node is reached, and what uses its output as well.
        """
        stack, seen = [node], {node.key}
        while stack:
            current = stack.pop()
            yield current
            users = [user for user in self.consumers(current) if user.key not in seen and passes(user)]
            seen.update(user.key for user in users)
            stack.extend(users)

    def turned(self, node: Node, kind: Kind, *, weighted: bool | None = None, **config: Any) -> LayerSpec:
        """A layer of another class in the place of that of a node, with its name, number format and trainability.

        Args:
            node: A call of the layer.
            kind: The other class.
            weighted: Whether a layer of that class has weights; by default as this one.
            config: Its arguments.
        """
        old = self.layer(node)
        inherited = {key: old.config[key] for key in ("dtype", "trainable") if key in old.config}
        if "dtype" not in old.config:
            inherited |= self._number_format(node.inputs[0])
        layer = layer_class(kind)(name=old.name, **inherited, **config)
        has_weights = old.weighted if weighted is None else weighted
        return LayerSpec(old.name, type(layer), layer.get_config(), has_weights, wrapper=old.wrapper)

    def _number_format(self, tensor: Tensor) -> dict[str, Any]:
        """The ``dtype`` argument of the layer that made a tensor."""
        node = self.nodes[tensor.node]
        while "dtype" not in self.layer(node).config and node.inputs:
            node = self.nodes[node.inputs[0].node]
        dtype = self.layer(node).config.get("dtype")
        return {} if dtype is None or self.layer(node).is_a("InputLayer") else {"dtype": dtype}

    @cached_property
    def _consumers(self) -> Mapping[str, list[Node]]:
        consumers: dict[str, list[Node]] = {key: [] for key in self.nodes}
        for node in self.nodes.values():
            for key in dict.fromkeys(tensor.node for tensor in node.inputs):
                consumers[key].append(node)
        return consumers

    @cached_property
    def _ancestors(self) -> Mapping[str, frozenset[str]]:
        # Nodes stand in order, so those of a node's parents are known when it is its turn.
        ancestors: dict[str, frozenset[str]] = {}
        for key, node in self.nodes.items():
            parents = {tensor.node for tensor in node.inputs}
            ancestors[key] = frozenset(parents).union(*(ancestors[parent] for parent in parents))
        return ancestors


@lru_cache(1024)
def _layer_names(kind: type) -> frozenset[str]:
    """The names in `keras.layers` of a class and the classes that it is derived from."""
    return frozenset(
        base.__name__ for base in kind.__mro__ if base.__module__.startswith(("keras.layers", "keras.src.layers"))
    )


def layer_class(kind: Kind) -> Any:
    """The class itself, for a name that of `keras.layers`."""
    from keras import layers

    return getattr(layers, kind) if isinstance(kind, str) else kind
