"""Activations, poolings and parts of channels: recognised by what a layer computes, not by its name.

A class of the user or a `Lambda` that works on each number alone, and not as a straight line, is an activation; one
that gives the mean or the maximum of each channel is a global pooling. It is called on a few random numbers. Layers of
Keras's own classes are not called there: their class is enough. A part of the channels may be taken by a `Lambda`, an
index or a split, which are all called on numbers that say which channel they come from.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from keras import ops

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, substituted
from ablate.keras.layer_config import create_layer
from ablate.keras.layer_spec import LayerSpec

_SHAPES = ((2, 3, 3, 4), (2, 3, 4), (2, 4))
"""Maps, sequences and vectors: some classes take one of them alone."""
_MOST_PLACES = 4096
"""Places of a map that is made for a call, at most."""

_elementwise: WeakKeyDictionary[LayerSpec, bool] = WeakKeyDictionary()
_pooling: WeakKeyDictionary[LayerSpec, bool] = WeakKeyDictionary()


def is_elementwise(layer: LayerSpec) -> bool:
    """Whether a layer of the user, or a `Lambda`, computes one function of each number, and no straight line.

    It may have weights: one number, or one a channel, as a learned slope is.

    Args:
        layer: Any layer.
    """
    if layer not in _elementwise:
        _elementwise[layer] = _may_be(layer) and any(_maps_each_number(layer, shape) for shape in _SHAPES)
    return _elementwise[layer]


def pools_places(layer: LayerSpec, shape: tuple[int | None, ...]) -> bool:
    """Whether a layer of the user, or a `Lambda`, gives the mean or the maximum over all places of each channel.

    Args:
        layer: Any layer.
        shape: Shape of its input, channels last.
    """
    if layer not in _pooling:
        sample = (2, *(3 for _ in shape[1:-1]), 4 if shape[-1] is None else min(shape[-1], 4))
        _pooling[layer] = _may_be(layer) and not layer.weighted and len(shape) > 2 and _pools(layer, sample)
    return _pooling[layer]


def gives_fractions(layer: LayerSpec) -> bool:
    """Whether an activation of the user, or a `Lambda` that is one, gives numbers between 0 and 1, as a sigmoid does.

    Args:
        layer: Any layer.
    """
    if not is_elementwise(layer) or layer.weighted:
        return False
    x = np.linspace(-30, 30, 2 * 3 * 3 * 4).astype("float32")
    for shape in _SHAPES:
        try:
            y = _callable(layer, shape)(x[: int(np.prod(shape))].reshape(shape))
        except Exception:  # of the user's code, which was written for other shapes
            continue
        return bool(y.min() >= 0 and y.max() <= 1)
    return False


def selected_channels(graph: Graph, node: Node, position: int = 0) -> tuple[int, int] | None:
    """Which of the channels of its input a call passes on as they are.

    Args:
        graph: The graph.
        node: A call with one input.
        position: Which of its outputs.

    Returns:
        The first channel, and the one behind the last; None if it does something else, or passes all of them.
    """
    shape, output = graph.shape(node.inputs[0]), node.shapes[position]
    if shape[-1] is None or len(shape) < 3 or output[:-1] != shape[:-1] or not _selects(graph.layer(node)):
        return None
    places = tuple(4 if side is None else side for side in shape[1:-1])
    if np.prod(places) > _MOST_PLACES:
        places = tuple(min(side, 4) for side in places)
    numbers = np.broadcast_to(np.arange(shape[-1], dtype="float32"), (1, *places, shape[-1]))
    y = _output(graph, node, numbers, position)
    if y is None or y.shape[:-1] != numbers.shape[:-1] or not 0 < y.shape[-1] < shape[-1]:
        return None
    begin, end = int(y.flat[0]), int(y.flat[0]) + y.shape[-1]
    return (begin, end) if np.array_equal(y, numbers[..., begin:end]) else None


def sums_inputs_of_groups(graph: Graph, node: Node) -> bool:
    """Whether a call adds up (..., groups, inputs, outputs) over the inputs.

    Args:
        graph: The graph.
        node: A call with one input of that shape.
    """
    shape = graph.shape(node.inputs[0])
    sizes = [2, *(2 for _ in shape[1:-3]), *(side or 1 for side in shape[-3:])]
    x = np.random.default_rng(0).normal(size=sizes).astype("float32")
    y = _output(graph, node, x)
    expected = x.sum(axis=-2)
    return y is not None and y.shape == expected.shape and np.allclose(y, expected, atol=1e-4)


def _selects(layer: LayerSpec) -> bool:
    known = layer.is_operation("GetItem", "Split", "Slice") or layer.kind.__name__ == "Lambda"
    return layer.origin is not None and not layer.weighted and (known or _may_be(layer))


def _output(graph: Graph, node: Node, x: np.ndarray, position: int = 0) -> np.ndarray | None:
    """What a call of a layer or operation without weights makes of other numbers; None if it cannot be called."""
    origin = graph.layer(node).origin
    args, kwargs = substituted((node.args, dict(node.kwargs)), {node.inputs[0]: ops.convert_to_tensor(x)})
    try:
        outputs = origin(*args, **kwargs)
        output = outputs[position] if isinstance(outputs, list | tuple) else outputs
        return np.asarray(ops.convert_to_numpy(ops.cast(output, "float32")))
    except Exception:  # of the user's code, which was written for other shapes
        return None


def _pools(layer: LayerSpec, shape: tuple[int, ...]) -> bool:
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    places = tuple(range(1, len(shape) - 1))
    try:
        y = _callable(layer, shape)(x)
    except Exception:  # of the user's code, which was written for other shapes
        return False
    kept_places = (shape[0], *(1 for _ in places), shape[-1])
    if y.shape not in ((shape[0], shape[-1]), kept_places):
        return False
    return any(np.allclose(y.reshape(shape[0], shape[-1]), one, atol=1e-4) for one in (x.mean(places), x.max(places)))


def _may_be(layer: LayerSpec) -> bool:
    unknown = layer.kind.__name__ == "Lambda" or not layer.is_of_keras()
    alone = layer.inner is None and layer.wrapper is None and not layer.sublayers
    return unknown and layer.is_a("Layer") and alone


def _maps_each_number(layer: LayerSpec, shape: tuple[int, ...]) -> bool:
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    x[0] *= 30  # some functions are a straight line around zero
    try:
        function = _callable(layer, shape)
        y = function(x)
        if y.shape != shape or not np.isfinite(y).all():
            return False
        # Another number in one place changes that place alone, and the places are alike.
        changed = x.copy()
        changed[0, ..., 0] += 1.0
        same = function(changed) == y
        mirrored = np.flip(function(np.flip(x, axis=(0, *range(1, x.ndim - 1)))), axis=(0, *range(1, x.ndim - 1)))
        line = function(np.zeros(shape, "float32"))
        slopes = function(np.ones(shape, "float32")) - line
    except Exception:  # of the user's code, which was written for other shapes
        return False
    elsewhere = np.ones(shape, bool)
    elsewhere[0, ..., 0] = False
    alone = bool(same[elsewhere].all() and not same.all())
    straight = np.allclose(y, line + slopes * x, rtol=0.02, atol=0.02)
    return alone and np.allclose(mirrored, y, rtol=1e-3, atol=1e-3) and not straight


def _callable(layer: LayerSpec, shape: tuple[int, ...]) -> Any:
    if layer.origin is not None and not layer.weighted:
        instance = layer.origin
    else:
        instance = create_layer(layer.kind, layer.config)
        instance.build(shape)
        if any(tuple(weight.shape) not in ((), (1,), shape[-1:]) for weight in instance.weights):
            raise ValueError("its weights are no parameters of a function of one number")
    return lambda x: np.asarray(ops.convert_to_numpy(ops.cast(instance(ops.convert_to_tensor(x)), "float32")))
