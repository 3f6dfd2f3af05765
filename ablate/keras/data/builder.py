"""Images from a function of the user: arrays, lists, files, generators, or `tf.data` data sets."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ablate.errors import NetworkError, suggestion
from ablate.keras.data.dataset import Pool
from ablate.keras.data.given import Source, sources
from ablate.keras.data.images import UNREADABLE, fitted, opened, picture
from ablate.keras.data.labels import Labels
from ablate.keras.data.store import blocks_of, cache_folder, decoded
from ablate.keras.options import Option, mapping, number, optional, text

__all__ = ["OPTIONS", "pool"]

OPTIONS = {
    "builder": Option(None, text()),
    "args": Option({}, mapping()),
    "name": Option(None, optional(text())),
    "white": Option(1, number(0, open_low=True)),
}


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
    where = f"data.builder={path}"
    parts, names = sources(where, _function(path, values["args"]))
    if size is None:
        size = _common_size(where, parts, values["white"])
    channels, fit = values["channels"], values["fit"]
    numbering = Labels(where, names)

    def examples() -> Iterator[tuple[int, Any, int]]:
        everything = (example for source in parts.values() for example in source.read())
        for place, (image, label) in enumerate(everything):
            yield place, image, numbering.code(label)

    def decode(example: tuple[int, Any, int]) -> tuple[np.ndarray, int, tuple[int, int]]:
        place, image, code = example
        with _told(where, place, image), _picture(image, size, values["white"]) as (found, original):
            return fitted(found, size, channels, fit), code, original

    images = decoded(
        blocks_of(examples(), decode),
        sum(source.count for source in parts.values()),
        (*size, channels),
        share=values["memory"],
        folder=cache_folder(values["cache"]),
        identity=None,
    )
    numbers, class_names = numbering.classes()
    ends = np.cumsum([source.count for source in parts.values()])
    official = {
        part: np.arange(end - source.count, end) for (part, source), end in zip(parts.items(), ends, strict=True)
    }
    return Pool(
        values["name"] or path,
        images.images,
        numbers[images.labels],
        class_names,
        official,
        images.sizes,
        hashes=images.contents,
    )


@contextmanager
def _picture(image: Any, size: tuple[int, int] | None, white: float) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """Whatever a function gives for an image, and its height and width."""
    if isinstance(image, np.ndarray) and image.dtype.kind in "SUO" and image.ndim == 0:
        image = image.item()
    if isinstance(image, bytes) and b"\0" not in image:
        # A path has no such byte, a picture in the form of a file has.
        image = os.fsdecode(image)
    if isinstance(image, str | bytes | os.PathLike):
        with opened(image if isinstance(image, bytes) else Path(image).expanduser(), size) as found:
            yield found
    elif isinstance(image, Image.Image):
        yield image, (image.height, image.width)
    else:
        found_picture = picture(np.asarray(image), white)
        yield found_picture, (found_picture.height, found_picture.width)


@contextmanager
def _told(where: str, place: int, image: Any) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NetworkError(f"{where}, image {place}: there is no file {image} (looked from {Path.cwd()}).") from error
    except UNREADABLE as error:
        see = "; see data.white" if "floating" in str(error) else ""
        raise NetworkError(f"{where}, image {place}: {error}{see}.") from error
    except TypeError as error:
        raise NetworkError(f"{where}, image {place}: {type(image).__name__} is no image: {error}.") from error


def _function(path: str, args: Mapping[str, Any]) -> Callable[[], Any]:
    """The user's function with its arguments; it can be called again."""
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

    def call() -> Any:
        try:
            return function(**args)
        except Exception as error:
            raise NetworkError(f"data.builder={path} failed: {type(error).__name__}: {error}") from error

    return call


def _common_size(where: str, parts: Mapping[str, Source], white: float) -> tuple[int, int]:
    sizes: set[tuple[int, int]] = set()
    everything = (image for source in parts.values() for image, _ in source.read())
    for place, image in enumerate(everything):
        shape = np.shape(image) if isinstance(image, np.ndarray) else ()
        if len(shape) >= 2:
            sizes.add((shape[0], shape[1]))
            continue
        with _told(where, place, image), _picture(image, None, white) as (_, original):
            sizes.add(original)
    if len(sizes) > 1:
        raise NetworkError(f"The images of {where} differ in size: set data.size, a number or [height, width].")
    return sizes.pop()
