"""Batches of images in an order that is set epoch by epoch: as tensors within a trace, or as arrays for Keras's fit."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from ablate.keras.data.dataset import Dataset, Pool
from ablate.keras.data.decoding import file_of

_MAX_PREFETCH = 16
"""Batches that are fetched before they are needed, at most."""
_PREFETCH_BYTES = 64 * 2**20
"""Bytes that these may take; two are fetched in any case."""

_TENSORS: WeakKeyDictionary[Pool, tf.Tensor] = WeakKeyDictionary()


class _Batches:
    """Images of a pool; which of them, in which order and scaling, can change between passes.

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

    def select(self, dataset: Dataset, order: np.ndarray) -> None:
        """Sets what the next pass reads.

        Args:
            dataset: Whose scaling applies.
            order: (images,), positions in the pool.
        """
        self.steps = -(-len(order) // self.batch_size)


class ArrayBatches(_Batches, keras.utils.PyDataset):
    """Batches of NumPy arrays for Keras's own training loop, whatever its back end; arguments as of `TensorBatches`."""

    def select(self, dataset: Dataset, order: np.ndarray) -> None:
        """See `_Batches.select`."""
        super().select(dataset, order)
        self._order, self._offset, self._factor = order, dataset.offset, dataset.factor

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        images = (self.pool.images[rows].astype(np.float32) - self._offset) * self._factor
        labels = self.pool.labels[rows]
        return images, np.eye(len(self.pool.class_names), dtype=np.float32)[labels] if self.one_hot else labels


class TensorBatches(_Batches):
    """Batches of tensors; a new order or scaling needs no new trace, because both are variables.

    Args:
        pool: The images.
        batch_size: Images a batch; the last one may be smaller.
        one_hot: Whether the labels are vectors, as label smoothing needs them.

    Attributes:
        direct: Whether a step may gather its batch from the images itself (`batch`); otherwise they lie in a file, or
            go to a GPU, and `pipeline` fetches them while the step before is computed.
    """

    def __init__(self, pool: Pool, batch_size: int, *, one_hot: bool) -> None:
        super().__init__(pool, batch_size, one_hot=one_hot)
        self._order = tf.Variable(tf.zeros([0], tf.int64), trainable=False, shape=[None])
        channels = pool.images.shape[-1]
        self._offset = tf.Variable(tf.zeros([channels]), trainable=False)
        self._factor = tf.Variable(tf.ones([channels]), trainable=False)
        self._labels = tf.constant(pool.labels)
        # A memmap is larger than the memory that images may fill.
        self._images = None if isinstance(pool.images, np.memmap) else _tensor(pool)
        self._pipelines: dict[int, tf.data.Dataset] = {}
        self.direct = self._images is not None and not tf.config.list_physical_devices("GPU")

    def select(self, dataset: Dataset, order: np.ndarray) -> None:
        """See `_Batches.select`."""
        super().select(dataset, order)
        self._offset.assign(dataset.offset)
        self._factor.assign(dataset.factor)
        self._order.assign(order)

    def batch(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A batch, within a trace.

        Args:
            step: Its number from 0.

        Returns:
            Images, (batch, height, width, channels) of 32 bits, scaled; labels, (batch,) whole numbers or
            (batch, classes) of 32 bits.
        """
        return self.scaled(*self._read(step))

    @property
    def pipeline(self) -> tf.data.Dataset:
        """All batches of a pass as a pipeline, to be used after `select`; `scaled` converts them for a step.

        The images travel as bytes: a fourth of what has to be moved, to a GPU too.
        """
        if self.steps not in self._pipelines:
            options = tf.data.Options()
            options.deterministic = True
            # Autotuning costs more than it gains on batches of small images.
            options.autotune.enabled = False
            batches = tf.data.Dataset.range(self.steps).map(self._read, num_parallel_calls=2)
            fitting = _PREFETCH_BYTES // (self.batch_size * int(np.prod(self.pool.images.shape[1:])))
            self._pipelines[self.steps] = batches.prefetch(max(2, min(_MAX_PREFETCH, fitting))).with_options(options)
        return self._pipelines[self.steps]

    def scaled(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A stored batch as a step trains on it.

        Args:
            images: (batch, height, width, channels) of bytes.
            labels: (batch,) whole numbers.

        Returns:
            As `batch` does.
        """
        floats = (tf.cast(images, tf.float32) - self._offset) * self._factor
        return floats, tf.one_hot(labels, len(self.pool.class_names)) if self.one_hot else labels

    def _read(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = self._order[step * self.batch_size : (step + 1) * self.batch_size]
        if self._images is None:
            images = self.pool.images
            stored = tf.numpy_function(lambda index: images[index], [rows], tf.uint8, stateful=False)
            stored = tf.ensure_shape(stored, [None, *images.shape[1:]])
        else:
            stored = tf.gather(self._images, rows)
        return stored, tf.gather(self._labels, rows)


def _tensor(pool: Pool) -> tf.Tensor:
    if pool not in _TENSORS:
        with tf.device("CPU"):
            # Images of a file that other processes map too are not copied.
            shared = file_of(pool.images) is not None
            dlpack = tf.experimental.dlpack
            _TENSORS[pool] = dlpack.from_dlpack(pool.images.__dlpack__()) if shared else tf.constant(pool.images)
    return _TENSORS[pool]
