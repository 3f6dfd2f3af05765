"""Training and evaluation loops: a few traced calls with TensorFlow, Keras's own ``fit`` with other back ends.

Keras creates an iterator for each pass, traces a train step twice and a while loop around it; for small data that costs
as much as the training. `TracedLoop` gathers the batches from tensors within the trace, and makes the same calls of
callbacks as ``fit``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ablate.keras.data.batches import ArrayBatches, TensorBatches

Kept = Callable[[Any], Any]
"""What is kept of the outputs for a batch: a function of tensors."""

_Pass = Callable[[Any, Any, Any], Mapping[str, Any]]


class TracedLoop:
    """Trains and evaluates a compiled model.

    Args:
        model: The compiled model, its optimizer built.
        batches: Its data, by ``training`` and ``evaluation``.
        steps: Steps that TensorFlow takes before it returns to Python and calls the callbacks of batches.
    """

    def __init__(self, model: Any, batches: Mapping[str, TensorBatches], steps: int) -> None:
        self._model, self._batches, self._steps = model, batches, steps
        build_metrics(model, batches["training"].encoded_sample())
        self._train = _traced(model, model.train_step, batches["training"])
        self._test = _traced(model, model.test_step, batches["evaluation"])
        self._predict: Callable[[Any, Any], Any] | None = None

    def fit(self, epochs: int, first: int, callbacks: Sequence[Any]) -> None:
        """Trains, and evaluates after each epoch on the selected evaluation images.

        Args:
            epochs: Epochs of the training in total.
            first: How many of them are done already.
            callbacks: Called as by ``keras.Model.fit``; steps that are taken in one call count as one batch. They may
                select other training images when an epoch begins.
        """
        model, steps = self._model, self._batches["training"].steps
        callback_list = keras.callbacks.CallbackList(
            list(callbacks), add_history=True, model=model, epochs=epochs, steps=steps, verbose=0
        )
        model.stop_training = False
        logs: dict[str, float] = {}
        callback_list.on_train_begin()
        for epoch in range(first, epochs):
            callback_list.on_epoch_begin(epoch)
            logs = self._pass(
                self._train, "training", callback_list.on_train_batch_begin, callback_list.on_train_batch_end
            )
            logs |= {f"val_{name}": value for name, value in self.evaluate(callback_list).items()}
            callback_list.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        model.optimizer.finalize_variable_values(model.trainable_weights)
        callback_list.on_train_end(logs)

    def evaluate(self, callbacks: Any = None) -> dict[str, float]:
        """Loss and metrics of the selected evaluation images.

        Args:
            callbacks: A list of Keras to call.
        """
        callbacks = callbacks or keras.callbacks.CallbackList(model=self._model)
        callbacks.on_test_begin()
        logs = self._pass(self._test, "evaluation", callbacks.on_test_batch_begin, callbacks.on_test_batch_end)
        callbacks.on_test_end(logs)
        return logs

    def predict(self, kept: Kept) -> np.ndarray:
        """Predictions for the selected evaluation examples.

        Args:
            kept: What is kept of the outputs for a batch; the first call counts.

        Returns:
            (examples, ...).
        """
        if self._predict is None:
            self._predict = _traced_predictions(self._model, self._batches["evaluation"], kept)
        batches = self._batches["evaluation"]
        iterator = None if batches.direct else iter(batches.pipeline)
        steps = range(batches.steps)
        return np.concatenate([np.asarray(self._predict(tf.constant(step, tf.int64), iterator)) for step in steps])

    def _pass(
        self, traced: _Pass, name: str, begins: Callable[..., None], ends: Callable[..., None]
    ) -> dict[str, float]:
        batches = self._batches[name]
        iterator = None if batches.direct else iter(batches.pipeline)
        self._model.reset_metrics()
        logs: Mapping[str, Any] = {}
        for begin in range(0, batches.steps, self._steps):
            end = min(begin + self._steps, batches.steps)
            begins(begin)
            logs = traced(tf.constant(begin, tf.int64), tf.constant(end, tf.int64), iterator)
            ends(end - 1, logs)
            if name == "training" and self._model.stop_training:
                break
        return {key: float(value) for key, value in logs.items()}


class FitLoop:
    """Trains and evaluates a compiled model by Keras's ``fit`` and ``evaluate``; see `TracedLoop`.

    Args:
        model: The compiled model, its optimizer built.
        batches: Its data, by ``training`` and ``evaluation``.
    """

    def __init__(self, model: Any, batches: Mapping[str, ArrayBatches]) -> None:
        self._model, self._batches = model, batches

    def fit(self, epochs: int, first: int, callbacks: Sequence[Any]) -> None:
        """See `TracedLoop.fit`."""
        self._model.fit(
            self._batches["training"],
            validation_data=self._batches["evaluation"],
            epochs=epochs,
            initial_epoch=first,
            callbacks=list(callbacks),
            shuffle=False,
            verbose=0,
        )

    def evaluate(self) -> dict[str, float]:
        """See `TracedLoop.evaluate`."""
        logs = self._model.evaluate(self._batches["evaluation"], verbose=0, return_dict=True)
        return {name: float(value) for name, value in logs.items()}

    def predict(self, kept: Kept) -> np.ndarray:
        """See `TracedLoop.predict`."""
        batches = self._batches["evaluation"]
        parts = [kept(self._model.predict_on_batch(batches[step][0])) for step in range(batches.steps)]
        return np.concatenate([np.asarray(keras.ops.convert_to_numpy(part)) for part in parts])


def _traced_predictions(model: Any, batches: TensorBatches, kept: Kept) -> Callable[[Any, Any], Any]:
    """What is kept of the outputs for one batch."""

    def predictions(step: Any, iterator: Any) -> Any:
        examples = (batches.batch(step) if iterator is None else batches.scaled(*iterator.get_next()))[0]
        return kept(model(examples, training=False))

    traced: Callable[[Any, Any], Any] = tf.function(predictions, reduce_retracing=True, autograph=False)
    return traced


def build_metrics(model: Any, labels: np.ndarray) -> None:
    """Creates the variables of the metrics of a compiled model.

    Keras would create them on the first batch, which within a trace costs a second trace.

    Args:
        model: The compiled model, with one output.
        labels: Labels of one example as the loss takes them.
    """
    shape = [1, *(side or size or 1 for side, size in zip_longest(model.outputs[0].shape[1:], labels.shape[1:]))]
    model.compute_metrics(None, tf.constant(labels), tf.zeros(shape, model.outputs[0].dtype))
    model.reset_metrics()


def _traced(model: Any, step: Callable[[Any], Any], batches: TensorBatches) -> _Pass:
    """The steps from one number to another as one call, which returns the metrics after them."""
    if model.jit_compile:
        step = tf.function(step, jit_compile=True, reduce_retracing=True, autograph=False)

    def steps(begin: Any, end: Any, iterator: Any) -> Mapping[str, Any]:
        def body(number: Any) -> tuple[Any]:
            step(batches.batch(number) if iterator is None else batches.scaled(*iterator.get_next()))
            return (number + 1,)

        tf.while_loop(lambda number: number < end, body, [begin])
        return model.get_metrics_result()

    return tf.function(steps, reduce_retracing=True, autograph=False)
