"""Where decoded images lie: in memory where they fit, otherwise in a file that is mapped into it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from ablate.errors import NetworkError

__all__ = ["Block", "Decoded", "blocks_of", "cache_folder", "decoded", "memory_size"]

_Item = TypeVar("_Item")

Block = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Some images: (n, height, width, channels) whole numbers 0 to 255; (n,) labels; (n, 2) heights and widths before."""

_TOGETHER = 64
"""Images that are decoded at a time, so that no more than these are in memory beside the result."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What came out of the decoding of a whole data set.

    Args:
        images: (images, height, width, channels), whole numbers 0 to 255, in memory or mapped from a file.
        labels: (images,), as the source gave them.
        sizes: (images, 2), height and width of each image in its source.
    """

    images: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray


def cache_folder(chosen: str | None) -> Path:
    """The folder of decoded images.

    Args:
        chosen: What the config says, or ``None`` for ``$XDG_CACHE_HOME/ablate``.
    """
    if chosen is not None:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ablate"


def blocks_of(
    items: Iterable[_Item], decode: Callable[[_Item], tuple[np.ndarray, int, Sequence[int]]]
) -> Iterator[Block]:
    """Items decoded side by side on all cores, in their order.

    Args:
        items: Whatever ``decode`` takes.
        decode: Gives image, label, and the height and width in the source.

    Yields:
        Blocks of a few dozen images.
    """
    source = iter(items)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(source, _TOGETHER)):
            images, labels, sizes = zip(*pool.map(decode, some), strict=True)
            yield np.stack(images), np.array(labels, np.int64), np.array(sizes, np.int32)


def decoded(
    blocks: Iterable[Block], count: int, shape: tuple[int, int, int], *, share: float, folder: Path, identity: object
) -> Decoded:
    """All images of a data set, decoded.

    Args:
        blocks: The images; read at most once, and not at all where the file is there already.
        count: How many images there are.
        shape: Height, width, channels.
        share: Share of the machine's memory that they may fill; beyond it they go to a file.
        folder: Where that file lies.
        identity: What the images follow from; its JSON names the file. ``None``: nobody knows, so that the file serves
            this process alone and vanishes with it.

    Raises:
        NetworkError: The file cannot be written, or the source gives another number of images than it said.
    """
    whole = (count, *shape)
    if int(np.prod(whole)) <= share * memory_size():
        return _filled(np.empty(whole, np.uint8), blocks)
    name = hashlib.sha256(json.dumps([identity, whole], sort_keys=True, default=str).encode()).hexdigest()[:16]
    path, facts = folder / f"{name}.npy", folder / f"{name}.npz"
    if identity is None or not (path.exists() and facts.exists()):
        temporary = _writable(folder, whole, share)
        try:
            mapped = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=whole)
            filled = _filled(mapped, blocks)
            mapped.flush()
            if identity is None:
                return Decoded(np.load(temporary, mmap_mode="r"), filled.labels, filled.sizes)
            np.savez(written := temporary.with_suffix(".npz"), labels=filled.labels, sizes=filled.sizes)
            written.replace(facts)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    with np.load(facts) as known:
        return Decoded(np.load(path, mmap_mode="r"), known["labels"], known["sizes"])


def memory_size() -> int:
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30


def _writable(folder: Path, shape: tuple[int, ...], share: float) -> Path:
    """An empty file in the folder, on a disk with room for the images."""
    need = int(np.prod(shape))
    fault = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state = os.statvfs(folder)
        if state.f_bavail * state.f_frsize < need:
            fault = "has no room for them"
        else:
            handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
            os.close(handle)
            return Path(temporary)
    except OSError as error:
        fault = f"cannot be written ({error.strerror})"
    raise NetworkError(
        f"The images need {need / 2**20:,.0f} MiB, more than data.memory={share} of the memory, and {folder} {fault}. "
        "Set data.cache to a folder that can, raise data.memory, or lower data.size."
    )


def _filled(images: np.ndarray, blocks: Iterable[Block]) -> Decoded:
    count = len(images)
    labels, sizes = np.empty(count, np.int64), np.empty((count, 2), np.int32)
    place = 0
    for some, own, original in blocks:
        end = place + len(some)
        if end > count:
            place = end
            break
        images[place:end], labels[place:end], sizes[place:end] = some, own, original
        place = end
    if place != count:
        more = "more" if place > count else f"{place}"
        raise NetworkError(f"The data set was to have {count} images and gives {more}: it differs from pass to pass.")
    return Decoded(images, labels, sizes)
