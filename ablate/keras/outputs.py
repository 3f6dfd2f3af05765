"""What the numbers mean that a network gives for an image of one class, and what follows for loss and accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import keras
import numpy as np
from scipy.special import expit, softmax

from ablate.errors import NetworkError

_IMAGES = 8
"""Random images on which an ending of an unknown kind is tried out."""


class OutputKind(Enum):
    """The meaning of the outputs of a classifier."""

    PROBABILITIES = "a probability for each class"
    LOGITS = "a number for each class, before a softmax"
    PROBABILITY = "the probability of the second of two classes"
    LOGIT = "a number for the second of two classes, before a sigmoid"

    @property
    def is_single(self) -> bool:
        """Whether there is one number for two classes."""
        return self in (OutputKind.PROBABILITY, OutputKind.LOGIT)


def output_kind(model: Any) -> OutputKind:
    """What the outputs of a network mean.

    Args:
        model: A functional or Sequential model with one output of one number or more.

    Raises:
        NetworkError: If its outputs are no probabilities of classes of which an image has one, nor their logits.
    """
    count = model.outputs[0].shape[-1]
    ending = ending_of(model)
    if count == 1:
        if ending in ("sigmoid", "linear"):
            return OutputKind.PROBABILITY if ending == "sigmoid" else OutputKind.LOGIT
        raise NetworkError(
            f"Model '{model.name}' gives one number for two classes, and ends in {last_operation(model)}: end it in "
            'Dense(1, activation="sigmoid") or, for a logit, in Dense(1).'
        )
    if ending == "sigmoid":
        two = ' or in Dense(1, activation="sigmoid")' if count == 2 else ""
        raise NetworkError(
            f"Model '{model.name}' ends in a sigmoid for each of {count} classes, as if an image could have several. "
            f'Here an image has one class: end the network in Dense({count}, activation="softmax"){two}.'
        )
    return OutputKind.PROBABILITIES if ending == "softmax" else OutputKind.LOGITS


def loss(values: Mapping[str, Any], kind: OutputKind, one_hot: bool) -> Any:
    """Cross-entropy.

    Args:
        values: The checked train section.
        kind: What the outputs of the network mean.
        one_hot: Whether labels are vectors, as label smoothing needs them, and not whole numbers.
    """
    logits = kind in (OutputKind.LOGITS, OutputKind.LOGIT)
    smoothing = values["label_smoothing"]
    if kind.is_single:
        return keras.losses.BinaryCrossentropy(from_logits=logits, label_smoothing=smoothing)
    if one_hot:
        return keras.losses.CategoricalCrossentropy(from_logits=logits, label_smoothing=smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)


def accuracy(kind: OutputKind) -> Any:
    """The metric ``accuracy``: the share of images whose most probable class is theirs.

    Args:
        kind: What the outputs of the network mean.
    """
    if not kind.is_single:
        return "accuracy"
    return keras.metrics.BinaryAccuracy("accuracy", threshold=0.5 if kind is OutputKind.PROBABILITY else 0.0)


def most_probable_classes(outputs: np.ndarray, kind: OutputKind) -> np.ndarray:
    """The class that a network holds for the most probable.

    Args:
        outputs: (examples, classes) or (examples, 1).
        kind: What they mean.

    Returns:
        (examples,), whole numbers.
    """
    if not kind.is_single:
        return outputs.argmax(axis=-1).astype(np.int64)
    threshold = 0.5 if kind is OutputKind.PROBABILITY else 0.0
    return (outputs.reshape(-1) > threshold).astype(np.int64)


def probabilities(outputs: np.ndarray, kind: OutputKind) -> np.ndarray:
    """The probability of each class.

    Args:
        outputs: (images, numbers), what the network gives.
        kind: What that means.

    Returns:
        (images, classes).
    """
    if kind.is_single:
        second = outputs if kind is OutputKind.PROBABILITY else expit(outputs)
        return np.concatenate([1 - second, second], axis=-1)
    return np.asarray(softmax(outputs, axis=-1)) if kind is OutputKind.LOGITS else outputs


def ending_of(model: Any) -> str:
    """The function that a network ends in: ``softmax``, ``sigmoid``, ``linear`` or ``other``.

    Where the last operation does not say it, the outputs for random examples do.

    Args:
        model: A functional or Sequential model with one output.
    """
    return _ending(model) or _tried_ending(model)


def _ending(model: Any) -> str | None:
    """The function that a network ends in: ``softmax``, ``sigmoid``, ``linear`` or ``other``; None if unknown."""
    for operation in _last_operations(model):
        weighted = bool(getattr(operation, "weights", ()))
        function = None if weighted else operation
        if type(operation).__module__.startswith("keras."):  # that of the user may be applied before the end
            function = getattr(operation, "activation", function)
        kind = None if function is None else _kind_of(function, model.outputs[0].shape[-1])
        if kind != "linear" or weighted:
            return kind
    return None


def _last_operations(model: Any, output: int = 0) -> Iterator[Any]:
    """The operations behind an output, the last one first, as long as each has one input."""
    tensor = model.outputs[output]
    while True:
        history = tensor._keras_history
        operation = history.operation
        if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            yield from _last_operations(operation, history.tensor_index)
            return
        yield operation
        inputs = operation._inbound_nodes[history.node_index].input_tensors
        if len(inputs) != 1:
            return
        tensor = inputs[0]


def _kind_of(function: Any, count: int) -> str | None:
    """What a function of rows of numbers is, by what it makes of some."""
    x = np.random.default_rng(0).normal(scale=3.0, size=(6, count)).astype("float32")
    try:
        y = np.asarray(keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(x))), np.float32)
    except Exception:  # it takes something else
        return None
    for name, expected in (("linear", x), ("sigmoid", expit(x)), ("softmax", softmax(x, axis=-1))):
        if y.shape == x.shape and np.allclose(y, expected, atol=1e-2):
            return name
    return "softmax" if y.shape == x.shape and _are_probabilities(y) else "other" if y.shape == x.shape else None


def _tried_ending(model: Any) -> str:
    """The same by what the network makes of random images."""
    shape = [_IMAGES, *(side or 32 for side in model.inputs[0].shape[1:])]
    images = np.random.default_rng(0).normal(scale=3.0, size=shape).astype("float32")
    outputs = np.asarray(keras.ops.convert_to_numpy(model(images, training=False)), np.float32)
    if outputs.shape[-1] > 1 and _are_probabilities(outputs):
        return "softmax"
    return "sigmoid" if ((outputs >= 0) & (outputs <= 1)).all() and outputs.any() else "other"


def _are_probabilities(outputs: np.ndarray) -> bool:
    """Whether rows of numbers are probabilities: none below 0, and their sum 1."""
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-2))


def last_operation(model: Any) -> str:
    """The last operation of a network for messages, such as ``Dense 'classifier' with activation softmax``."""
    operation = next(_last_operations(model))
    function = getattr(getattr(operation, "activation", None), "__name__", None)
    return f"{type(operation).__name__} '{operation.name}'" + (f" with activation {function}" if function else "")
