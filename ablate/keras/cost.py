"""What networks cost: weights, operations, memory and time, each beside that of the full network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from ablate.errors import NetworkError
from ablate.keras.graph import Graph
from ablate.keras.graph_reader import graph_of

__all__ = ["COLUMNS", "costs", "disagreements", "flops", "latencies", "weights"]

COLUMNS = ("weights", "flops", "activations", "seconds")
"""What is measured: weights; floating-point operations of one image; numbers handed from layer to layer for one image;
seconds of a forward pass of the batch."""


def costs(models: Mapping[str, Any], batch_size: int = 8, rounds: int = 30) -> pd.DataFrame:
    """What each of several networks costs, also in proportion to the first.

    Args:
        models: Functional models by name, the full network first.
        batch_size: Images of a forward pass.
        rounds: Forward passes of each network.

    Returns:
        A row a network: ``model``, `COLUMNS`, and for each of these ``<column>_ratio`` to the first row. The ratio of
        seconds is the median of the ratios within rounds, which noise of the machine leaves alone.

    Raises:
        NetworkError: If there is no model.
    """
    if not models:
        raise NetworkError("Costs are those of at least one model; received none.")
    timed = latencies(list(models.values()), batch_size, rounds)
    rows = [
        {
            "model": name,
            "weights": weights(model),
            "flops": flops(model),
            "activations": _activations(graph_of(model)),
            "seconds": float(np.median(timed[:, place])),
        }
        for place, (name, model) in enumerate(models.items())
    ]
    frame = pd.DataFrame(rows, columns=["model", *COLUMNS])
    for column in COLUMNS:
        frame[f"{column}_ratio"] = frame[column] / frame[column].iloc[0]
    frame["seconds_ratio"] = np.median(timed / timed[:, :1], axis=0)
    return frame


def disagreements(frame: pd.DataFrame, factor: float = 1.5) -> pd.DataFrame:
    """The networks for which theory and machine disagree: time does not follow operations.

    Args:
        frame: What `costs` returned.
        factor: From how many times on the two ratios count as different.

    Returns:
        The rows in question, with ``theory`` (ratio of operations) and ``machine`` (ratio of seconds).
    """
    theory, machine = frame["flops_ratio"], frame["seconds_ratio"]
    apart = np.abs(np.log(machine / theory)) > np.log(factor)
    return frame.loc[apart, ["model"]].assign(theory=theory[apart], machine=machine[apart]).reset_index(drop=True)


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
        NetworkError: If the model has an input of no fixed size.
    """
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


def _activations(graph: Graph) -> int:
    """Numbers that the layers hand on for one image; training keeps about as many for the way back."""
    total = 0
    for node in graph.nodes.values():
        inner = graph.layer(node).inner
        own = sum(int(np.prod([side or 1 for side in shape[1:]], dtype=np.int64)) for shape in node.shapes)
        total += own if inner is None else _activations(inner)
    return total


def latencies(models: Sequence[Any], batch_size: int = 8, rounds: int = 30) -> np.ndarray:
    """Seconds of forward passes, the networks in turn, so that what else the machine does strikes all alike.

    Args:
        models: Functional models.
        batch_size: Images of a forward pass.
        rounds: Passes of each network, after one that does not count.

    Returns:
        Seconds, a row a round, a column a network.
    """
    passes = [_pass(model, batch_size) for model in models]
    for run in passes:
        run()
    seconds = np.empty((rounds, len(passes)))
    for number in range(rounds):
        # Every second round goes backwards: no network always runs behind the same other.
        order = range(len(passes)) if number % 2 == 0 else reversed(range(len(passes)))
        for place in order:
            begin = time.perf_counter()
            passes[place]()
            seconds[number, place] = time.perf_counter() - begin
    return seconds


def _pass(model: Any, batch_size: int) -> Any:
    rng = np.random.default_rng(0)

    def values(tensor: Any) -> Any:
        shape = (batch_size, *(side or 1 for side in tensor.shape[1:]))
        return tf.constant(rng.uniform(size=shape).astype(tensor.dtype))

    images = keras.tree.map_structure(values, model.input)
    forward = tf.function(lambda x: model(x, training=False))
    return lambda: keras.tree.map_structure(np.asarray, forward(images))
