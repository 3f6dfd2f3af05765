"""Training and evaluation loops: a few traced calls with TensorFlow, Keras's own ``fit`` with other back ends.

Keras creates an iterator for each pass, traces a train step twice and a while loop around it; for small data that costs
as much as the training. `TracedLoop` gathers the batches from tensors within the trace, and makes the same calls of
callbacks as ``fit``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ablate.keras.data.batches import ArrayBatches, TensorBatches
from ablate.keras.outputs import OutputKind, most_probable

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
        build_metrics(model, batches["training"].one_hot)
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

    def predicted_classes(self, kind: OutputKind) -> np.ndarray:
        """The most probable class of each of the selected evaluation images.

        Args:
            kind: What the outputs of the network mean.

        Returns:
            (images,), whole numbers.
        """
        if self._predict is None:
            self._predict = _traced_classes(self._model, self._batches["evaluation"], kind)
        batches = self._batches["evaluation"]
        iterator = None if batches.direct else iter(batches.pipeline)
        steps = range(batches.steps)
        parts = [np.asarray(self._predict(tf.constant(step, tf.int64), iterator)) for step in steps]
        return np.concatenate(parts).astype(np.int64)

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

    def predicted_classes(self, kind: OutputKind) -> np.ndarray:
        """See `TracedLoop.predicted_classes`."""
        outputs = self._model.predict(self._batches["evaluation"], verbose=0)
        return np.asarray(keras.ops.convert_to_numpy(most_probable(outputs, kind))).astype(np.int64)


def _traced_classes(model: Any, batches: TensorBatches, kind: OutputKind) -> Callable[[Any, Any], Any]:
    """The most probable classes of the images of one batch."""

    def classes(step: Any, iterator: Any) -> Any:
        images, _ = batches.batch(step) if iterator is None else batches.scaled(*iterator.get_next())
        return most_probable(model(images, training=False), kind)

    traced: Callable[[Any, Any], Any] = tf.function(classes, reduce_retracing=True, autograph=False)
    return traced


def build_metrics(model: Any, one_hot: bool) -> None:
    """Creates the variables of the metrics of a compiled model.

    Keras would create them on the first batch, which within a trace costs a second trace.

    Args:
        model: The compiled model, with one output.
        one_hot: Whether its labels are rows with a number for each class.
    """
    shape = [1, *model.outputs[0].shape[1:]]
    model.compute_metrics(None, tf.zeros(shape if one_hot else [1], tf.int64), tf.zeros(shape, model.outputs[0].dtype))
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
