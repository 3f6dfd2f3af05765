"""Numbers that say where something stands: recognised by what a layer computes, not by its name.

What embeds positions may be a layer of the user, an operation with a table of sinusoids, or an `Embedding` of numbers
that count the places. So a layer of the user is called on a few random numbers. Layers of Keras's own classes are not
called: their class is enough.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
from keras import ops

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape, Tensor, substituted
from ablate.keras.kinds import is_position
from ablate.keras.layer_config import create_layer
from ablate.keras.layer_spec import LayerSpec

_CONSTANTS = ("OnesLike", "ZerosLike", "FullLike")
"""Operations whose output does not depend on the values of their input."""
_MOST_NUMBERS = 2_000_000
"""Numbers of an input or of weights with which a layer of the user is called, at most."""

_results: WeakKeyDictionary[LayerSpec, dict[tuple[Shape, ...], tuple[np.ndarray, np.ndarray, np.ndarray] | None]]
_results = WeakKeyDictionary()
_same_for_all: WeakKeyDictionary[Graph, set[str]] = WeakKeyDictionary()
"""By graph the keys of the nodes whose output is the same for all examples."""


def depends_on_place_alone(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor is the same for all examples, whatever their values are.

    Args:
        graph: The graph.
        tensor: A tensor of it.
    """
    if graph not in _same_for_all:
        same: set[str] = set()
        for key, node in graph.nodes.items():  # those before a node come first
            if _ignores_values(graph, node) or (node.inputs and all(one.node in same for one in node.inputs)):
                same.add(key)
        _same_for_all[graph] = same
    return tensor.node in _same_for_all[graph]


def has_table(node: Node) -> bool:
    """Whether a call with one tensor adds a constant to it that differs from place to place.

    Args:
        node: A call of an addition.
    """
    leaves = keras.tree.flatten((node.args, dict(node.kwargs)))
    constants = [one for one in leaves if not isinstance(one, Tensor | str) and one is not None]
    return len(constants) == 1 and _differs(constants[0], len(node.shape))


def adds_positions(graph: Graph, node: Node) -> bool:
    """Whether a layer of the user, or a `Lambda`, adds a constant to its input that differs from place to place.

    Args:
        graph: The graph.
        node: A call with one input.
    """
    found = _two_calls(graph, node)
    if found is None:
        return False
    x, first, second = found
    if first.shape != x.shape:
        return False
    added, again = first - x, second - 2 * x
    return _close(added, again) and _close(added[:1], added[1:]) and _differs(added[0:1], x.ndim)


def _ignores_values(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if not is_position(layer) or layer.is_of_keras():
        return is_position(layer) or layer.is_operation(*_CONSTANTS)
    found = _two_calls(graph, node) if len(node.inputs) == 1 else None
    return found is not None and _close(found[1], found[2])


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-3, atol=1e-3))


def _differs(constant: Any, rank: int) -> bool:
    """Whether numbers that are added to a tensor of some rank differ along an axis of places."""
    shape = tuple(getattr(constant, "shape", ()))
    missing = rank - len(shape)  # axes in front that are broadcast
    axes = range(max(0, 1 - missing), len(shape) - 1)
    wide = [axis for axis in axes if shape[axis] is not None and shape[axis] > 1]
    if missing < 0 or not wide:
        return False
    if isinstance(constant, keras.Variable | keras.KerasTensor):
        return True  # learned, whatever it starts from
    values = np.asarray(ops.convert_to_numpy(constant), "float32")
    return any(bool((np.ptp(values, axis=axis) > 1e-6).any()) for axis in wide)


def _two_calls(graph: Graph, node: Node) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Random numbers, and what a layer of the user makes of them and of their doubles; None if it cannot be called."""
    layer = graph.layer(node)
    unknown = layer.kind.__name__ == "Lambda" or not layer.is_of_keras()
    if not unknown or not layer.is_a("Layer") or layer.inner is not None or layer.wrapper is not None:
        return None
    if layer.sublayers and "pos" not in layer.kind.__name__.lower():
        return None
    shape = graph.shape(node.inputs[0])
    results = _results.setdefault(layer, {})
    if (shape,) not in results:
        results[(shape,)] = _called(layer, node, shape)
    return results[(shape,)]


def _called(layer: LayerSpec, node: Node, shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    sizes = (2, *(4 if side is None else side for side in shape[1:]))
    if np.prod(sizes) > _MOST_NUMBERS:
        return None
    rng = np.random.default_rng(0)
    x = rng.normal(size=sizes).astype("float32")
    try:
        if layer.origin is not None and not layer.weighted:
            instance = layer.origin
        else:
            if sum(int(np.prod(weight.shape)) for weight in getattr(layer.origin, "weights", ())) > _MOST_NUMBERS:
                return None
            instance = create_layer(layer.kind, layer.config)

        def call(values: np.ndarray) -> np.ndarray:
            tensors = {node.inputs[0]: ops.convert_to_tensor(values)}
            args, kwargs = substituted((node.args, dict(node.kwargs)), tensors)
            return np.asarray(ops.convert_to_numpy(ops.cast(instance(*args, **kwargs), "float32")))

        call(x)
        if layer.weighted:
            for weight in instance.weights:
                weight.assign(rng.normal(size=tuple(weight.shape)))
        return x, call(x), call(2 * x)
    except Exception:  # of the user's code, which was written for other numbers
        return None
