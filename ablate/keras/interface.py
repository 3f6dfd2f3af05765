"""For a training script of one's own: what a network costs, its diagram, and a callback that records a run's curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
from matplotlib import style
from matplotlib.figure import Figure

from ablate.errors import NetworkError
from ablate.keras.cost import activations, flops, weights
from ablate.keras.diagram import draw
from ablate.keras.diagram_parts import parts
from ablate.keras.graph_reader import graph_of
from ablate.store.run_folder import current_run

__all__ = ["Curves", "NetworkCost", "cost", "diagram"]


@dataclass(frozen=True)
class NetworkCost:
    """What a network costs in theory.

    Args:
        weights: Number of weights, trainable or not.
        activations: Numbers that the layers pass on for one image.
        flops: Floating-point operations of a forward pass of one image; None if they cannot be counted.
    """

    weights: int
    activations: int
    flops: int | None

    def __str__(self) -> str:
        operations = "not counted" if self.flops is None else f"{self.flops:,}"
        return f"{self.weights:,} weights, {operations} operations, {self.activations:,} activations"


def cost(model: Any) -> NetworkCost:
    """What a network costs in theory; ``ablate -m`` also measures what it takes.

    Args:
        model: A functional or Sequential Keras model.

    Raises:
        NetworkError: If the model has no graph.
    """
    counted = {"weights": weights(model), "activations": activations(model)}
    try:
        return NetworkCost(**counted, flops=flops(model))
    except (NetworkError, ValueError, TypeError):  # not every operation has a count, nor every back end
        return NetworkCost(**counted, flops=None)


def diagram(model: Any, ablated: Any = None, title: str = "") -> Figure:
    """The diagram of a network, or of two with what the second lacks marked.

    Args:
        model: A functional or Sequential Keras model.
        ablated: What `remove` made of it; None to draw the model alone.
        title: What stands on top.

    Returns:
        A matplotlib figure: it shows in a notebook, and ``savefig`` writes it.

    Raises:
        NetworkError: If a model has no graph.
    """
    with style.context("default"):
        return draw(parts(graph_of(model), None if ablated is None else graph_of(ablated)), title)


class Curves(keras.callbacks.Callback):
    """Writes the curves of a run of `ablate.run` where its study reads them, epoch by epoch.

    The columns are Keras's metrics: ``val_accuracy`` as it is, ``accuracy`` as ``train_accuracy``. A second call of
    ``fit`` goes on where the first ended. Outside of a study it does nothing, so that the same script trains alone.

    Example:
        ``model.fit(x, y, validation_split=0.2, epochs=5, callbacks=[Curves()])``
    """

    def __init__(self) -> None:
        super().__init__()
        self._folder = current_run()
        self._epochs = 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the row of an epoch."""
        if self._folder is None:
            return
        if not self._epochs:
            # What an attempt that was interrupted wrote of this epoch and later ones.
            self._folder.truncate_curves(epoch)
        self._epochs = max(self._epochs, epoch) + 1
        values = {
            name if name.startswith("val_") or name == "learning_rate" else f"train_{name}": float(value)
            for name, value in (logs or {}).items()
        }
        self._folder.append_curves(self._epochs, values)
