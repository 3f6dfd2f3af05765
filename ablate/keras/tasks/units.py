"""Metrics in the units of the data, for networks that are trained on standardised numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class LabelUnits:
    """Mean and deviation of the labels of the training part, as variables that differ from run to run.

    Args:
        count: Numbers a label has.
    """

    def __init__(self, count: int) -> None:
        self._offset = keras.Variable(np.zeros(count, "float32"), trainable=False, name="label_offset")
        self._deviation = keras.Variable(np.ones(count, "float32"), trainable=False, name="label_deviation")

    def assign(self, offset: np.ndarray, deviation: np.ndarray) -> None:
        """Sets the units of a run.

        Args:
            offset: (numbers,), the mean.
            deviation: (numbers,).
        """
        self._offset.assign(offset.astype("float32"))
        self._deviation.assign(deviation.astype("float32"))

    def restored(self, values: Any) -> Any:
        """Standardised numbers in their own units.

        Args:
            values: (examples, numbers), a tensor.
        """
        return keras.ops.cast(values, "float32") * self._deviation + self._offset


class InUnits(keras.metrics.Metric):
    """A metric of standardised labels and predictions, measured in their own units.

    Args:
        metric: The metric.
        units: What restores them.
    """

    def __init__(self, metric: Any, units: LabelUnits) -> None:
        super().__init__(name=metric.name)
        self.metric, self._units = metric, units

    @property
    def variables(self) -> list[Any]:
        """Those of the metric."""
        return list(self.metric.variables)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """See `keras.metrics.Metric`."""
        return self.metric.update_state(self._units.restored(y_true), self._units.restored(y_pred), sample_weight)

    def result(self) -> Any:
        """See `keras.metrics.Metric`."""
        return self.metric.result()

    def reset_state(self) -> None:
        """See `keras.metrics.Metric`."""
        self.metric.reset_state()
