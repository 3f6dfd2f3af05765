"""What a user's data function returned for tasks other than the classification of images: arrays by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ablate.errors import NetworkError
from ablate.keras.data.array_pool import ArrayPart

_PARTS = ("train", "validation", "test")
_FORMS = (
    "It must return (examples, labels) or (examples, labels, weights), a pair of such for training and testing, a "
    "tf.data.Dataset or a generator of them one by one, or {train: ..., validation: ..., test: ..., class_names: ...}."
)
_WHOLE = (tuple, Iterator, tf.data.Dataset, keras.utils.PyDataset)
_MOST = 20_000_000


def array_parts(where: str, returned: Any) -> tuple[dict[str, ArrayPart], Sequence[Any] | None]:
    """The parts that a function returned, and the names of the classes if it gives them.

    Args:
        where: What messages call the function.
        returned: What it returned.

    Raises:
        NetworkError: It returned something else.
    """
    names = None
    if isinstance(returned, Mapping):
        unknown = sorted(set(map(str, returned)) - {*_PARTS, "class_names"})
        if unknown or "train" not in returned:
            fault = f"the keys {', '.join(unknown)}" if unknown else "no 'train'"
            raise NetworkError(f"{where} returned {fault}. {_FORMS}")
        names = returned.get("class_names")
        values = {part: returned[part] for part in _PARTS if returned.get(part) is not None}
    elif isinstance(returned, tuple) and len(returned) == 2 and all(isinstance(half, _WHOLE) for half in returned):
        values = {"train": returned[0], "test": returned[1]}
    else:
        values = {"train": returned}
    return {part: _part(where, part, value) for part, value in values.items()}, names


def _part(where: str, part: str, value: Any) -> ArrayPart:
    if isinstance(value, keras.utils.PyDataset):
        batches = [value[number] for number in range(len(value))]
        return ArrayPart(*(np.concatenate(column) for column in zip(*batches, strict=True)))
    if isinstance(value, tf.data.Dataset):
        if int(value.cardinality()) == tf.data.INFINITE_CARDINALITY:
            raise NetworkError(f"{where} returned for {part} a data set without end: leave out repeat().")
        if not isinstance(value.element_spec, tuple) or len(value.element_spec) not in (2, 3):
            raise NetworkError(f"{where} returned for {part} a data set of {value.element_spec}. {_FORMS}")
        shape = value.element_spec[0].shape
        if shape.rank and shape[0] is None:
            value = value.unbatch()
        return _of_examples(where, part, value.as_numpy_iterator())
    if isinstance(value, Iterator):
        return _of_examples(where, part, value)
    if isinstance(value, tuple | list) and len(value) in (2, 3) and all(hasattr(one, "__len__") for one in value):
        return ArrayPart(*value)
    raise NetworkError(f"{where} returned {type(value).__name__} for {part}. {_FORMS}")


def _of_examples(where: str, part: str, examples: Iterator[Any]) -> ArrayPart:
    columns: list[list[Any]] = []
    for count, example in enumerate(examples):
        if not isinstance(example, tuple | list) or len(example) not in (2, 3) or count > _MOST:
            raise NetworkError(f"{where} gives {type(example).__name__} for {part}. {_FORMS}")
        columns = columns or [[] for _ in example]
        if len(example) != len(columns):
            raise NetworkError(f"{where} gives examples with weights and without for {part}.")
        for column, value in zip(columns, example, strict=True):
            column.append(value)
    if not columns:
        raise NetworkError(f"{where} gives no example for {part}.")
    arrays = [np.stack(column) if _are_alike(column) else column for column in columns]
    return ArrayPart(*arrays)


def _are_alike(values: Sequence[Any]) -> bool:
    return len({np.shape(value) for value in values}) == 1 and not isinstance(values[0], str | bytes | list | set)
