"""Batches for training, in an order that is set epoch by epoch."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from ablate.keras.data.dataset import Dataset, Pool
from ablate.keras.data.store import file_of

__all__ = ["Feed"]

_TOGETHER = 16
"""Batches that are made at a time, where they are small."""
_BYTES = 4 * 2**20
"""What these may take."""

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
        return self._read(self._order[step * self.batch_size : (step + 1) * self.batch_size])

    @property
    def batches(self) -> tf.data.Dataset:
        """All batches of a pass as a pipeline, to be used after `aim`."""
        if self.steps not in self._batches:
            self._batches[self.steps] = self._pipeline(self.steps)
        return self._batches[self.steps]

    def _read(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self._images is None:
            images = self.pool.images
            raw = tf.numpy_function(lambda index: images[index], [rows], tf.uint8, stateful=False)
            raw = tf.ensure_shape(raw, [None, *images.shape[1:]])
        else:
            raw = tf.gather(self._images, rows)
        own = tf.gather(self._labels, rows)
        scaled = (tf.cast(raw, tf.float32) - self._offset) * self._factor
        return scaled, tf.one_hot(own, len(self.pool.class_names)) if self.one_hot else own

    def _pipeline(self, steps: int) -> tf.data.Dataset:
        # A step costs more than the few kilobytes of a small batch do, so that several are made at a time.
        one = 4 * self.batch_size * int(np.prod(self.pool.images.shape[1:]))
        together = max(1, min(_TOGETHER, _BYTES // one))

        def bundle(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            many = self.batch_size * together
            images, labels = self._read(self._order[number * many : (number + 1) * many])
            shape = [together, self.batch_size]
            return tf.reshape(images, [*shape, *images.shape[1:]]), tf.reshape(labels, [*shape, *labels.shape[1:]])

        # The last batch may be smaller.
        bundles = (steps - 1) // together if together > 1 else 0
        batches = tf.data.Dataset.range(bundles * together, steps).map(self.batch)
        if bundles:
            batches = tf.data.Dataset.range(bundles).map(bundle).prefetch(1).unbatch().concatenate(batches)
            batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        options = tf.data.Options()
        options.deterministic = True
        return batches.prefetch(2).with_options(options)


def _tensor(pool: Pool) -> tf.Tensor:
    if pool not in _TENSORS:
        with tf.device("CPU"):
            # Images of a file that other processes map too are not copied.
            shared = file_of(pool.images) is not None
            dlpack = tf.experimental.dlpack
            _TENSORS[pool] = dlpack.from_dlpack(pool.images.__dlpack__()) if shared else tf.constant(pool.images)
    return _TENSORS[pool]
