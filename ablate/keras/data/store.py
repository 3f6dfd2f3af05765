"""Where decoded images lie: in a file that all processes map, or in this one's memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from ablate.errors import NetworkError
from ablate.keras.data.cache import Decoded, Unwritable, fill, kept, new

__all__ = ["Block", "Decoded", "blocks_of", "cache_folder", "decoded", "file_of", "memory_size"]

_logger = logging.getLogger(__name__)

_Item = TypeVar("_Item")

Block = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Some images: (n, height, width, channels) whole numbers 0 to 255; (n,) labels; (n, 2) heights and widths before."""

_TOGETHER = 64
"""Images that are decoded at a time, so that no more than these are in memory beside the result."""
_OWN = 64 * 2**20
"""Bytes up to which each process has a copy of what it must ask a user's function for anyway."""


def cache_folder(chosen: str | None) -> Path:
    """The folder of decoded images.

    Args:
        chosen: What the config says, or ``None`` for ``$ABLATE_CACHE``, or else ``$XDG_CACHE_HOME/ablate``.
    """
    if chosen is None and (site := os.environ.get("ABLATE_CACHE")):
        chosen = site
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
    """All images of a data set, decoded by the first process that asks and mapped from its file by all others.

    Args:
        blocks: The images; read at most once, and not at all where the file is there already.
        count: How many images there are.
        shape: Height, width, channels.
        share: Share of the machine's memory that they may fill; beyond it the file is a must.
        folder: Where that file lies.
        identity: What the images follow from; its JSON names the file. ``None``: nobody knows before they are read, so
            that each process reads them, and those that come to the same images share them.

    Returns:
        The images: a ``np.memmap`` beyond the share of the memory, else a plain array, which the file may be behind.

    Raises:
        NetworkError: A file that is a must cannot be written, or the source gives another number of images than it
            said.
    """
    whole = (count, *shape)
    need = int(np.prod(whole))
    beyond = need > share * memory_size()
    if identity is None and need <= _OWN and not beyond:
        return fill(new(whole), blocks)
    try:
        found = kept(folder, whole, identity, blocks)
    except Unwritable as fault:
        told = f"The images need {need / 2**20:,.0f} MiB"
        if beyond:
            raise NetworkError(
                f"{told}, more than data.memory={share} of the memory, and {folder} {fault}. "
                "Set data.cache to a folder that can, raise data.memory, or lower data.size."
            ) from fault
        _logger.warning(
            "%s, and %s %s: every process decodes them and keeps a copy. Set data.cache to a folder that can.",
            *(told, folder, fault),
        )
        return fill(new(whole), blocks)
    # What exceeds the memory must not become a tensor, and its type says so.
    return found if beyond else Decoded(np.asarray(found.images), found.labels, found.sizes, found.contents)


def file_of(images: np.ndarray) -> Path | None:
    """The file that images are mapped from.

    Args:
        images: Those of a pool.
    """
    mapped = images if isinstance(images, np.memmap) else images.base
    return Path(mapped.filename) if isinstance(mapped, np.memmap) and mapped.filename else None


def memory_size() -> int:
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30
