"""Passes over the parts of a data set in a few traced calls, with the callbacks that Keras's own ``fit`` makes.

Keras hands each pass a new iterator, traces a train step twice and a while loop around it; for small data that costs
as much as the training. Here the batches are cut out of tensors within the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ablate.keras.data.feed import Feed

__all__ = ["Loop", "make_metrics"]

_Pass = Callable[[Any, Any, Any], Mapping[str, Any]]


class Loop:
    """Trains and evaluates a compiled model.

    Args:
        model: The compiled model, its optimizer built.
        feeds: The pipelines, ``training`` and ``evaluation``.
        steps: Steps that TensorFlow takes before it comes back to Python and calls the callbacks of batches.
    """

    def __init__(self, model: Any, feeds: Mapping[str, Feed], steps: int) -> None:
        self._model, self._feeds, self._steps = model, feeds, steps
        make_metrics(model, feeds["training"].one_hot)
        self._train = _traced(model, model.train_step, feeds["training"])
        self._test = _traced(model, model.test_step, feeds["evaluation"])

    def fit(self, epochs: int, first: int, callbacks: Sequence[Any]) -> None:
        """Trains, and evaluates after each epoch what the evaluation feed is aimed at.

        Args:
            epochs: How many epochs the whole training has.
            first: How many of them are done already.
            callbacks: Called as by ``keras.Model.fit``; a bundle of steps counts as one batch. They may aim the
                training feed anew when an epoch begins.
        """
        model, steps = self._model, self._feeds["training"].steps
        heard = keras.callbacks.CallbackList(
            list(callbacks),
            add_history=True,
            model=model,
            epochs=epochs,
            steps=steps,
            verbose=0,
        )
        model.stop_training = False
        logs: dict[str, float] = {}
        heard.on_train_begin()
        for epoch in range(first, epochs):
            heard.on_epoch_begin(epoch)
            logs = self._pass(self._train, "training", heard.on_train_batch_begin, heard.on_train_batch_end)
            logs |= {f"val_{name}": value for name, value in self.evaluate(heard).items()}
            heard.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        model.optimizer.finalize_variable_values(model.trainable_weights)
        heard.on_train_end(logs)

    def evaluate(self, heard: Any = None) -> dict[str, float]:
        """Loss and metrics of what the evaluation feed is aimed at.

        Args:
            heard: Callbacks to tell of it.
        """
        told = heard or keras.callbacks.CallbackList(model=self._model)
        told.on_test_begin()
        logs = self._pass(self._test, "evaluation", told.on_test_batch_begin, told.on_test_batch_end)
        told.on_test_end(logs)
        return logs

    def _pass(
        self, traced: _Pass, name: str, begins: Callable[..., None], ends: Callable[..., None]
    ) -> dict[str, float]:
        feed = self._feeds[name]
        source = None if feed.direct else iter(feed.batches)
        self._model.reset_metrics()
        logs: Mapping[str, Any] = {}
        for begin in range(0, feed.steps, self._steps):
            end = min(begin + self._steps, feed.steps)
            begins(begin)
            logs = traced(tf.constant(begin, tf.int64), tf.constant(end, tf.int64), source)
            ends(end - 1, logs)
            if name == "training" and self._model.stop_training:
                break
        return {key: float(value) for key, value in logs.items()}


def make_metrics(model: Any, one_hot: bool) -> None:
    """Has a compiled model make the variables of its metrics.

    It would make them when it first sees numbers, which within a trace costs a second trace.

    Args:
        model: The compiled model, with one output.
        one_hot: Whether its labels are rows with a number for each class.
    """
    shape = [1, *model.outputs[0].shape[1:]]
    model.compute_metrics(None, tf.zeros(shape if one_hot else [1], tf.int64), tf.zeros(shape, model.outputs[0].dtype))
    model.reset_metrics()


def _traced(model: Any, step: Callable[[Any], Any], feed: Feed) -> _Pass:
    """The steps from one number to another as one call, which returns the metrics after them."""
    if model.jit_compile:
        step = tf.function(step, jit_compile=True, reduce_retracing=True, autograph=False)

    def taken(begin: Any, end: Any, source: Any) -> Mapping[str, Any]:
        def body(place: Any) -> tuple[Any]:
            step(feed.batch(place) if source is None else feed.scaled(*source.get_next()))
            return (place + 1,)

        tf.while_loop(lambda place: place < end, body, [begin])
        return model.get_metrics_result()

    return tf.function(taken, reduce_retracing=True, autograph=False)
