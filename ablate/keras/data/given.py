"""What a user's function returned, as parts that can be read as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ablate.errors import AblateError, NetworkError

__all__ = ["Source", "sources"]

_PARTS = ("train", "validation", "test")
_FORMS = (
    "It must return (images, labels), ((images, labels) for training, (images, labels) for testing), a tf.data.Dataset "
    "or a generator of images with labels, or {train: ..., validation: ..., test: ..., class_names: [...]} of such."
)


@dataclass(frozen=True)
class Source:
    """One part as it came.

    Args:
        count: How many images there are.
        read: Gives them with their labels, one by one, from the first on.
    """

    count: int
    read: Callable[[], Iterator[tuple[Any, Any]]]


def sources(where: str, function: Callable[[], Any]) -> tuple[dict[str, Source], Sequence[Any] | None]:
    """The parts that a function returns, and the names of the classes if it tells them.

    Args:
        where: What the messages call the function.
        function: It is called again for each pass over a generator, which can be read only once.

    Raises:
        NetworkError: It returns something else, or a part without images.
    """
    given = function()
    parts, names = _parts(where, given)
    found = {}
    for part, value in parts.items():
        with _told(where, part):
            if isinstance(value, Iterator):
                source = _generated(where, part, function, value)
            elif isinstance(value, tf.data.Dataset):
                source = _streamed(where, part, value)
            else:
                source = _stacked(where, part, value)
        found[part] = Source(source.count, _careful(where, part, source.read))
    empty = [part for part, source in found.items() if not source.count]
    if empty:
        raise NetworkError(f"{where} returned no image for {' and '.join(empty)}.")
    return found, names


@contextmanager
def _told(where: str, part: str) -> Iterator[None]:
    try:
        yield
    except AblateError:
        raise
    except Exception as error:  # whatever the user's code raises in the middle
        words = str(error).strip().split("\n")[0]
        raise NetworkError(f"{where} failed for {part}: {type(error).__name__}: {words}") from error


def _careful(where: str, part: str, read: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
    def told() -> Iterator[Any]:
        with _told(where, part):
            yield from read()

    return told


def _parts(where: str, given: Any) -> tuple[dict[str, Any], Sequence[Any] | None]:
    if isinstance(given, Mapping):
        unknown = sorted(set(map(str, given)) - {*_PARTS, "class_names"})
        if unknown or "train" not in given:
            fault = f"the keys {', '.join(unknown)}" if unknown else "no 'train'"
            raise NetworkError(f"{where} returned {fault}. {_FORMS}")
        parts = {part: given[part] for part in _PARTS if given.get(part) is not None}
        names = given.get("class_names")
    elif _is_pair(given) and all(isinstance(half, tuple | Iterator | tf.data.Dataset) for half in given):
        parts, names = {"train": given[0], "test": given[1]}, None
    else:
        parts, names = {"train": given}, None
    if names is None:
        # What keras.utils.image_dataset_from_directory returns knows its classes.
        names = getattr(parts["train"], "class_names", None)
    return parts, names


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _stacked(where: str, part: str, value: Any) -> Source:
    if not _is_pair(value):
        raise NetworkError(f"{where} returned {type(value).__name__} for {part}. {_FORMS}")
    images, labels = value
    if not (hasattr(images, "__len__") and hasattr(labels, "__len__")):
        kinds = f"({type(images).__name__}, {type(labels).__name__})"
        raise NetworkError(f"{where} returned {kinds} for {part}. {_FORMS}")
    if len(images) != len(labels):
        raise NetworkError(f"{where} returned {len(images)} images and {len(labels)} labels for {part}.")
    return Source(len(images), lambda: zip(images, labels, strict=True))


def _streamed(where: str, part: str, value: Any) -> Source:
    element = value.element_spec
    if isinstance(element, Mapping) and {"image", "label"} <= set(element):
        value = value.map(lambda example: (example["image"], example["label"]))
    elif not (isinstance(element, tuple) and len(element) >= 2):
        raise NetworkError(f"{where} returned for {part} a data set of {element}. {_FORMS}")
    else:
        value = value.map(lambda *example: example[:2])
    if value.element_spec[0].shape.rank == 4:
        value = value.unbatch()
    count = int(value.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise NetworkError(f"{where} returned for {part} a data set without end: leave out repeat().")
    if count == tf.data.UNKNOWN_CARDINALITY:
        count = int(value.reduce(np.int64(0), lambda number, _: number + 1))
    return Source(count, value.as_numpy_iterator)


def _generated(where: str, part: str, function: Callable[[], Any], first: Iterator[Any]) -> Source:
    def checked(values: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        for value in values:
            if not (isinstance(value, tuple | list) and len(value) >= 2):
                raise NetworkError(
                    f"{where} gives {type(value).__name__} for {part}: an image and its label are needed."
                )
            image, label = value[:2]
            # A generator of batches, as of Keras.
            yield from zip(image, label, strict=True) if np.ndim(image) == 4 else [(image, label)]

    def read() -> Iterator[tuple[Any, Any]]:
        return checked(iter(_parts(where, function())[0][part]))

    return Source(sum(1 for _ in checked(first)), read)
