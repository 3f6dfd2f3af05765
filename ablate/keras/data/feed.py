"""Batches for training, in an order that is set epoch by epoch."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from ablate.keras.data.dataset import Dataset, Pool
from ablate.keras.data.store import file_of

__all__ = ["Feed"]

_AHEAD = 16
"""Batches that are fetched before they are asked for, at most."""
_BYTES = 64 * 2**20
"""What these may take; two are fetched in any case."""

_TENSORS: WeakKeyDictionary[Pool, tf.Tensor] = WeakKeyDictionary()


class Feed:
    """A pipeline over images of a pool; which of them, in which order and scaling, can change without a new trace.

    Args:
        pool: The images.
        batch_size: Images a batch; the last one may be smaller.
        one_hot: Whether the labels are vectors, as label smoothing needs them.

    Attributes:
        steps: How many batches a pass has.
        direct: Whether a step may cut its batch out of the images itself (`batch`); otherwise they come from a file, or
            go to a GPU, and `batches` fetches them while the step before is at work.
    """

    def __init__(self, pool: Pool, batch_size: int, *, one_hot: bool) -> None:
        self.pool = pool
        self.batch_size = batch_size
        self.one_hot = one_hot
        self.steps = 0
        self._order = tf.Variable(tf.zeros([0], tf.int64), trainable=False, shape=[None])
        channels = pool.images.shape[-1]
        self._offset = tf.Variable(tf.zeros([channels]), trainable=False)
        self._factor = tf.Variable(tf.ones([channels]), trainable=False)
        self._labels = tf.constant(pool.labels)
        self._images = None if isinstance(pool.images, np.memmap) else _tensor(pool)
        self._batches: dict[int, tf.data.Dataset] = {}
        self.direct = self._images is not None and not tf.config.list_physical_devices("GPU")

    def aim(self, dataset: Dataset, order: np.ndarray) -> None:
        """Sets what the next pass reads.

        Args:
            dataset: Whose scaling applies.
            order: (images,), positions in the pool.
        """
        self.steps = -(-len(order) // self.batch_size)
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
    def batches(self) -> tf.data.Dataset:
        """All batches of a pass as a pipeline, to be used after `aim`; `scaled` makes of one what a step trains on.

        The images travel as bytes: a fourth of what has to be moved, to a GPU too.
        """
        if self.steps not in self._batches:
            options = tf.data.Options()
            options.deterministic = True
            # What it would find out costs more than batches of small images do.
            options.autotune.enabled = False
            batches = tf.data.Dataset.range(self.steps).map(self._read, num_parallel_calls=2)
            ahead = _BYTES // (self.batch_size * int(np.prod(self.pool.images.shape[1:])))
            self._batches[self.steps] = batches.prefetch(max(2, min(_AHEAD, ahead))).with_options(options)
        return self._batches[self.steps]

    def scaled(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What a step trains on, of a batch as it is stored.

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
            raw = tf.numpy_function(lambda index: images[index], [rows], tf.uint8, stateful=False)
            raw = tf.ensure_shape(raw, [None, *images.shape[1:]])
        else:
            raw = tf.gather(self._images, rows)
        return raw, tf.gather(self._labels, rows)


def _tensor(pool: Pool) -> tf.Tensor:
    if pool not in _TENSORS:
        with tf.device("CPU"):
            # Images of a file that other processes map too are not copied.
            shared = file_of(pool.images) is not None
            dlpack = tf.experimental.dlpack
            _TENSORS[pool] = dlpack.from_dlpack(pool.images.__dlpack__()) if shared else tf.constant(pool.images)
    return _TENSORS[pool]
