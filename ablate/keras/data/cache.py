"""Files of decoded images: written completely by the first process that needs them, mapped into memory by all.

A file is a NumPy array of the images, followed by what belongs to each of them (label; size, largest value, frames and
digest of the source; hash of its pixels), and a digest of that.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.errors import NetworkError, StoreError
from ablate.keras.data.dataset import content_hashes
from ablate.store.locks import hold_lock

Block = tuple[np.ndarray, np.ndarray]
"""Some images: (n, height, width, channels) whole numbers 0 to 255; (n,) of the type `COLUMNS`, no ``contents`` yet."""

_FORMAT = 3
"""To be raised when the same sources come to other images: older files are not read any more."""
_MAX_BYTES = 64 * 2**30
"""Bytes that the files of a folder may take in addition to the newest one; a tenth of the disk, where that is less."""
_DAY = 24 * 60 * 60.0
"""Seconds after which the temporary file of an interrupted process is removed."""


COLUMNS = np.dtype(
    [
        ("labels", "<i8"),
        ("sizes", "<i4", 2),
        ("peaks", "<i4"),
        ("frames", "<i4"),
        ("sources", "V16"),
        ("contents", "V16"),
    ]
)
"""What belongs to an image; see `Decoded`."""


class Unwritable(Exception):
    """The folder cannot be written, or has too little space; no image has been read yet."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """All images of a data set, decoded.

    Args:
        images: (images, height, width, channels), whole numbers 0 to 255, in memory or mapped from a file.
        columns: (images,), an entry with ``labels``, as the source gave them; ``sizes``, height and width of the image
            in its source; ``peaks``, the largest value of an image of 16 bits, else 0; ``frames``, how many its file
            has; ``sources``, a digest of what was read; ``contents``, as in `Pool.contents`.
    """

    images: np.ndarray
    columns: np.ndarray


def allocate(images: np.ndarray) -> Decoded:
    """Images, and an uninitialised entry for each of them; `fill` writes them all."""
    return Decoded(images, np.zeros(len(images), COLUMNS))


def fill(arrays: Decoded, blocks: Iterable[Block]) -> Decoded:
    """Writes images into the arrays that are allocated for them.

    Args:
        arrays: Arrays of the final length.
        blocks: A few dozen or hundred images each.

    Raises:
        NetworkError: There are more or fewer images than the arrays hold.
    """
    count, start = len(arrays.images), 0
    for images, columns in blocks:
        end = start + len(images)
        if end > count:
            start = end
            break
        arrays.images[start:end] = images
        columns["contents"] = content_hashes(images)
        arrays.columns[start:end] = columns
        start = end
    if start != count:
        more = "more" if start > count else f"{start}"
        raise NetworkError(f"The data set was to have {count} images and gives {more}: it differs from pass to pass.")
    return arrays


def cached(folder: Path, shape: tuple[int, ...], identity: object, blocks: Iterable[Block]) -> Decoded:
    """The images of a file, which is written where it is missing or damaged.

    Processes that need the same file at the same time wait for the first of them. The files used longest ago are
    removed when the folder becomes too large.

    Args:
        folder: Where the file lies.
        shape: Images, height, width, channels.
        identity: What the images follow from; ``None`` reads them first and names the file after them.
        blocks: A few dozen or hundred images each.

    Raises:
        Unwritable: The folder cannot be written or has too little space.
        NetworkError: There are more or fewer images than ``shape`` has.
    """
    if identity is None:
        return _write(folder, shape, None, blocks)
    path = _path(folder, shape, identity)
    if (decoded := _open(path, shape)) is not None:
        return decoded
    with ExitStack() as stack:
        # Without a lock, on a file system that has none, two processes may do the work: the file is replaced at once.
        with suppress(StoreError, OSError):
            stack.enter_context(hold_lock(path.with_suffix(".lock"), wait=True))
        return _open(path, shape) or _write(folder, shape, path, blocks)


def _path(folder: Path, shape: tuple[int, ...], identity: object) -> Path:
    content = json.dumps([_FORMAT, shape, identity], sort_keys=True, default=str)
    return folder / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.npy"


def _open(path: Path, shape: tuple[int, ...]) -> Decoded | None:
    """The images of a file, or ``None`` where there is none, or a bit of it has changed since it was written."""
    try:
        # "c" (copy on write), although nobody writes: TensorFlow takes no array that is read-only.
        images = np.load(path, mmap_mode="c", allow_pickle=False)
        if images.shape != shape or images.dtype != np.uint8:
            return None
        end = images.offset + images.nbytes
        columns = np.fromfile(path, COLUMNS, shape[0], offset=end)
        digest = np.fromfile(path, np.uint8, offset=end + columns.nbytes)
        if digest.tobytes() != _digest(columns) or not np.array_equal(content_hashes(images), columns["contents"]):
            return None
    except (OSError, ValueError, EOFError):
        return None
    with suppress(OSError):
        # `_prune` compares the time of access, which many file systems do not update by themselves.
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    return Decoded(images, columns)


def _digest(columns: np.ndarray) -> bytes:
    return hashlib.blake2b(columns.tobytes(), digest_size=16).digest()


def _write(folder: Path, shape: tuple[int, ...], path: Path | None, blocks: Iterable[Block]) -> Decoded:
    with _reserved(folder, shape) as temporary:
        mapped = np.lib.format.open_memmap(temporary, mode="r+")
        columns = fill(allocate(mapped), blocks).columns
        mapped.flush()
        with temporary.open("r+b") as file:
            file.seek(mapped.offset + mapped.nbytes)
            file.write(columns.tobytes() + _digest(columns))
            file.truncate()
        if path is None:
            path = _path(folder, shape, _digest(columns).hex())
            if (existing := _open(path, shape)) is not None:
                return existing
        temporary.replace(path)
    del mapped
    written = _open(path, shape)
    if written is None:
        raise NetworkError(f"The images that were written to {path} cannot be read again: its disk is at fault.")
    return written


@contextmanager
def _reserved(folder: Path, shape: tuple[int, ...]) -> Iterator[Path]:
    """A temporary file of the full length, on a disk that has the space for it; removed at the end if it is left."""
    need = int(np.prod(shape)) + COLUMNS.itemsize * shape[0] + 4096
    temporary = folder / f"tmp{uuid.uuid4().hex}.{socket.gethostname()}.{os.getpid()}.part"
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            state = os.statvfs(folder)
            _prune(folder, min(_MAX_BYTES, state.f_blocks * state.f_frsize // 10))
            state = os.statvfs(folder)
            if state.f_bavail * state.f_frsize < need:
                raise Unwritable("has no room for them")
            np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            with temporary.open("r+b") as file:
                # A disk that becomes full while a mapped file is filled would end the process.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, need)
        except OSError as error:
            raise Unwritable(f"cannot be written ({error.strerror})") from error
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _has_ended(temporary: Path) -> bool:
    """Whether the process that writes a temporary file ran on this machine and is gone."""
    host, _, process = temporary.stem.partition(".")[2].rpartition(".")
    if host != socket.gethostname() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _prune(folder: Path, limit: int) -> None:
    """Removes the files used longest ago until the rest fits; a process that maps one keeps it."""
    now = time.time()
    for abandoned in folder.glob("tmp*.part"):
        with suppress(OSError):
            if now - abandoned.stat().st_mtime > _DAY or _has_ended(abandoned):
                abandoned.unlink()
    files = []
    for path in folder.glob("[0-9a-f]" * 16 + ".npy"):
        with suppress(OSError):
            state = path.stat()
            files.append((state.st_atime, state.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            break
        with suppress(OSError):
            path.unlink()
            path.with_suffix(".lock").unlink(missing_ok=True)
        total -= size
