"""One part of a data set as a user's function returned it, read as images with labels, as often as needed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ablate.errors import NetworkError
from ablate.formatting import listing

FORMS = (
    "It must return (images, labels), ((images, labels) for training, (images, labels) for testing), a tf.data.Dataset "
    "or a generator of images with labels, or {train: ..., validation: ..., test: ..., class_names: [...]} of such."
)
_LEAST_REPEATS = 1000
"""Images that a generator may repeat before it counts as one without end."""
_MOST_EXAMPLES = 20_000_000
_LONGEST = 600.0
"""Seconds that a generator may take for a pass."""
_IMAGE_COLUMNS = ("image", "img", "picture", "photo")
_LABEL_COLUMNS = ("label", "fine_label", "labels", "class", "target")


@dataclass(frozen=True)
class UserPart:
    """One part as the function returned it.

    Args:
        count: How many images there are.
        read: Returns the images with their labels, one by one, from the first on.
        names: What the part itself calls its classes, if it does.
    """

    count: int
    read: Callable[[], Iterator[tuple[Any, Any]]]
    names: tuple[str, ...] | None = None


def read_part(where: str, part: str, value: Any, again: Callable[[], Any]) -> UserPart:
    """One part, whatever it is.

    Args:
        where: What the messages call the function.
        part: Its name.
        value: What the function returned for it.
        again: Returns it anew: a generator can be read only once.

    Raises:
        NetworkError: It is nothing that holds images with labels, or it does not end.
    """
    if isinstance(value, keras.utils.PyDataset):
        return _from_batches(value)
    if isinstance(value, Iterator):
        return _from_generator(where, part, again, value)
    if isinstance(value, tf.data.Dataset):
        return _from_dataset(where, part, value)
    if is_table(value):
        return _from_table(where, part, value)
    return _from_arrays(where, part, value)


def is_table(value: Any) -> bool:
    """Whether it is a table with named columns that gives its rows as mappings, such as a Hugging Face data set."""
    has_rows = hasattr(value, "__iter__") or hasattr(value, "__getitem__")
    return isinstance(getattr(value, "column_names", None), list | tuple) and has_rows


def is_pair(value: Any) -> bool:
    """Whether it may be images and labels, or what trains and what tests."""
    return isinstance(value, tuple | list) and len(value) == 2


def _from_table(where: str, part: str, value: Any) -> UserPart:
    columns = [str(name) for name in value.column_names]
    if not hasattr(value, "__len__"):
        raise NetworkError(
            f"{where} returned for {part} a stream of rows with the columns {listing(columns, 20)}: load it without "
            "streaming=True, so that it can be read again."
        )
    if not {"image", "label"} <= {*columns}:
        renamed = [
            f".rename_column('{name}', '{needed}')"
            for needed, usual in (("image", _IMAGE_COLUMNS), ("label", _LABEL_COLUMNS))
            if needed not in columns
            for name in [next((name for name in usual if name in columns), "...")]
        ]
        raise NetworkError(
            f"{where} returned for {part} a table with the columns {listing(columns, 20)}: 'image' and 'label' are "
            f"needed. Return it with {''.join(renamed)}."
        )
    return UserPart(len(value), lambda: ((row["image"], row["label"]) for row in value))


def _from_batches(value: Any) -> UserPart:
    """One pass over batches by number, as `flow_from_directory` and others of Keras give them without end."""

    def read() -> Iterator[tuple[Any, Any]]:
        for number in range(len(value)):
            images, labels = value[number][:2]
            yield from zip(images, labels, strict=True)

    samples = getattr(value, "n", None)
    return UserPart(samples if isinstance(samples, int) else sum(1 for _ in read()), read)


def _from_arrays(where: str, part: str, value: Any) -> UserPart:
    if not (is_pair(value) and all(hasattr(half, "__len__") for half in value)):
        raise NetworkError(f"{where} returned {type(value).__name__} for {part}. {FORMS}")
    images, labels = value
    if len(images) != len(labels):
        raise NetworkError(f"{where} returned {len(images)} images and {len(labels)} labels for {part}.")
    return UserPart(len(images), lambda: zip(images, labels, strict=True))


def _from_dataset(where: str, part: str, value: Any) -> UserPart:
    element = value.element_spec
    if isinstance(element, Mapping) and {"image", "label"} <= set(element):
        value = value.map(lambda example: (example["image"], example["label"]))
    elif not (isinstance(element, tuple) and len(element) >= 2):
        raise NetworkError(f"{where} returned for {part} a data set of {element}. {FORMS}")
    else:
        value = value.map(lambda *example: example[:2])
    if value.element_spec[0].shape.rank == 4:
        value = value.unbatch()
    count = int(value.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise NetworkError(f"{where} returned for {part} a data set without end: leave out repeat().")
    if count == tf.data.UNKNOWN_CARDINALITY:
        count = int(value.reduce(np.int64(0), lambda number, _: number + 1))
    return UserPart(count, value.as_numpy_iterator)


def _from_generator(where: str, part: str, again: Callable[[], Any], first: Iterator[Any]) -> UserPart:
    def checked(values: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        for value in values:
            if not (isinstance(value, tuple | list) and len(value) >= 2):
                raise NetworkError(
                    f"{where} gives {type(value).__name__} for {part}: an image and its label are needed."
                )
            image, label = value[:2]
            # Four dimensions are a batch, as Keras's generators yield.
            yield from zip(image, label, strict=True) if np.ndim(image) == 4 else [(image, label)]

    def read() -> Iterator[tuple[Any, Any]]:
        return checked(iter(again()))

    return UserPart(_count(where, part, checked(first)), read)


def _count(where: str, part: str, examples: Iterator[tuple[Any, Any]]) -> int:
    """How many examples a generator gives.

    Raises:
        NetworkError: It does not seem to end: it gives the same images again and again, or very many of them.
    """
    contents: set[bytes] = set()
    begin = time.monotonic()
    count = last_new = 0
    for image, _ in examples:
        count += 1
        if isinstance(image, np.ndarray):
            content = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).digest()
            if content not in contents:
                contents.add(content)
                last_new = count
        else:
            last_new = count
        repeats = count - last_new > max(_LEAST_REPEATS, 2 * len(contents))
        if repeats or count > _MOST_EXAMPLES or time.monotonic() - begin > _LONGEST:
            seen = f"{len(contents)} different images" if repeats else f"{count} images"
            raise NetworkError(
                f"{where} returned for {part} a generator that gave {seen} and has not ended: one pass is needed. "
                "Leave out 'while True' and repeat(), or return a list of paths with their labels."
            )
    return count
