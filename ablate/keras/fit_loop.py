"""Passes over the parts of a data set by Keras's own ``fit`` and ``evaluate``, which every back end has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.keras.data.batches import Batches

__all__ = ["FitLoop"]


class FitLoop:
    """Trains and evaluates a compiled model, as `Loop` does with TensorFlow.

    Args:
        model: The compiled model, its optimizer built.
        feeds: The batches, ``training`` and ``evaluation``.
    """

    def __init__(self, model: Any, feeds: Mapping[str, Batches]) -> None:
        self._model, self._feeds = model, feeds

    def fit(self, epochs: int, first: int, callbacks: Sequence[Any]) -> None:
        """Trains, and evaluates after each epoch what the evaluation batches are aimed at.

        Args:
            epochs: How many epochs the whole training has.
            first: How many of them are done already.
            callbacks: Called as by ``keras.Model.fit``. They may aim the training batches anew when an epoch begins.
        """
        self._model.fit(
            self._feeds["training"],
            validation_data=self._feeds["evaluation"],
            epochs=epochs,
            initial_epoch=first,
            callbacks=list(callbacks),
            shuffle=False,
            verbose=0,
        )

    def evaluate(self) -> dict[str, float]:
        """Loss and metrics of what the evaluation batches are aimed at."""
        logs = self._model.evaluate(self._feeds["evaluation"], verbose=0, return_dict=True)
        return {name: float(value) for name, value in logs.items()}
