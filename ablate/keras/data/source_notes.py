"""What a reader must know about the images of a source: their range, frames and sizes, and traits of their files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_DEEP = 2**16 - 1
_ENLARGED = 0.05
"""Share of enlarged images from which on a note says so."""


def digest_of(data: bytes) -> bytes:
    """A digest of what was read for an image, 16 bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()


def source_notes(columns: np.ndarray, size: tuple[int, int], white: float | None) -> tuple[str, ...]:
    """Sentences about images whose range, frames or sizes are not what one would expect.

    Args:
        columns: (images,) of the type `ablate.keras.data.cache.COLUMNS`.
        size: Height and width that they were brought to.
        white: What white is in images of 16 bits; None is 65535.
    """
    return (*_range_notes(columns["peaks"], white), *_frame_notes(columns["frames"]), *_size_notes(columns, size))


def _range_notes(peaks: np.ndarray, white: float | None) -> list[str]:
    deep = peaks[peaks > 0]
    top = int(deep.max(initial=0))
    expected = _DEEP if white is None else white
    if not top or top > expected / 2:
        return []
    bits = 2 ** top.bit_length() - 1
    return [
        f"The {len(deep)} images of 16 bits hold values of up to {top}, where white is {expected:g}: they become "
        f"nearly black. If they have {top.bit_length()} bits, set data.white={bits}."
    ]


def _frame_notes(frames: np.ndarray) -> list[str]:
    several = int((frames > 1).sum())
    if not several:
        return []
    return [f"{several} files have several frames or pages (up to {int(frames.max())}), of which the first counts."]


def _size_notes(columns: np.ndarray, size: tuple[int, int]) -> list[str]:
    sizes = columns["sizes"][columns["labels"] >= 0]
    smaller = int(((sizes[:, 0] < size[0]) & (sizes[:, 1] < size[1])).sum())
    if not len(sizes) or smaller < _ENLARGED * len(sizes):
        return []
    height, width = sizes.max(axis=0)
    return [
        f"{smaller} of {len(sizes)} images are smaller than {size[0]} x {size[1]} pixels and are enlarged; the largest "
        f"has {height} x {width}. data.size sets another size."
    ]


def file_traits(files: Sequence[Path], class_names: Sequence[str]) -> dict[str, np.ndarray]:
    """What names of files say beside the pictures in them.

    Args:
        files: The image files.
        class_names: Names of the classes; a name of a file that holds one says nothing new.

    Returns:
        (files,) whole numbers by trait: ``file type``, and ``form of the file name`` (its letters, with any digits
        alike), which tells sources and cameras apart.
    """
    classes = [_letters(name) for name in class_names if _letters(name)]
    kinds = [
        {".jpeg": ".jpg", ".tiff": ".tif"}.get(ending, ending) for ending in (file.suffix.lower() for file in files)
    ]
    forms = []
    for file in files:
        form = re.sub(r"\d+", "#", file.stem.lower())
        forms.append("" if any(name in _letters(form) for name in classes) else form)
    return {
        "file type": np.unique(kinds, return_inverse=True)[1],
        "form of the file name": np.unique(forms, return_inverse=True)[1],
    }


def _letters(name: str) -> str:
    return re.sub(r"[\W\d_]+", "", name.lower())


def darkness_note(images: np.ndarray) -> tuple[str, ...]:
    """A sentence where images of 8 bits are nearly black, as those are that hold 0 and 1 or numbers of classes.

    Args:
        images: (images, height, width, channels), whole numbers 0 to 255; some of them are looked at.
    """
    step = max(1, len(images) // 256)
    top = int(np.max(images[::step], initial=0))
    if top >= 32:
        return ()
    return (
        f"No value in the images is above {top} of 255: they are nearly black. Are they masks, or of another range?",
    )
