"""Activations and poolings of the user: recognised by what they compute, not by their names.

A class of the user or a `Lambda` that works on each number alone, and not as a straight line, is an activation; one
that gives the mean or the maximum of each channel is a global pooling. It is called on a few random numbers. Layers of
Keras's own classes are not called: their class is enough.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from keras import ops

from ablate.keras.graph import LayerSpec
from ablate.keras.layer_config import create_layer

_SHAPES = ((2, 3, 3, 4), (2, 3, 4), (2, 4))
"""Maps, sequences and vectors: some classes take one of them alone."""

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
