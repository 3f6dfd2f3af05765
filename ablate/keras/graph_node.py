"""The parts of a graph: tensors, layers and calls as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from ablate.keras.graph import Graph

__all__ = ["LayerSpec", "Node", "Shape", "Tensor", "substituted", "tensors_in"]

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Tensor:
    """An output of a node.

    Args:
        node: Key of the node.
        position: Which of its outputs.
    """

    node: str
    position: int = 0


@dataclass(frozen=True, eq=False)
class LayerSpec:
    """What is needed to make a layer or an operation anew.

    Args:
        name: Its name, which stays the same through every edit.
        kind: Its class.
        config: The arguments of its class.
        weighted: Whether it has weights.
        inner: The graph of a nested model, otherwise None.
        origin: The layer of the model it was read from; None once its configuration was edited.
    """

    name: str
    kind: type
    config: Mapping[str, Any]
    weighted: bool
    inner: Graph | None = None
    origin: Any = None

    def is_a(self, *kinds: type) -> bool:
        """Whether it is of one of the classes, or of a class derived from one."""
        return issubclass(self.kind, kinds)

    def configured(self, **config: Any) -> LayerSpec:
        """The same layer with some of its arguments changed."""
        return replace(self, config={**self.config, **config}, origin=None)

    def turned_into(self, kind: type, **config: Any) -> LayerSpec:
        """A layer of another class under the same name; it keeps number format and trainability.

        Args:
            kind: The other class.
            config: Its arguments.
        """
        kept = {key: self.config[key] for key in ("dtype", "trainable") if key in self.config}
        made = kind(name=self.name, **kept, **config)
        return LayerSpec(self.name, kind, made.get_config(), self.weighted)

    def with_weights(self) -> LayerSpec:
        """The same layer, which has weights although what it was made from had none."""
        return replace(self, weighted=True)

    def nested(self, inner: Graph) -> LayerSpec:
        """The same nested model with another graph."""
        return replace(self, inner=inner)


@dataclass(frozen=True, eq=False)
class Node:
    """One call of a layer.

    Args:
        key: Name of the layer; from the second call of a shared layer on, the name, ``#`` and the number of the call.
        layer: Name of the layer.
        args: Positional arguments of the call, `Tensor` in the place of tensors.
        kwargs: Keyword arguments of the call, likewise.
        shapes: Shapes of the outputs in the model as it was read.
    """

    key: str
    layer: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    inputs: tuple[Tensor, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tensors_in((self.args, dict(self.kwargs))))

    @property
    def output(self) -> Tensor:
        """Its first output."""
        return Tensor(self.key)

    @property
    def shape(self) -> Shape:
        """The shape of its first output."""
        return self.shapes[0]

    def called_with(self, *inputs: Tensor) -> Node:
        """A call of the same layer with other tensors and no other arguments."""
        return Node(self.key, self.layer, inputs, {}, self.shapes)

    def rewired(self, tensors: Mapping[Tensor, Tensor]) -> Node:
        """The same call with some of its input tensors exchanged."""
        if not any(tensor in tensors for tensor in self.inputs):
            return self
        args, kwargs = substituted((self.args, dict(self.kwargs)), tensors)
        return Node(self.key, self.layer, args, kwargs, self.shapes)


def tensors_in(structure: Any) -> tuple[Tensor, ...]:
    """All tensors of a nested structure, in order."""
    return tuple(leaf for leaf in keras.tree.flatten(structure) if isinstance(leaf, Tensor))


def substituted(structure: Any, tensors: Mapping[Tensor, Any]) -> Any:
    """The nested structure with the given tensors exchanged."""
    return keras.tree.map_structure(
        lambda leaf: tensors.get(leaf, leaf) if isinstance(leaf, Tensor) else leaf, structure
    )
