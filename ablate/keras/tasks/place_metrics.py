"""Metrics of pixels and steps that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras


class PlaceAccuracy(keras.metrics.Mean):
    """The share of pixels or steps whose most probable class is theirs, without void ones.

    Args:
        name: What it is called in curves.
        void: The label of places that do not count; None where all do.
    """

    def __init__(self, name: str, void: int | None) -> None:
        super().__init__(name=name)
        self._void = void

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """See `keras.metrics.Metric`."""
        labels = keras.ops.cast(y_true, "int32")
        right = keras.ops.equal(labels, keras.ops.cast(keras.ops.argmax(y_pred, axis=-1), "int32"))
        counted = keras.ops.ones_like(labels) if self._void is None else keras.ops.not_equal(labels, self._void)
        super().update_state(keras.ops.cast(right, "float32"), keras.ops.cast(counted, "float32"))
