"""Where decoded images lie: in memory where they fit, otherwise in a file that is mapped into it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from ablate.errors import NetworkError

__all__ = ["cache_folder", "stacked"]

_Array = TypeVar("_Array", bound=np.ndarray)


def cache_folder(chosen: str | None) -> Path:
    """The folder of decoded images.

    Args:
        chosen: What the config says, or ``None`` for ``$XDG_CACHE_HOME/ablate``.
    """
    if chosen is not None:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ablate"


def stacked(
    images: Iterable[np.ndarray], shape: tuple[int, int, int, int], *, share: float, folder: Path, identity: object
) -> np.ndarray:
    """The images one upon another.

    Args:
        images: (height, width, channels) each, whole numbers 0 to 255; read at most once, and not at all where the
            file is there already.
        shape: Number of images, height, width, channels.
        share: Share of the machine's memory that they may fill; beyond it they go to a file.
        folder: Where that file lies.
        identity: What the images follow from; its JSON names the file.

    Returns:
        (images, height, width, channels), in memory or mapped from the file.

    Raises:
        NetworkError: The file cannot be written.
    """
    if int(np.prod(shape)) <= share * _memory():
        return _fill(np.empty(shape, np.uint8), images)
    name = hashlib.sha256(json.dumps([identity, shape], sort_keys=True, default=str).encode()).hexdigest()[:16]
    path = folder / f"{name}.npy"
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
            os.close(handle)
        except OSError as error:
            raise NetworkError(
                f"The images need {np.prod(shape) / 2**20:,.0f} MiB, more than data.memory={share} of the memory, and "
                f"{folder} cannot be written ({error.strerror}). Set data.cache to a folder that can, raise "
                "data.memory, or lower data.size."
            ) from error
        try:
            mapped = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            _fill(mapped, images).flush()
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")


def _fill(target: _Array, images: Iterable[np.ndarray]) -> _Array:
    for place, image in enumerate(images):
        target[place] = image
    return target


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30
