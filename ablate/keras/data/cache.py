"""Files of decoded images: written whole by the first process that needs them, mapped into memory by all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.errors import NetworkError, StoreError
from ablate.keras.data.dataset import contents_of
from ablate.store.lock import hold

__all__ = ["Decoded", "Unwritable", "fill", "kept", "new"]

_FORMAT = 1
"""To be raised when the same sources come to other images: older files are not read any more."""
_MOST = 64 * 2**30
"""Bytes that the files of a folder may take beside the newest one; a tenth of the disk, where that is less."""
_DAY = 24 * 60 * 60.0
"""Seconds after which what an interrupted process left behind is removed."""


class Unwritable(Exception):
    """A folder that takes no file of the images; nothing of them has been read yet."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What came out of the decoding of a whole data set.

    Args:
        images: (images, height, width, channels), whole numbers 0 to 255, in memory or mapped from a file.
        labels: (images,), as the source gave them.
        sizes: (images, 2), height and width of each image in its source.
        contents: (images,), 16 bytes each, as `Pool.contents`.
    """

    images: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray
    contents: np.ndarray


def new(shape: tuple[int, ...]) -> Decoded:
    """Room in memory.

    Args:
        shape: Images, height, width, channels.
    """
    return _with_facts(np.empty(shape, np.uint8))


def fill(room: Decoded, blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Decoded:
    """Writes images into the room for them.

    Args:
        room: What `new` gave.
        blocks: Images, labels and sizes, some at a time.

    Raises:
        NetworkError: There are more or fewer images than there is room for.
    """
    count, place = len(room.images), 0
    for images, labels, sizes in blocks:
        end = place + len(images)
        if end > count:
            place = end
            break
        room.images[place:end], room.labels[place:end], room.sizes[place:end] = images, labels, sizes
        room.contents[place:end] = contents_of(room.images[place:end])
        place = end
    if place != count:
        more = "more" if place > count else f"{place}"
        raise NetworkError(f"The data set was to have {count} images and gives {more}: it differs from pass to pass.")
    return room


def kept(
    folder: Path,
    shape: tuple[int, ...],
    identity: object,
    blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> Decoded:
    """The images of a file, which is made where it is missing or damaged.

    Processes that need the same file at the same time wait for the first of them. The files used longest ago go when
    the folder becomes too large.

    Args:
        folder: Where the file lies.
        shape: Images, height, width, channels.
        identity: What the images follow from; ``None`` reads them first and names the file after them.
        blocks: Images, labels and sizes, some at a time.

    Raises:
        Unwritable: The folder cannot be written or has no room.
        NetworkError: There are more or fewer images than ``shape`` says.
    """
    if identity is None:
        return _written(folder, shape, None, blocks)
    path = _path(folder, shape, identity)
    if (found := _opened(path, shape)) is not None:
        return found
    with _alone(path.with_suffix(".lock")):
        return _opened(path, shape) or _written(folder, shape, path, blocks)


def _path(folder: Path, shape: tuple[int, ...], identity: object) -> Path:
    told = json.dumps([_FORMAT, shape, identity], sort_keys=True, default=str)
    return folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.npy"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with ExitStack() as stack:
        # Without a lock, on a file system that has none, the work may be done twice: the file is replaced whole.
        with suppress(StoreError, OSError):
            stack.enter_context(hold(path, wait=True))
        yield


def _opened(path: Path, shape: tuple[int, ...]) -> Decoded | None:
    """The images of a file, or ``None`` where there is none, or not every bit of it is as it was written."""
    try:
        # Private to the process where it writes, which nobody does: TensorFlow takes no array that is read-only.
        images = np.load(path, mmap_mode="c", allow_pickle=False)
        if images.shape != shape or images.dtype != np.uint8:
            return None
        end = images.offset + images.nbytes
        labels, sizes, contents, digest = (
            np.fromfile(path, dtype, count, offset=end + offset)
            for dtype, count, offset in zip(*_facts(shape[0]), strict=True)
        )
        found = Decoded(images, labels, sizes.reshape(-1, 2), contents)
        if digest.tobytes() != _digest(found) or not np.array_equal(contents_of(images), contents):
            return None
    except (OSError, ValueError, EOFError):
        return None
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    return found


def _facts(count: int) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    """Types, lengths and places of what a file holds after the images: labels, sizes, contents, their digest."""
    return ("<i8", "<i4", "V16", "V16"), (count, 2 * count, count, 1), (0, 8 * count, 16 * count, 32 * count)


def _digest(decoded: Decoded) -> bytes:
    told = b"".join(part.tobytes() for part in (decoded.labels, decoded.sizes, decoded.contents))
    return hashlib.blake2b(told, digest_size=16).digest()


def _written(
    folder: Path,
    shape: tuple[int, ...],
    path: Path | None,
    blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> Decoded:
    temporary = _room(folder, shape)
    try:
        mapped = np.lib.format.open_memmap(temporary, mode="r+")
        decoded = fill(_with_facts(mapped), blocks)
        mapped.flush()
        with temporary.open("r+b") as file:
            file.seek(mapped.offset + mapped.nbytes)
            for part in (decoded.labels, decoded.sizes, decoded.contents):
                file.write(part.tobytes())
            file.write(_digest(decoded))
            file.truncate()
        if path is None:
            path = _path(folder, shape, _digest(decoded).hex())
            if (found := _opened(path, shape)) is not None:
                return found
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    del mapped, decoded
    found = _opened(path, shape)
    if found is None:
        raise NetworkError(f"The images that were written to {path} cannot be read again: its disk is at fault.")
    return found


def _room(folder: Path, shape: tuple[int, ...]) -> Path:
    """A file of the full length under a name of its own, on a disk that has room for it."""
    need = int(np.prod(shape)) + 32 * shape[0] + 4096
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state = os.statvfs(folder)
        _prune(folder, min(_MOST, state.f_blocks * state.f_frsize // 10))
        state = os.statvfs(folder)
        if state.f_bavail * state.f_frsize < need:
            raise Unwritable("has no room for them")
        handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
        os.close(handle)
        temporary = Path(name)
        np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        with temporary.open("r+b") as file:
            # A disk that is full while a mapped file is filled would end the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, need)
        return temporary
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise Unwritable(f"cannot be written ({error.strerror})") from error


def _prune(folder: Path, most: int) -> None:
    """Removes what was used longest ago beyond what the files may take; those that still map it keep it."""
    now = time.time()
    for left in folder.glob("tmp*.part"):
        with suppress(OSError):
            if now - left.stat().st_mtime > _DAY:
                left.unlink()
    files = []
    for path in folder.glob("[0-9a-f]" * 16 + ".npy"):
        with suppress(OSError):
            state = path.stat()
            files.append((state.st_atime, state.st_size, path))
    taken = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if taken <= most:
            break
        with suppress(OSError):
            path.unlink()
            path.with_suffix(".lock").unlink(missing_ok=True)
        taken -= size


def _with_facts(images: np.ndarray) -> Decoded:
    count = len(images)
    return Decoded(images, np.empty(count, "<i8"), np.empty((count, 2), "<i4"), np.empty(count, "V16"))
