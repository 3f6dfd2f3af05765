"""Theoretical cost of a network: weights, operations, memory; and limits of a change of size."""

from __future__ import annotations

import math
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

import keras
import numpy as np
import tensorflow as tf

from ablate.errors import NetworkError
from ablate.keras.graph import Graph
from ablate.keras.graph_reader import functional, graph_of
from ablate.memory import total_memory

CAPACITY_RATIO = 3.0
"""From so many times the weights on, a difference may come from capacity and not from the ingredient."""

BYTES_PER_WEIGHT = 16
"""A weight, its gradient and the two moments of Adam, in 32 bits each."""

_MEMORY_SHARE = 0.8
"""Share of the memory that the training of a network may take."""


def flops(model: Any) -> int:
    """Floating-point operations of a forward pass of one image, as TensorFlow's profiler counts them.

    A multiplication and an addition count as two.

    Args:
        model: A functional or Sequential model; its weights need no values.

    Raises:
        NetworkError: If the model has an input of no fixed size, or Keras has another back end than TensorFlow.
    """
    if device.backend_name() != "tensorflow":
        raise NetworkError(f"Operations are counted by TensorFlow; Keras's back end is {device.backend_name()}.")
    unsized = [tensor.name for tensor in model.inputs if None in tensor.shape[1:]]
    if unsized:
        raise NetworkError(
            f"Operations of model '{model.name}' cannot be counted: input {', '.join(unsized)} has no fixed size."
        )
    # Weights are arguments, so that a sketch without their values can be counted.
    signature = [
        [tf.TensorSpec(weight.shape, weight.dtype) for weight in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    inputs = functional(model).input  # a Sequential model has none until it is called
    images = keras.tree.map_structure(lambda tensor: tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype), inputs)

    def forward(trained: Any, other: Any, x: Any) -> Any:
        return model.stateless_call(trained, other, x, training=False)[0]

    graph = tf.function(forward).get_concrete_function(*signature, images).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output().build()
    return int(profiler.profile(graph, options=options).total_float_ops)


def activations(model: Any) -> int:
    """Numbers that the layers output for one image; training stores about as many for the backward pass.

    Args:
        model: A functional or Sequential model; a side of no fixed size counts as 1.
    """
    return _count_activations(graph_of(model))


def _count_activations(graph: Graph) -> int:
    total = 0
    for node in graph.nodes.values():
        inner = graph.layer(node).inner
        outputs = sum(int(np.prod([side or 1 for side in shape[1:]], dtype=np.int64)) for shape in node.shapes)
        total += outputs if inner is None else _count_activations(inner)
    return total


def capacity_note(change: str, weight_count: int, full: int) -> str | None:
    """A sentence about a network that is much larger than the full one; ``None`` about others.

    Args:
        change: What was changed, ``"head=flatten"``.
        weight_count: Number of weights with the change.
        full: Number of weights of the full network.

    Example:
        >>> print(capacity_note("head=flatten", 400, 100))
        head=flatten is a change of capacity too: 4 times the weights of the full network (400 against 100).
        >>> capacity_note("bias=true", 101, 100)
    """
    if weight_count <= full * CAPACITY_RATIO:
        return None
    return (
        f"{change} is a change of capacity too: {weight_count / full:.2g} times the weights of the full network "
        f"({weight_count:,} against {full:,})."
    )


def refuse_too_large(change: str, weight_count: int, budget: float | None = None) -> None:
    """Refuses a network whose training needs more memory than there is.

    Args:
        change: What was changed, ``"head=flatten"``.
        weight_count: Number of weights with the change.
        budget: Bytes; by default four fifths of the memory of the machine or container.

    Raises:
        NetworkError: If weights, gradients and the optimizer's state need more.
    """
    allowed = (total_memory() or math.inf) * _MEMORY_SHARE if budget is None else budget
    needed = weight_count * BYTES_PER_WEIGHT
    if needed > allowed:
        raise NetworkError(
            f"{change} makes a network of {weight_count:,} weights, which needs at least {needed / 2**30:.1f} GiB to "
            f"train; {allowed / 2**30:.1f} GiB may be used. Use smaller images, or leave it out."
        )
