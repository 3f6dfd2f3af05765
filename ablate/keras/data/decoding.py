"""Decodes images on all cores, into a file that all processes map or into the memory of this one."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ablate.errors import NetworkError
from ablate.keras.data.cache import COLUMNS, Block, Decoded, Unwritable, allocate, cached, fill
from ablate.memory import total_memory

_logger = logging.getLogger(__name__)

_Item = TypeVar("_Item")

_BLOCK_SIZE = 64
"""Images that are decoded at a time, so that only these are in memory in addition to the result."""
_UNSHARED = 64 * 2**20
"""Bytes up to which each process holds a copy of what a user's function must return to each anyway."""
_ASSUMED_MEMORY = 8 * 2**30
"""Bytes of memory where the system does not report it."""


@dataclass(frozen=True, eq=False)
class Example:
    """One decoded image.

    Args:
        pixels: (height, width, channels), whole numbers 0 to 255.
        label: Its class.
        size: Height and width in the source.
        peak: The largest value in the source, where that has 16 bits; else 0.
        frames: How many frames the source has, of which the first counts.
        source: A digest of what was read, 16 bytes: it changes with the source, whatever size the image is brought to.
    """

    pixels: np.ndarray
    label: int
    size: Sequence[int]
    peak: int = 0
    frames: int = 1
    source: bytes = bytes(16)


def decode_blocks(items: Iterable[_Item], decode: Callable[[_Item], Example]) -> Iterator[Block]:
    """Items decoded in parallel on all cores, in their order.

    Args:
        items: Whatever ``decode`` takes.
        decode: Makes an example of one.

    Yields:
        Blocks of a few dozen images.
    """
    source = iter(items)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while items_of_block := list(islice(source, _BLOCK_SIZE)):
            examples = list(pool.map(decode, items_of_block))
            columns = np.zeros(len(examples), COLUMNS)
            columns["labels"] = [one.label for one in examples]
            columns["sizes"] = [one.size for one in examples]
            columns["peaks"] = [one.peak for one in examples]
            columns["frames"] = [one.frames for one in examples]
            columns["sources"] = [np.void(one.source) for one in examples]
            yield np.stack([one.pixels for one in examples]), columns


def decode_images(
    blocks: Iterable[Block], count: int, shape: tuple[int, int, int], settings: Mapping[str, Any], *, identity: object
) -> Decoded:
    """All images of a data set, decoded by the first process that asks and mapped from its file by all others.

    Args:
        blocks: The images; read at most once, and not at all where the file exists already.
        count: How many images there are.
        shape: Height, width, channels.
        settings: The checked data section: ``cache`` names the folder of the file; beyond ``memory``, a share of the
            machine's, the images must be in a file.
        identity: What the images follow from; its JSON names the file. ``None``: that is unknown before they are read,
            so that each process reads them, and those that come to the same images share them.

    Returns:
        The images: a ``np.memmap`` beyond the share of the memory, else a plain array, which the file may be behind.

    Raises:
        NetworkError: A file that is needed cannot be written, or the number of images is not ``count``.
    """
    default = f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/ablate"
    folder = Path(settings["cache"] or os.environ.get("ABLATE_CACHE") or default).expanduser()
    full_shape = (count, *shape)
    need = int(np.prod(full_shape))
    needs_file = need > memory_limit(settings["memory"])
    if identity is None and need <= _UNSHARED and not needs_file:
        return fill(allocate(np.empty(full_shape, np.uint8)), blocks)
    try:
        images = cached(folder, full_shape, identity, blocks)
    except Unwritable as fault:
        message = f"The images need {need / 2**20:,.0f} MiB"
        if needs_file:
            raise NetworkError(
                f"{message}, more than data.memory={settings['memory']} of the memory, and {folder} {fault}. "
                "Set data.cache to a folder that can, raise data.memory, or lower data.size."
            ) from fault
        _logger.warning(
            "%s, and %s %s: every process decodes them and keeps a copy. Set data.cache to a folder that can.",
            *(message, folder, fault),
        )
        return fill(allocate(np.empty(full_shape, np.uint8)), blocks)
    # Images beyond the memory must not become a tensor; batches recognise them by their type.
    return images if needs_file else replace(images, images=np.asarray(images.images))


def file_of(images: np.ndarray) -> Path | None:
    """The file that the images of a pool are mapped from, or ``None``."""
    mapped = images if isinstance(images, np.memmap) else images.base
    return Path(mapped.filename) if isinstance(mapped, np.memmap) and mapped.filename else None


def memory_limit(share: float) -> float:
    """Bytes that decoded images may fill.

    Args:
        share: Share of the memory of the machine or container.
    """
    return share * (total_memory() or _ASSUMED_MEMORY)
