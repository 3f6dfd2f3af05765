"""Batches for training, in an order that is set epoch by epoch."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from ablate.keras.data.dataset import Dataset, Pool

__all__ = ["Feed"]

_TENSORS: WeakKeyDictionary[Pool, tf.Tensor] = WeakKeyDictionary()


class Feed:
    """A pipeline over one part of a data set; order, split and scaling can change without building it again.

    Args:
        pool: The images.
        size: How many of them an epoch reads.
        batch_size: Images a batch; the last one may be smaller.
        one_hot: Whether the labels are vectors, as label smoothing needs them.

    Attributes:
        batches: A ``tf.data.Dataset`` of (images, labels): (batch, height, width, channels) of 32 bits, scaled, and
            (batch,) whole numbers or (batch, classes) of 32 bits.
    """

    def __init__(self, pool: Pool, size: int, batch_size: int, *, one_hot: bool) -> None:
        self.pool = pool
        self.size = size
        self.steps = -(-size // batch_size)
        self._order = tf.Variable(tf.zeros([size], tf.int64), trainable=False)
        channels = pool.images.shape[-1]
        self._offset = tf.Variable(tf.zeros([channels]), trainable=False)
        self._factor = tf.Variable(tf.ones([channels]), trainable=False)
        labels = tf.constant(pool.labels)
        shape = pool.images.shape[1:]
        images = None if isinstance(pool.images, np.memmap) else _tensor(pool)

        def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = self._order[step * batch_size : (step + 1) * batch_size]
            if images is None:
                raw = tf.numpy_function(lambda index: pool.images[index], [rows], tf.uint8, stateful=False)
                raw = tf.ensure_shape(raw, [None, *shape])
            else:
                raw = tf.gather(images, rows)
            own = tf.gather(labels, rows)
            scaled = (tf.cast(raw, tf.float32) - self._offset) * self._factor
            return scaled, tf.one_hot(own, len(pool.class_names)) if one_hot else own

        options = tf.data.Options()
        options.deterministic = True
        self.batches = tf.data.Dataset.range(self.steps).map(batch).prefetch(2).with_options(options)

    def aim(self, dataset: Dataset, order: np.ndarray) -> None:
        """Sets what the next pass reads.

        Args:
            dataset: Whose scaling applies.
            order: (size,), positions in the pool.
        """
        self._offset.assign(dataset.offset)
        self._factor.assign(dataset.factor)
        self._order.assign(order)


def _tensor(pool: Pool) -> tf.Tensor:
    if pool not in _TENSORS:
        with tf.device("CPU"):
            _TENSORS[pool] = tf.constant(pool.images)
    return _TENSORS[pool]
