"""Weights copied from model to model."""

from __future__ import annotations

from typing import Any

from ablate.keras.networks import named_weights


def copied_weights(source: Any, target: Any) -> tuple[str, ...]:
    """Copies weights from model to model where layer, weight and shape agree.

    Args:
        source: The model to copy from.
        target: The model whose weights are set.

    Returns:
        The paths of the copied weights, as of `named_weights`.
    """
    values = dict(named_weights(source))
    copied = []
    for path, weight in named_weights(target):
        if path in values and tuple(values[path].shape) == tuple(weight.shape):
            weight.assign(values[path])
            copied.append(path)
    return tuple(copied)
