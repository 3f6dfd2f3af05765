"""What a user's data function returned: parts that can be read as often as needed, images and labels of any kind."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from ablate.errors import AblateError, NetworkError
from ablate.formatting import listing
from ablate.keras.data.images import UNREADABLE, opened, picture

_PARTS = ("train", "validation", "test")
_FORMS = (
    "It must return (images, labels), ((images, labels) for training, (images, labels) for testing), a tf.data.Dataset "
    "or a generator of images with labels, or {train: ..., validation: ..., test: ..., class_names: [...]} of such."
)
_WHOLE_PARTS = (tuple, Iterator, tf.data.Dataset, keras.utils.PyDataset)
_LEAST_REPEATS = 1000
"""Images that a generator may repeat before it counts as one without end."""
_MOST_EXAMPLES = 20_000_000
_LONGEST = 600.0
"""Seconds that a generator may take for a pass."""


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
            if isinstance(value, keras.utils.PyDataset):
                part = _from_batches(where, name, value)
            elif isinstance(value, Iterator):
                part = _from_generator(where, name, function, value)
            elif isinstance(value, tf.data.Dataset):
                part = _from_dataset(where, name, value)
            elif is_table_of_images(value):
                part = _from_table(where, name, value)
            else:
                part = _from_arrays(where, name, value)
            parts[name] = replace(part, names=_own_names(value))
    empty = [name for name, part in parts.items() if not part.count]
    if empty:
        raise NetworkError(f"{where} returned no image for {' and '.join(empty)}.")
    common = _common_names(where, parts, names)
    if any(part.names not in (None, common) for part in parts.values()):
        # Each part counts its own class folders: number 1 of one is not number 1 of the other.
        parts = {name: _with_named_labels(where, name, part) for name, part in parts.items()}
    return parts, common


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
def open_image(
    image: Any, size: tuple[int, int] | None, white: float | None
) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """Whatever a function returns for an image, as a picture.

    Args:
        image: An array, a picture of Pillow, a path, or the bytes of a file.
        size: See `ablate.keras.data.images.opened`.
        white: See `ablate.keras.data.images.picture`.

    Yields:
        The picture, and its height and width before it was reduced.
    """
    if isinstance(image, np.ndarray) and image.dtype.kind in "SUO" and image.ndim == 0:
        image = image.item()
    if isinstance(image, bytes) and b"\0" not in image:
        # A path has no such byte, a picture in the form of a file has.
        image = os.fsdecode(image)
    if isinstance(image, str | bytes | os.PathLike):
        with opened(image if isinstance(image, bytes) else Path(image).expanduser(), size) as from_file:
            yield from_file
        return
    if not isinstance(image, Image.Image):
        image = picture(np.asarray(image), white)
    yield image, (image.height, image.width)


def content_of(image: Any) -> bytes:
    """The bytes of whatever a function returns for an image: those of its file, or its values."""
    if isinstance(image, np.ndarray) and image.dtype.kind in "SUO" and image.ndim == 0:
        image = image.item()
    if isinstance(image, bytes):
        return Path(os.fsdecode(image)).expanduser().read_bytes() if b"\0" not in image else image
    if isinstance(image, str | os.PathLike):
        return Path(image).expanduser().read_bytes()
    if isinstance(image, Image.Image):
        return image.mode.encode() + image.tobytes()
    values = np.ascontiguousarray(image)
    return repr((values.dtype.str, values.shape)).encode() + values.tobytes()


@contextmanager
def image_faults(where: str, position: int, image: Any) -> Iterator[None]:
    """Turns what is wrong with an image into a message that says which one it is."""
    try:
        yield
    except FileNotFoundError as error:
        raise NetworkError(
            f"{where}, image {position}: there is no file {image} (looked from {Path.cwd()})."
        ) from error
    except (*UNREADABLE, TypeError) as error:
        see = "; see data.white" if "floating" in str(error) else ""
        raise NetworkError(f"{where}, image {position}: {error}{see}.") from error


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
            raise NetworkError(f"{where} returned {fault}. {_FORMS}")
        parts = {part: returned[part] for part in _PARTS if returned.get(part) is not None}
        names = returned.get("class_names")
    elif _is_pair(returned) and all(isinstance(half, _WHOLE_PARTS) for half in returned):
        parts, names = {"train": returned[0], "test": returned[1]}, None
    else:
        parts, names = {"train": returned}, None
    return parts, names


def _own_names(value: Any) -> tuple[str, ...] | None:
    """What one part calls its classes, as data sets of Keras, Hugging Face and torchvision do."""
    names = getattr(value, "class_names", None)
    if names is None and isinstance(indices := getattr(value, "class_indices", None), Mapping):
        names = sorted(indices, key=lambda name: indices[name])
    if names is None and is_table_of_images(value):
        names = getattr(getattr(value, "features", {}).get("label"), "names", None)
    return None if names is None else tuple(str(name) for name in names)


def is_table_of_images(value: Any) -> bool:
    """Whether it is a data set of Hugging Face with the columns ``image`` and ``label``."""
    return {"image", "label"} <= set(getattr(value, "column_names", None) or ()) and hasattr(value, "__getitem__")


def _from_table(where: str, part: str, value: Any) -> UserPart:
    return UserPart(len(value), lambda: ((row["image"], row["label"]) for row in value))


def _from_batches(where: str, part: str, value: Any) -> UserPart:
    """One pass over batches by number, as `flow_from_directory` and others of Keras give them without end."""

    def read() -> Iterator[tuple[Any, Any]]:
        for number in range(len(value)):
            images, labels = value[number][:2]
            yield from zip(images, labels, strict=True)

    samples = getattr(value, "n", None)
    return UserPart(samples if isinstance(samples, int) else sum(1 for _ in read()), read)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _from_arrays(where: str, part: str, value: Any) -> UserPart:
    if not (_is_pair(value) and all(hasattr(half, "__len__") for half in value)):
        raise NetworkError(f"{where} returned {type(value).__name__} for {part}. {_FORMS}")
    images, labels = value
    if len(images) != len(labels):
        raise NetworkError(f"{where} returned {len(images)} images and {len(labels)} labels for {part}.")
    return UserPart(len(images), lambda: zip(images, labels, strict=True))


def _from_dataset(where: str, part: str, value: Any) -> UserPart:
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
    return UserPart(count, value.as_numpy_iterator)


def _from_generator(where: str, part: str, function: Callable[[], Any], first: Iterator[Any]) -> UserPart:
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
        return checked(iter(_parts_of(where, function())[0][part]))

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


class Labels:
    """Codes labels in the order of their first appearance, and maps the codes to classes at the end.

    The classes are known only when all labels have been seen.

    Args:
        where: What the messages call the source of the labels.
        names: Names of the classes, if known; otherwise the classes are named after their labels.
    """

    def __init__(self, where: str, names: Sequence[Any] | None) -> None:
        self.where = where
        self.names = None if names is None else tuple(str(name) for name in names)
        self._codes: dict[int | str, int] = {}
        self._width: int | None = None  # of one-hot labels

    def code(self, label: Any) -> int:
        """The code of a label: a whole number (of any type), a text or a one-hot vector.

        Raises:
            NetworkError: The label is none of these.
        """
        value = np.asarray(label)
        key: int | str
        if value.size == 1 and value.dtype.kind in "iubf" and float(value.item()).is_integer():
            key = int(value.item())
        elif value.size == 1 and value.dtype.kind in "USO":
            text = value.item()
            key = text.decode() if isinstance(text, bytes) else str(text)
        elif value.ndim == 1 and np.count_nonzero(value) == 1 and value.max() == 1:
            key = int(value.argmax())
            if self._width not in (None, value.size):
                raise NetworkError(
                    f"{self.where} gives one-hot labels of {self._width} classes and of {value.size}: the parts count "
                    "different classes. Give each part the same class_names, or return the names as labels."
                )
            self._width = value.size
            self.names = self.names or tuple(map(str, range(value.size)))
        else:
            raise NetworkError(
                f"{self.where} gives the label {label!r}: whole numbers, texts or one-hot vectors are needed."
            )
        return self._codes.setdefault(key, len(self._codes))

    def classes(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """The class of each code, and the names of the classes.

        Raises:
            NetworkError: Numbers and texts together, a label that the names do not have, or a single class.
        """
        keys = list(self._codes)
        if len({type(key) for key in keys}) > 1:
            raise NetworkError(f"{self.where} gives numbers and texts as labels: {', '.join(sorted(map(str, keys)))}.")
        if self.names is None:
            known: list[int | str] = sorted(keys)
        else:
            known = list(range(len(self.names)) if isinstance(keys[0], int) else self.names)
        names = self.names or tuple(map(str, known))
        unknown = [str(key) for key in keys if key not in known]
        if unknown:
            raise NetworkError(
                f"{self.where} gives labels that its {len(names)} classes ({listing(names, 20)}) do not have: "
                f"{listing(sorted(unknown), 5)}."
            )
        if len(names) < 2:
            raise NetworkError(f"{self.where} gives one class alone: {names[0]}. At least two are needed.")
        numbers = {key: number for number, key in enumerate(known)}
        return np.array([numbers[key] for key in keys], np.int64), names
