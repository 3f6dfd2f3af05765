"""What a user's data function returned: its parts, and the names that they have for their classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ablate.errors import AblateError, NetworkError
from ablate.formatting import listing
from ablate.keras.data.user_sources import FORMS, UserPart, is_pair, is_table, read_part

_PARTS = ("train", "validation", "test")
_WHOLE_PARTS = (tuple, Iterator, tf.data.Dataset, keras.utils.PyDataset)


def read_parts(where: str, function: Callable[[], Any]) -> tuple[dict[str, UserPart], Sequence[Any] | None]:
    """The parts that a function returns, and the names of the classes if it gives them.

    Args:
        where: What the messages call the function.
        function: It is called again for each pass over a generator, which can be read only once.

    Raises:
        NetworkError: It returns something else, or a part without images.
    """
    values, names = _parts_of(where, function())
    parts = {}
    for name, value in values.items():
        with _user_faults(where, name):
            part = read_part(where, name, value, partial(_part_again, where, name, function))
            parts[name] = replace(part, names=_own_names(value))
    empty = [name for name, part in parts.items() if not part.count]
    if empty:
        raise NetworkError(f"{where} returned no image for {' and '.join(empty)}.")
    common = _common_names(where, parts, names)
    if any(part.names not in (None, common) for part in parts.values()):
        # Each part counts its own class folders: number 1 of one is not number 1 of the other.
        parts = {name: _with_named_labels(where, name, part) for name, part in parts.items()}
    return parts, common


def _part_again(where: str, name: str, function: Callable[[], Any]) -> Any:
    return _parts_of(where, function())[0][name]


def _common_names(where: str, parts: Mapping[str, UserPart], names: Sequence[Any] | None) -> Sequence[Any] | None:
    """The names of the classes by number in the training part, which those of other parts must not contradict."""
    common = parts["train"].names if names is None else tuple(str(name) for name in names)
    if common is None:
        common = next((part.names for part in parts.values() if part.names is not None), None)
    if common is None:
        return None
    faults = []
    for part, own in ((part, value.names) for part, value in parts.items()):
        unknown = [name for name in own or () if name not in common]
        if unknown:
            faults.append(
                f"{where} has classes in {part} that {'train' if names is None else 'class_names'} lacks: "
                f"{listing(unknown, 5)} (its classes are {listing(common, 10)})."
            )
    if faults:
        raise NetworkError("\n".join(faults))
    unnamed = [part for part, value in parts.items() if value.names is None]
    different = {value.names for value in parts.values() if value.names is not None} - {common}
    if different and unnamed:
        raise NetworkError(
            f"{where}: its parts number their classes differently, and {' and '.join(unnamed)} does not name them."
        )
    return common


def read_examples(where: str, parts: Mapping[str, UserPart]) -> Iterator[tuple[Any, Any]]:
    """The images of all parts with their labels.

    Raises:
        NetworkError: The user's code raises while it is read.
    """
    for name, part in parts.items():
        with _user_faults(where, name):
            yield from part.read()


def _with_named_labels(where: str, name: str, part: UserPart) -> UserPart:
    """A part whose labels are the names that it has for them, and not its numbers."""
    names = part.names or ()
    return replace(part, read=lambda: ((image, _named(where, name, label, names)) for image, label in part.read()))


def _named(where: str, part: str, label: Any, names: Sequence[str]) -> Any:
    """A label by the name that its part has for it."""
    value = np.asarray(label)
    if value.dtype.kind in "USO":
        return label
    number = int(value.argmax()) if value.ndim == 1 and value.size > 1 else int(value.item())
    if not 0 <= number < len(names):
        raise NetworkError(f"{where} gives the label {label!r} in {part}, which has {len(names)} classes.")
    return names[number]


@contextmanager
def _user_faults(where: str, part: str) -> Iterator[None]:
    """Turns whatever the user's code raises into a message that says where."""
    try:
        yield
    except AblateError:
        raise
    except Exception as error:
        first_line = str(error).strip().split("\n")[0]
        raise NetworkError(f"{where} failed for {part}: {type(error).__name__}: {first_line}") from error


def _parts_of(where: str, returned: Any) -> tuple[dict[str, Any], Sequence[Any] | None]:
    if isinstance(returned, Mapping):
        unknown = sorted(set(map(str, returned)) - {*_PARTS, "class_names"})
        if unknown or "train" not in returned:
            fault = f"the keys {', '.join(unknown)}" if unknown else "no 'train'"
            raise NetworkError(f"{where} returned {fault}. {FORMS}")
        parts = {part: returned[part] for part in _PARTS if returned.get(part) is not None}
        names = returned.get("class_names")
    elif is_pair(returned) and all(isinstance(half, _WHOLE_PARTS) for half in returned):
        parts, names = {"train": returned[0], "test": returned[1]}, None
    else:
        parts, names = {"train": returned}, None
    return parts, names


def _own_names(value: Any) -> tuple[str, ...] | None:
    """What one part calls its classes, as data sets of Keras, Hugging Face and torchvision do."""
    names = getattr(value, "class_names", None)
    if names is None and isinstance(indices := getattr(value, "class_indices", None), Mapping):
        names = sorted(indices, key=lambda name: indices[name])
    if names is None and is_table(value):
        names = getattr(getattr(value, "features", {}).get("label"), "names", None)
    return None if names is None else tuple(str(name) for name in names)
