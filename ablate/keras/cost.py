"""What a network costs in theory: weights, operations, memory."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ablate.errors import NetworkError
from ablate.keras import backend
from ablate.keras.graph import Graph
from ablate.keras.graph_reader import graph_of

__all__ = ["activations", "flops", "weights"]


def weights(model: Any) -> int:
    """The number of weights, trainable or not.

    Args:
        model: A built model.
    """
    return int(model.count_params())


def flops(model: Any) -> int:
    """Floating-point operations of a forward pass of one image, as TensorFlow's profiler counts them.

    A multiplication and an addition count as two.

    Args:
        model: A functional model; its weights need no values.

    Raises:
        NetworkError: If the model has an input of no fixed size, or Keras has another back end than TensorFlow.
    """
    if backend.name() != "tensorflow":
        raise NetworkError(f"Operations are counted by TensorFlow; Keras's back end is {backend.name()}.")
    open_inputs = [tensor.name for tensor in model.inputs if None in tensor.shape[1:]]
    if open_inputs:
        raise NetworkError(
            f"Operations of model '{model.name}' cannot be counted: input {', '.join(open_inputs)} has no fixed size."
        )
    # Weights are arguments, so that none need exist.
    signature = [
        [tf.TensorSpec(weight.shape, weight.dtype) for weight in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    images = keras.tree.map_structure(lambda tensor: tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype), model.input)

    def forward(trained: Any, other: Any, x: Any) -> Any:
        return model.stateless_call(trained, other, x, training=False)[0]

    graph = tf.function(forward).get_concrete_function(*signature, images).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output().build()
    return int(profiler.profile(graph, options=options).total_float_ops)


def activations(model: Any) -> int:
    """Numbers that the layers hand on for one image; training keeps about as many for the way back.

    Args:
        model: A functional or Sequential model; a side of no fixed size counts as 1.
    """
    return _handed_on(graph_of(model))


def _handed_on(graph: Graph) -> int:
    total = 0
    for node in graph.nodes.values():
        inner = graph.layer(node).inner
        own = sum(int(np.prod([side or 1 for side in shape[1:]], dtype=np.int64)) for shape in node.shapes)
        total += own if inner is None else _handed_on(inner)
    return total
