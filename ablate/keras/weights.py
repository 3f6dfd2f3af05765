"""Weights carried from one model to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras

__all__ = ["copied_weights", "named_weights"]


def copied_weights(source: Any, target: Any) -> tuple[str, ...]:
    """Copies weights from model to model where layer, weight and shape agree.

    Args:
        source: The model to copy from.
        target: The model whose weights are set.

    Returns:
        Where the copied weights stand: nested models, layer, name, number.
    """
    values = dict(named_weights(source))
    copied = []
    for path, weight in named_weights(target):
        if path in values and tuple(values[path].shape) == tuple(weight.shape):
            weight.assign(values[path])
            copied.append(path)
    return tuple(copied)


def named_weights(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All weights by nested model, layer, name, and number among those of one name in a layer.

    Args:
        model: The model.
        prefix: What to put before each name.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from named_weights(layer, f"{prefix}{layer.name}/")
            continue
        seen: Counter[str] = Counter()
        for weight in layer.weights:
            yield f"{prefix}{layer.name}/{weight.name}/{seen[weight.name]}", weight
            seen[weight.name] += 1
