"""Batches for Keras's own training loop, whatever its back end: NumPy arrays in an order that is set epoch by epoch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ablate.keras.data.dataset import Dataset, Pool

__all__ = ["Batches"]


class Batches(keras.utils.PyDataset):
    """Images of a pool as `Feed` gives them; which of them, and in which order and scaling, can change between passes.

    Args:
        pool: The images.
        batch_size: Images a batch; the last one may be smaller.
        one_hot: Whether the labels are vectors, as label smoothing needs them.

    Attributes:
        steps: How many batches a pass has.
    """

    def __init__(self, pool: Pool, batch_size: int, *, one_hot: bool) -> None:
        super().__init__()
        self.pool, self.batch_size, self.one_hot, self.steps = pool, batch_size, one_hot, 0
        self._order = np.empty(0, np.int64)
        self._offset = self._factor = np.zeros(0, np.float32)

    def aim(self, dataset: Dataset, order: np.ndarray) -> None:
        """Sets what the next pass reads.

        Args:
            dataset: Whose scaling applies.
            order: (images,), positions in the pool.
        """
        self.steps = -(-len(order) // self.batch_size)
        self._order, self._offset, self._factor = order, dataset.offset, dataset.factor

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        images = (self.pool.images[rows].astype(np.float32) - self._offset) * self._factor
        labels = self.pool.labels[rows]
        return images, np.eye(len(self.pool.class_names), dtype=np.float32)[labels] if self.one_hot else labels
