"""The records of a prepared set of tensorflow-datasets, read many at a time.

The library parses and decodes one example after the other, which costs more than the decoding itself: small images come
two to three times faster this way.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from ablate.keras.data.decoding import Block, decode_blocks
from ablate.keras.data.images import fitted, opened, picture

_BATCH = 256


def read_records(
    builder: Any, split: str, image_key: str, label_key: str, shape: tuple[int, int, int], fit: str
) -> Iterator[Block]:
    """The images of one split in the order of the files.

    Args:
        builder: A builder whose set is prepared.
        split: Its name, slices too.
        image_key: Name of the image among the features.
        label_key: Name of the class.
        shape: Height, width and channels of the result.
        fit: How an image comes to that size.

    Yields:
        Blocks of a few hundred images.

    Raises:
        ValueError: An image is not a picture.
    """
    feature = builder.info.features[image_key]
    same_shape = tuple(feature.shape) == shape and feature.np_dtype == np.uint8
    if not _is_flat(builder, image_key, label_key):
        yield from _by_library(builder, split, image_key, label_key, shape, fit)
    elif same_shape:
        yield from _unchanged(builder, split, image_key, label_key, shape)
    else:
        examples = _encoded(builder, split, image_key, label_key).unbatch().prefetch(_BATCH).as_numpy_iterator()

        def decode(example: tuple[bytes, Any]) -> tuple[np.ndarray, int, tuple[int, int]]:
            with opened(example[0], shape[:2]) as (image, size):
                return fitted(image, shape[:2], shape[2], fit), int(example[1]), size

        yield from decode_blocks(examples, decode)


def _is_flat(builder: Any, image_key: str, label_key: str) -> bool:
    """Whether a record holds one encoded picture of 8 bits, and one class."""
    feature, files = builder.info.features[image_key], builder.info.file_format
    serialized = feature.get_serialized_info(), builder.info.features[label_key].get_serialized_info()
    return (
        files == tfds.core.FileFormat.TFRECORD
        and feature.np_dtype == np.uint8
        and [getattr(one, "shape", None) for one in serialized] == [(), ()]
        and [getattr(one, "tf_dtype", None) for one in serialized] == [tf.string, tf.int64]
    )


def _encoded(builder: Any, split: str, image_key: str, label_key: str) -> tf.data.Dataset:
    """Encoded pictures with their classes, in batches."""
    spec = {image_key: tf.io.FixedLenFeature((), tf.string), label_key: tf.io.FixedLenFeature((), tf.int64)}
    # Each piece is (file, how many records to skip, how many to take or -1 for the rest).
    pieces = [
        tf.data.TFRecordDataset(str(piece.filename)).skip(piece.skip).take(piece.take)
        for piece in builder.info.splits[split].file_instructions
    ]
    records = reduce(lambda one, other: one.concatenate(other), pieces)

    def parse(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(batch, spec)
        return parsed[image_key], parsed[label_key]

    return records.batch(_BATCH).map(parse)


def _unchanged(
    builder: Any, split: str, image_key: str, label_key: str, shape: tuple[int, int, int]
) -> Iterator[Block]:
    def decode(pictures: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        one = tf.TensorSpec(shape, tf.uint8)
        images = tf.map_fn(
            lambda code: tf.ensure_shape(tf.io.decode_image(code, shape[2], expand_animations=False), shape),
            pictures,
            fn_output_signature=one,
        )
        return images, labels

    batches = _encoded(builder, split, image_key, label_key).map(decode, tf.data.AUTOTUNE, deterministic=True)
    for images, labels in batches.prefetch(2).as_numpy_iterator():
        yield images, labels, np.full((len(labels), 2), shape[:2], np.int32)


def _by_library(
    builder: Any, split: str, image_key: str, label_key: str, shape: tuple[int, int, int], fit: str
) -> Iterator[Block]:
    """By the reader of the library: other file formats, other types, nested features."""
    only = tfds.decode.PartialDecoding({image_key: True, label_key: True})
    # The library would hold a small set in memory, in addition to our pool.
    config = tfds.ReadConfig(try_autocache=False)
    examples = builder.as_dataset(split=split, shuffle_files=False, read_config=config, decoders=only)

    def decode(example: dict[str, Any]) -> tuple[np.ndarray, int, tuple[int, ...]]:
        image = example[image_key]
        return fitted(picture(image), shape[:2], shape[2], fit), int(example[label_key]), image.shape[:2]

    yield from decode_blocks(examples.prefetch(_BATCH).as_numpy_iterator(), decode)
