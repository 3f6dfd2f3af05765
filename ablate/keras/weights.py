"""Values of Keras variables: read, assigned, and carried from one model to another by the names of their layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np


def values_of(variables: Iterable[Any]) -> list[np.ndarray]:
    """Copies of the values of Keras variables."""
    return [np.asarray(variable).copy() for variable in variables]


def assign_values(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    """Sets Keras variables.

    Args:
        variables: The variables.
        values: As many values of the same shapes; each is cast to the type of its variable, since a stored one may
            have another.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.assign(np.asarray(value).astype(keras.backend.standardize_dtype(variable.dtype)))


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


def named_weights(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All weights by nested model, layer, name, and number among those of one name in a layer.

    Args:
        model: The model.
        prefix: What to put before each path.

    Yields:
        Path, such as ``"encoder/conv1/kernel/0"``, and variable.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from named_weights(layer, f"{prefix}{layer.name}/")
            continue
        counts: Counter[str] = Counter()
        for weight in layer.weights:
            yield f"{prefix}{layer.name}/{weight.name}/{counts[weight.name]}", weight
            counts[weight.name] += 1
