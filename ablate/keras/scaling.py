"""Layers that only multiply by numbers, or only add with factors: recognised by what they compute, not by their names.

A layer scale may be an operation (``0.1 * x``), a `Lambda`, or a class of the user. So it is called on a few random
numbers, and its output decides what it is. Layers of Keras's own classes are not called: their class is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape, substituted
from ablate.keras.kinds import is_addition
from ablate.keras.layer_config import create_layer
from ablate.keras.layer_spec import LayerSpec

_PRODUCTS = ("Multiply", "Divide", "TrueDivide")
# Half-precision numbers have three digits.
_TOLERANCE = 0.02


def scales(graph: Graph, node: Node) -> bool:
    """Whether a call multiplies its one input by numbers that do not depend on it, one for all channels or one each.

    Such are ``0.1 * x``, `keras.layers.Rescaling` without an offset, a layer scale (Touvron et al. 2021,
    https://arxiv.org/abs/2103.17239), and a learned number in front of a branch (Bachlechner et al. 2020,
    https://arxiv.org/abs/2003.04887). What passes its input as it is does not count.

    Args:
        graph: The graph.
        node: Any node of it.
    """
    layer = graph.layer(node)
    # The other argument of such an operation is no tensor of the model.
    multiplies = layer.is_operation(*_PRODUCTS) or layer.is_a("Rescaling")
    if len(node.inputs) != 1 or not (multiplies or _is_unknown(layer)):
        return False
    shape = graph.shape(node.inputs[0])
    if shape != node.shape or len(shape) < 2:
        return False
    call = _callable(layer, [shape])
    factor = None if call is None else _factor(lambda x: call(node, [x]), _sample_shape(shape))
    return factor is not None and (layer.weighted or not np.allclose(factor, 1.0))


def adds(graph: Graph, node: Node) -> bool:
    """Whether a call adds tensors, or two of them with a factor each.

    Such are `Add`, ``x + y``, and a `Lambda` or class of the user that gives ``x + 0.1 * y``, also with a factor that
    is learned.

    Args:
        graph: The graph.
        node: Any node of it.
    """
    layer = graph.layer(node)
    if is_addition(layer):
        return True
    shapes = [graph.shape(tensor) for tensor in node.inputs]
    if len(shapes) != 2 or shapes != [node.shape] * 2 or len(node.shape) < 2 or not _is_unknown(layer):
        return False
    call = _callable(layer, shapes)
    if call is None:
        return False
    shape = _sample_shape(node.shape)
    zeros = np.zeros(shape, "float32")
    first = _factor(lambda x: call(node, [x, zeros]), shape)
    second = _factor(lambda x: call(node, [zeros, x]), shape)
    if first is None or second is None or not (np.any(first) and np.any(second)):
        return False
    # Each input alone passes with a factor; both together must give the sum, not the larger one or a product.
    one, other = _numbers(shape), _numbers(shape)[::-1]
    return _close(call(node, [one, other]), first * one + second * other)


def _is_unknown(layer: LayerSpec) -> bool:
    """Whether its class does not say what it computes: one of the user, or a `Lambda`."""
    known = layer.kind.__module__.startswith(("keras.layers", "keras.src.layers")) and layer.kind.__name__ != "Lambda"
    return layer.is_a("Layer") and layer.inner is None and not known


def _callable(layer: LayerSpec, shapes: Sequence[Shape]) -> Any:
    """A function that calls the layer as a node does, with other tensors; None if it cannot be called."""
    try:
        if layer.origin is not None and not layer.weighted:
            instance = layer.origin
        else:
            # The weights of the layer that was read may not exist.
            instance = create_layer(layer.kind, layer.config)
        if layer.weighted:
            instance.build(shapes[0] if len(shapes) == 1 else list(shapes))
            if len(instance.weights) != 1 or instance.weights[0].shape not in ((), (1,), (shapes[0][-1],)):
                return None  # no factor: one number, or one a channel
            instance.weights[0].assign(_numbers(tuple(instance.weights[0].shape)))
    except Exception:
        return None

    def call(node: Node, values: Sequence[np.ndarray]) -> np.ndarray:
        tensors = {old: ops.convert_to_tensor(new) for old, new in zip(node.inputs, values, strict=True)}
        args, kwargs = substituted((node.args, dict(node.kwargs)), tensors)
        return np.asarray(ops.convert_to_numpy(ops.cast(instance(*args, **kwargs), "float32")))

    return call


def _factor(function: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """By what a function multiplies each channel; None if it does something else."""
    x = _numbers(shape)
    try:
        # Large numbers show what is linear around zero only, such as a hyperbolic tangent.
        factor, small, large = function(np.ones(shape, "float32")), function(x), function(100 * x)
    except Exception:
        return None
    if factor.shape != shape or not np.isfinite(factor).all():
        return None
    channels = factor.reshape(-1, shape[-1])
    is_factor = _close(channels, channels[:1]) and _close(small, factor * x) and _close(large, 100 * factor * x)
    return channels[0] if is_factor else None


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * float(np.abs(other).mean())))


def _sample_shape(shape: Shape) -> tuple[int, ...]:
    """The shape of a small input: a few places are enough, however large the map is."""
    return (2, *[2] * len(shape[1:-1]), shape[-1] or 2)


def _numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")
