"""Batches of examples in an order that is set epoch by epoch: as tensors within a trace, or as arrays for `fit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from ablate.keras.data.dataset import Dataset, Pool
from ablate.keras.data.decoding import file_of
from ablate.keras.tasks.task import AS_STORED, Encoding

_MAX_PREFETCH = 16
"""Batches that are fetched before they are needed, at most."""
_PREFETCH_BYTES = 64 * 2**20
"""Bytes that these may take; two are fetched in any case."""

_TENSORS: WeakKeyDictionary[Pool, tf.Tensor] = WeakKeyDictionary()

Batch = tuple[Any, ...]
"""Examples, labels as the loss takes them and, where examples do not count alike, their weights."""


class _Batches:
    """Examples of a pool; which of them, in which order and scaling, can change between passes.

    Args:
        pool: The examples.
        batch_size: Examples a batch; the last one may be smaller.
        encoding: How labels become what the loss takes.
        weighted: Whether the weights of examples and classes count: in training, not in evaluation.

    Attributes:
        steps: How many batches a pass has.
        augmentation: A random change of examples and labels together, or None.
    """

    augmentation: Callable[[Any, Any], tuple[Any, Any]] | None = None

    def __init__(self, pool: Pool, batch_size: int, encoding: Encoding = AS_STORED, *, weighted: bool = False) -> None:
        super().__init__()
        self.pool, self.batch_size, self.encoding, self.steps = pool, batch_size, encoding, 0
        self._by_class = weighted and encoding.class_weights
        self._by_example = weighted and pool.weights is not None
        # Numbers of tokens are no amounts.
        self._scales = pool.images.dtype.kind == "f" or pool.images.dtype == np.uint8

    def select(self, dataset: Dataset, order: np.ndarray) -> None:
        """Sets what the next pass reads.

        Args:
            dataset: Whose scaling applies, that of labels too, and whose weights of classes.
            order: (examples,), positions in the pool.
        """
        self.steps = -(-len(order) // self.batch_size)

    def encoded_sample(self) -> np.ndarray:
        """The label of the first example as the loss takes it, in a batch of one."""
        labels = self.pool.labels[:1]
        if self.encoding.one_hot is not None:
            return np.zeros((*labels.shape, self.encoding.one_hot), np.float32)
        return np.zeros_like(labels, dtype=self.encoding.dtype)


class ArrayBatches(_Batches, keras.utils.PyDataset):
    """Batches of NumPy arrays for Keras's own training loop, whatever its back end; arguments as of `TensorBatches`."""

    def select(self, dataset: Dataset, order: np.ndarray) -> None:
        """See `_Batches.select`."""
        super().select(dataset, order)
        self._order, self._dataset = order, dataset

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> Batch:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        examples, labels = self.pool.images[rows], self.pool.labels[rows]
        if self._scales:
            examples = (examples.astype(np.float32) - self._dataset.offset) * self._dataset.factor
        if self.augmentation is not None:
            changed = self.augmentation(*map(keras.ops.convert_to_tensor, (examples, labels)))
            examples, labels = (np.asarray(keras.ops.convert_to_numpy(one)) for one in changed)
        weights = self._weights(rows, labels)
        return (examples, self._encoded(labels)) if weights is None else (examples, self._encoded(labels), weights)

    def _encoded(self, labels: np.ndarray) -> np.ndarray:
        encoding, dataset = self.encoding, self._dataset
        if encoding.one_hot is not None:
            return np.eye(encoding.one_hot, dtype=np.float32)[labels]
        if encoding.standardised:
            labels = (labels - dataset.label_offset) / dataset.label_deviation
        return labels if encoding.dtype is None else labels.astype(encoding.dtype)

    def _weights(self, rows: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
        by_example = self.pool.weights if self._by_example else None
        weights = None if by_example is None else by_example[rows].astype(np.float32)
        if not self._by_class or self._dataset.class_weights is None:
            return weights
        table = _padded(self._dataset.class_weights)
        of_classes: np.ndarray = table[np.minimum(labels.astype(np.int64), len(table) - 1)]
        if weights is None:
            return of_classes
        return of_classes * weights.reshape(-1, *[1] * (of_classes.ndim - 1))


class TensorBatches(_Batches):
    """Batches of tensors; a new order or scaling needs no new trace, because both are variables.

    Args:
        pool: The examples.
        batch_size: Examples a batch; the last one may be smaller.
        encoding: How labels become what the loss takes.
        weighted: Whether the weights of examples and classes count: in training, not in evaluation.

    Attributes:
        direct: Whether a step may gather its batch from the examples itself (`batch`); otherwise they lie in a file, or
            go to a GPU, and `pipeline` fetches them while the step before is computed.
    """

    def __init__(self, pool: Pool, batch_size: int, encoding: Encoding = AS_STORED, *, weighted: bool = False) -> None:
        super().__init__(pool, batch_size, encoding, weighted=weighted)
        self._order = tf.Variable(tf.zeros([0], tf.int64), trainable=False, shape=[None])
        channels = pool.images.shape[-1]
        self._offset = tf.Variable(tf.zeros([channels]), trainable=False)
        self._factor = tf.Variable(tf.ones([channels]), trainable=False)
        self._labels = tf.constant(pool.labels)
        if encoding.standardised:
            targets = pool.labels.shape[1]
            self._label_offset = tf.Variable(tf.zeros([targets], tf.float64), trainable=False)
            self._label_deviation = tf.Variable(tf.ones([targets], tf.float64), trainable=False)
        if self._by_class:
            self._class_weights = tf.Variable(tf.ones([len(pool.class_names) + 1]), trainable=False)
        if self._by_example:
            self._example_weights = tf.constant(pool.weights, tf.float32)
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
        if self.encoding.standardised:
            self._label_offset.assign(dataset.label_offset)
            self._label_deviation.assign(dataset.label_deviation)
        if self._by_class and dataset.class_weights is not None:
            self._class_weights.assign(_padded(dataset.class_weights))

    def batch(self, step: tf.Tensor) -> Batch:
        """A batch, within a trace.

        Args:
            step: Its number from 0.

        Returns:
            Examples, such as (batch, height, width, channels) of 32 bits, scaled; labels as the loss takes them; and
            weights, where they count.
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
            size = int(np.prod(self.pool.images.shape[1:])) * self.pool.images.dtype.itemsize
            fitting = _PREFETCH_BYTES // (self.batch_size * size)
            self._pipelines[self.steps] = batches.prefetch(max(2, min(_MAX_PREFETCH, fitting))).with_options(options)
        return self._pipelines[self.steps]

    def scaled(self, examples: tf.Tensor, labels: tf.Tensor, *weights: tf.Tensor) -> Batch:
        """A stored batch as a step trains on it.

        Args:
            examples: (batch, ...) as they are stored, images in bytes.
            labels: As they are stored.
            weights: (batch,), those of the examples, where they count.

        Returns:
            As `batch` does.
        """
        if self._scales:
            examples = (tf.cast(examples, tf.float32) - self._offset) * self._factor
        if self.augmentation is not None:
            examples, labels = self.augmentation(examples, labels)
        if self._by_class:
            top = tf.constant(len(self.pool.class_names), tf.int64)
            of_classes = tf.gather(self._class_weights, tf.minimum(tf.cast(labels, tf.int64), top))
            for of_examples in weights:
                of_classes *= tf.reshape(of_examples, [-1, *[1] * (len(labels.shape) - 1)])
            weights = (of_classes,)
        return (examples, self._encoded(labels), *weights)

    def _encoded(self, labels: tf.Tensor) -> tf.Tensor:
        encoding = self.encoding
        if encoding.one_hot is not None:
            return tf.one_hot(labels, encoding.one_hot)
        if encoding.standardised:
            labels = (labels - self._label_offset) / self._label_deviation
        return labels if encoding.dtype is None else tf.cast(labels, encoding.dtype)

    def _read(self, step: tf.Tensor) -> Batch:
        rows = self._order[step * self.batch_size : (step + 1) * self.batch_size]
        if self._images is None:
            images = self.pool.images
            stored = tf.numpy_function(lambda index: images[index], [rows], images.dtype, stateful=False)
            stored = tf.ensure_shape(stored, [None, *images.shape[1:]])
        else:
            stored = tf.gather(self._images, rows)
        labels = tf.gather(self._labels, rows)
        return (stored, labels, tf.gather(self._example_weights, rows)) if self._by_example else (stored, labels)


def _padded(class_weights: np.ndarray) -> np.ndarray:
    """The weights of the classes, and after them that of a pixel without a class, which no loss counts."""
    return np.append(class_weights, np.float32(1))


def _tensor(pool: Pool) -> tf.Tensor:
    if pool not in _TENSORS:
        with tf.device("CPU"):
            # Images of a file that other processes map too are not copied.
            shared = file_of(pool.images) is not None
            dlpack = tf.experimental.dlpack
            _TENSORS[pool] = dlpack.from_dlpack(pool.images.__dlpack__()) if shared else tf.constant(pool.images)
    return _TENSORS[pool]
