"""Seconds of a forward pass and of a training step on this machine, several networks in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ablate.keras import device
from ablate.keras.loop import build_metrics

Pass = Callable[[], Any]
"""Computes what is timed once, and returns when it is done."""


def in_turn(passes: Sequence[Pass], seconds: float, least: int = 3, most: int = 30) -> np.ndarray:
    """Times several passes in turn, so that other load on the machine affects all alike.

    Args:
        passes: What to time; each runs twice before it counts, the first time to be built.
        seconds: About how long to take for all of them together, beside building.
        least: Least number of rounds, however long they take.
        most: Largest number of rounds.

    Returns:
        Seconds, a row a round, a column a pass.
    """
    for run in passes:
        run()
    begin = time.perf_counter()
    for run in passes:
        run()
    round_seconds = time.perf_counter() - begin
    rounds = int(min(most, max(least, seconds / max(round_seconds, 1e-9))))
    timed = np.empty((rounds, len(passes)))
    for number in range(rounds):
        # Every second round goes backwards, so that no network always runs after the same other.
        order = range(len(passes)) if number % 2 == 0 else reversed(range(len(passes)))
        for index in order:
            begin = time.perf_counter()
            passes[index]()
            timed[number, index] = time.perf_counter() - begin
    return timed


def forward_pass(model: Any, batch: int) -> Pass:
    """A forward pass as in inference.

    Args:
        model: A functional model.
        batch: Number of images.
    """
    images = _images(model, batch)
    if device.backend_name() != "tensorflow":
        return lambda: model.predict_on_batch(images)
    forward = tf.function(lambda x: model(x, training=False), autograph=False).get_concrete_function(images)
    return lambda: _wait(forward(images))


def training_step(model: Any, batch: int, jit: bool = False) -> Pass:
    """A step of training: forward, backward, update of the weights.

    Args:
        model: A compiled model with one output, a number for each class.
        batch: Number of images.
        jit: Whether XLA compiles the step.
    """
    classes = model.outputs[0].shape[-1]
    labels = np.arange(batch) % classes
    smooth = isinstance(model.loss, keras.losses.CategoricalCrossentropy)
    values = np.eye(classes, dtype="float32")[labels] if smooth else labels
    images = _images(model, batch)
    if device.backend_name() != "tensorflow":
        return lambda: model.train_on_batch(images, values)
    targets = tf.constant(values)
    build_metrics(model, smooth)
    step = tf.function(model.train_step, jit_compile=jit, autograph=False).get_concrete_function((images, targets))
    return lambda: _wait(step((images, targets)))


def _images(model: Any, batch: int) -> Any:
    rng = np.random.default_rng(0)

    def values(tensor: Any) -> Any:
        shape = (batch, *(side or 1 for side in tensor.shape[1:]))
        return keras.ops.convert_to_tensor(rng.uniform(size=shape).astype("float32"), tensor.dtype)

    return keras.tree.map_structure(values, model.input)


def _wait(outputs: Any) -> None:
    """Waits until an accelerator has computed the outputs."""
    keras.tree.map_structure(np.asarray, outputs)
