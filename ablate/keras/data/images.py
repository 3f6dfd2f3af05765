"""Converts any picture to whole numbers of one shape: channels first, then size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises where a file is not a picture, or cut short."""
_ORIENTATION = 0x0112
"""The EXIF tag; from 5 on the picture lies on its side."""
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_OF_SEVERAL_FRAMES = (".avif", ".gif", ".png", ".tif", ".tiff", ".webp")


@contextmanager
def opened(source: Path | bytes, size: tuple[int, int] | None) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """A picture from a file, upright, reduced where its use needs fewer pixels.

    Args:
        source: The file, or what it holds.
        size: Height and width that it will be resized to; a JPEG is then read at a half, a quarter or an eighth where
            that leaves twice as many pixels, which is many times faster. ``None`` reads all pixels.

    Yields:
        The picture, and the height and width in the file.

    Raises:
        OSError: Or another of `UNREADABLE`.
    """
    with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
        turned = image.getexif().get(_ORIENTATION, 1) >= 5
        original = (image.width, image.height) if turned else (image.height, image.width)
        if size is not None:
            image.draft(None, (2 * max(size), 2 * max(size)))
        yield ImageOps.exif_transpose(image), original


def frames_of(file: Path) -> int:
    """How many frames or pages a file has, of which the first counts.

    Raises:
        OSError: Or another of `UNREADABLE`.
    """
    if file.suffix.lower() not in _OF_SEVERAL_FRAMES:
        return 1
    with Image.open(file) as image:
        return int(getattr(image, "n_frames", 1))


def peak_of(image: Image.Image | np.ndarray) -> int:
    """The largest value of a picture of 16 bits; 0 for any other."""
    if isinstance(image, Image.Image):
        return int(np.asarray(image).max(initial=0)) if image.mode.startswith("I") else 0
    return int(image.max(initial=0)) if image.dtype == np.uint16 else 0


def picture(array: np.ndarray, white: float | None = None) -> Image.Image:
    """An array as a picture.

    Args:
        array: (height, width) or (height, width, channels) with 1, 3 or 4 channels; whole numbers from 0 to 255,
            unsigned ones of 16 bits, truth values, or floating-point numbers between 0 and ``white``.
        white: What white is among numbers of 16 bits and floating-point ones; None is 65535 and 1.

    Returns:
        The picture, in 8 bits.

    Raises:
        ValueError: Another shape or type.
    """
    values: np.ndarray = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    if values.dtype == np.bool_:
        values = values * np.uint8(255)
    elif values.dtype == np.uint16 and white is None:
        values = (values >> 8).astype(np.uint8)
    elif values.dtype == np.uint16:
        top = white or 1
        if values.size and values.max() > top:
            raise ValueError(f"values of up to {values.max()}, more than data.white={top:g}")
        values = np.round(values * (255 / top)).astype(np.uint8)
    elif values.dtype != np.uint8 and values.dtype.kind in "fiu":
        is_float = values.dtype.kind == "f"
        top = (white or 1) if is_float else 255
        if values.size and not (values.min() >= 0 and values.max() <= top):
            kind = "floating-point images" if is_float else "unsigned numbers of 16 bits, or whole ones"
            raise ValueError(f"{kind} between 0 and {top:g} are needed, not from {values.min():g} to {values.max():g}")
        values = np.round(values * (255 / top)).astype(np.uint8) if is_float else values.astype(np.uint8)
    if values.dtype != np.uint8 or not (values.ndim == 2 or (values.ndim == 3 and values.shape[-1] in (3, 4))):
        raise ValueError(f"an image of shape {array.shape} and type {array.dtype} is not a picture")
    return Image.fromarray(values)


def fitted(
    image: Image.Image, size: tuple[int, int] | None, channels: int, fit: str, white: float | None = None
) -> np.ndarray:
    """The picture with the given channels and size.

    What is transparent becomes white where the alpha channel is dropped.

    Args:
        image: Of any mode (palette, grey, colour, CMYK, 16 bits) and any size.
        size: Height and width in pixels, or ``None`` to keep them.
        channels: 1 (grey), 3 (red, green, blue) or 4 (with alpha).
        fit: ``stretch`` to the size, ``crop`` the middle, or ``pad`` with black.
        white: See `picture`.

    Returns:
        (height, width, channels), whole numbers 0 to 255.

    Raises:
        ValueError: The values of the picture do not show what white is.
    """
    image = _in_mode(image, _MODES[channels], white)
    if size is not None and image.size != (size[1], size[0]):
        width_height: Any = (size[1], size[0])
        if fit == "crop":
            image = ImageOps.fit(image, width_height, Image.Resampling.BILINEAR)
        elif fit == "pad":
            image = ImageOps.pad(image, width_height, Image.Resampling.BILINEAR)
        else:
            image = image.resize(width_height, Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def _in_mode(image: Image.Image, mode: str, white: float | None) -> Image.Image:
    if image.mode == mode:
        return image
    if image.mode.startswith("I"):
        # Pillow clips 16 bits to 8 where it ought to scale them.
        values = np.asarray(image)
        if values.size and not (values.min() >= 0 and values.max() < 2**16):
            raise ValueError("more than 16 bits a pixel")
        image = picture(values.astype(np.uint16), white)
    elif image.mode == "F":
        image = picture(np.asarray(image), white)
    if mode != "RGBA" and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)
