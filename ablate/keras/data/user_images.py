"""Images of any kind that a user's data function returned: arrays, pictures, paths, bytes of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ablate.errors import NetworkError
from ablate.keras.data.images import UNREADABLE, opened, picture


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
