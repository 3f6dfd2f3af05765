"""Images from a function of the user: arrays, or `tf.data` data sets."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablate.errors import NetworkError, suggestion
from ablate.keras.data.dataset import Pool
from ablate.keras.data.images import fitted, picture
from ablate.keras.data.labels import Labels
from ablate.keras.data.store import blocks_of, cache_folder, decoded
from ablate.keras.options import Option, mapping, optional, text

__all__ = ["OPTIONS", "pool"]

OPTIONS = {
    "builder": Option(None, text()),
    "args": Option({}, mapping()),
    "name": Option(None, optional(text())),
}
_PARTS = ("train", "validation", "test")
_FORMS = (
    "It must return (images, labels), ((images, labels) for training, (images, labels) for testing), a tf.data.Dataset "
    "of images with labels, or {train: ..., validation: ..., test: ..., class_names: [...]} of such."
)


@dataclass(frozen=True)
class _Source:
    """One part as it came: how many images, and a way to read them."""

    count: int
    read: Callable[[], Iterator[tuple[np.ndarray, Any]]]


def pool(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The images that a user's function returns.

    Args:
        values: The checked config; the function is called with ``args``.
        size: Height and width, or ``None`` where all images have the same.

    Returns:
        All images; the ``validation`` and ``test`` parts of the function are official. Labels are whole numbers, texts
        or one-hot vectors; without ``class_names`` the classes are called after them.

    Raises:
        NetworkError: The function cannot be found, fails, or returns something else.
    """
    path = values["builder"]
    sources, names = _parts(path, _called(path, values["args"]))
    if size is None:
        size = _common_size(path, sources)
    channels, fit = values["channels"], values["fit"]
    numbering = Labels(f"data.builder={path}", names)

    def examples() -> Iterator[tuple[int, np.ndarray, int]]:
        everything = (example for source in sources.values() for example in source.read())
        for place, (image, label) in enumerate(everything):
            yield place, np.asarray(image), numbering.code(label)

    def decode(example: tuple[int, np.ndarray, int]) -> tuple[np.ndarray, int, tuple[int, ...]]:
        place, image, code = example
        try:
            return fitted(picture(image), size, channels, fit), code, image.shape[:2]
        except (ValueError, TypeError) as error:
            raise NetworkError(f"data.builder={path}, image {place}: {error}.") from error

    images = decoded(
        blocks_of(examples(), decode),
        sum(source.count for source in sources.values()),
        (*size, channels),
        share=values["memory"],
        folder=cache_folder(values["cache"]),
        identity=None,
    )
    numbers, class_names = numbering.classes()
    ends = np.cumsum([source.count for source in sources.values()])
    official = {
        part: np.arange(end - source.count, end) for (part, source), end in zip(sources.items(), ends, strict=True)
    }
    return Pool(values["name"] or path, images.images, numbers[images.labels], class_names, official, images.sizes)


def _called(path: str, args: Mapping[str, Any]) -> Any:
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise NetworkError(
            f"data.builder={path}: module '{module_name}' cannot be imported: {type(error).__name__}: {error}. "
            "It must be the dotted path of a function, such as my_package.sets.make."
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise NetworkError(
            f"data.builder={path}: module '{module_name}' has no function '{name}'.{suggestion(name, known)}"
        )
    try:
        inspect.signature(function).bind(**args)
    except TypeError as error:
        raise NetworkError(f"data.args={dict(args)}: {path} {error}.") from error
    try:
        return function(**args)
    except Exception as error:
        raise NetworkError(f"data.builder={path} failed: {type(error).__name__}: {error}") from error


def _parts(path: str, given: Any) -> tuple[dict[str, _Source], Sequence[str] | None]:
    names = None
    if isinstance(given, Mapping):
        unknown = sorted(set(given) - {*_PARTS, "class_names"})
        if unknown or "train" not in given:
            fault = f"the keys {', '.join(map(str, unknown))}" if unknown else "no 'train'"
            raise NetworkError(f"data.builder={path} returned {fault}. {_FORMS}")
        names = given.get("class_names")
        parts = {part: given[part] for part in _PARTS if given.get(part) is not None}
    elif _is_pair(given) and all(isinstance(half, tuple) or _is_stream(half) for half in given):
        parts = {"train": given[0], "test": given[1]}
    else:
        parts = {"train": given}
    sources = {part: _source(path, part, value) for part, value in parts.items()}
    empty = [part for part, source in sources.items() if not source.count]
    if empty:
        raise NetworkError(f"data.builder={path} returned no image for {' and '.join(empty)}.")
    return sources, names


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _is_stream(value: Any) -> bool:
    import tensorflow as tf

    return isinstance(value, tf.data.Dataset)


def _source(path: str, part: str, value: Any) -> _Source:
    import tensorflow as tf

    if _is_stream(value):
        element = value.element_spec
        if isinstance(element, Mapping) and {"image", "label"} <= set(element):
            value = value.map(lambda example: (example["image"], example["label"]))
        elif not (isinstance(element, tuple) and len(element) >= 2):
            raise NetworkError(f"data.builder={path} returned for {part} a data set of {element}. {_FORMS}")
        else:
            value = value.map(lambda *example: example[:2])
        if value.element_spec[0].shape.rank == 4:
            value = value.unbatch()
        count = int(value.cardinality())
        if count == tf.data.INFINITE_CARDINALITY:
            raise NetworkError(f"data.builder={path} returned for {part} a data set without end: leave out repeat().")
        if count == tf.data.UNKNOWN_CARDINALITY:
            count = int(value.reduce(np.int64(0), lambda number, _: number + 1))
        return _Source(count, value.as_numpy_iterator)
    if not _is_pair(value):
        raise NetworkError(f"data.builder={path} returned {type(value).__name__} for {part}. {_FORMS}")
    images, labels = value
    if len(images) != len(labels):
        raise NetworkError(f"data.builder={path} returned {len(images)} images and {len(labels)} labels for {part}.")
    return _Source(len(images), lambda: zip(images, labels, strict=True))


def _common_size(path: str, sources: Mapping[str, _Source]) -> tuple[int, int]:
    sizes = {np.asarray(image).shape[:2] for source in sources.values() for image, _ in source.read()}
    if len(sizes) > 1:
        raise NetworkError(
            f"The images of data.builder={path} differ in size: set data.size, a number or [height, width]."
        )
    height, width = sizes.pop()
    return height, width
