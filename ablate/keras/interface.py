"""For a training script of one's own: cost and diagram of a network, batches in a paired order, curves of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ablate.errors import NetworkError
from ablate.keras.diagram_blocks import diagram_blocks
from ablate.keras.drawing import Diagram, draw
from ablate.keras.graph_reader import graph_of
from ablate.keras.streams import generator
from ablate.keras.theoretical_cost import activations, flops
from ablate.store.run_folder import current_run


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
    try:
        operations = flops(model)
    except (NetworkError, ValueError, TypeError):  # not every operation has a count, nor every back end
        operations = None
    return NetworkCost(model.count_params(), activations(model), operations)


def diagram(model: Any, ablated: Any = None, title: str = "") -> Diagram:
    """The diagram of a network, or of two with what the second lacks marked.

    Args:
        model: A functional or Sequential Keras model.
        ablated: What `remove` made of it; None to draw the model alone.
        title: What stands on top.

    Returns:
        The diagram, a matplotlib figure; ``diagram(...).savefig("network.pdf")`` writes it.

    Raises:
        NetworkError: If a model has no graph.
    """
    cell = None if ablated is None else graph_of(ablated)
    return draw(diagram_blocks(graph_of(model), cell), title)


class ShuffledBatches(keras.utils.PyDataset):
    """Arrays in batches for ``fit``: in another order each epoch, in the same one whatever the network.

    With the global seed set, TensorFlow shuffles the arrays that ``fit`` is given in the same order in each epoch.

    Args:
        x: Inputs, a row an example.
        y: Targets, in the same order.
        seed: Seed of the run.
        batch_size: Examples a batch.

    Example:
        ``model.fit(ShuffledBatches(x, y, config["seed"]), epochs=5)``
    """

    def __init__(self, x: Any, y: Any, seed: int, batch_size: int = 32) -> None:
        super().__init__()
        self._x, self._y = np.asarray(x), np.asarray(y)
        self._seed, self._batch_size = seed, batch_size
        self._epoch = 0
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._x) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._x[rows], self._y[rows]

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self._epoch += 1
        self._order = generator(self._seed, "order", self._epoch).permutation(len(self._x))


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
