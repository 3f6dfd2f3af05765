"""The nodes of a graph: tensors and calls of layers as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
    from keras import tree  # here, so that the names of all ingredients can be had without Keras

    return tuple(leaf for leaf in tree.flatten(structure) if isinstance(leaf, Tensor))


def substituted(structure: Any, tensors: Mapping[Tensor, Any]) -> Any:
    """The nested structure with the given tensors exchanged."""
    from keras import tree

    return tree.map_structure(lambda leaf: tensors.get(leaf, leaf) if isinstance(leaf, Tensor) else leaf, structure)


def resolved(tensors: Mapping[Tensor, Tensor]) -> dict[Tensor, Tensor]:
    """The same exchange with chains followed: of ``{a: b, b: c}`` both lead to ``c``."""

    def last(tensor: Tensor) -> Tensor:
        while tensor in tensors:
            tensor = tensors[tensor]
        return tensor

    return {tensor: last(tensor) for tensor in tensors}


def ordered_keys(roots: Iterable[str], nodes: Mapping[str, Node]) -> list[str]:
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
