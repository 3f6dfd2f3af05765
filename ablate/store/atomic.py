"""Files that several processes share: atomic writes, and locks.

A reader finds either the old file or the complete new one, never a part of it, even if the writer crashes. A lock is
released when the process that holds it ends, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ablate.errors import StoreError


@contextmanager
def replacing(path: Path, ending: str = ".tmp", *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to, and move what was written there to ``path`` when the ``with`` block ends.

    After an exception the temporary file is deleted and ``path`` stays as it was. A power failure later leaves the old
    file or the complete new one, too.

    Args:
        path: The file to replace; it need not exist yet, and a missing folder is made.
        ending: The suffix of the temporary file, for libraries that choose the file format by it.
        durable: Whether it must be the new one that a power failure leaves. This takes half as long again, which is
            too much for the many small files of a study.

    Yields:
        The temporary path, in the folder of ``path``; the block must create the file.

    Raises:
        StoreError: If the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name[:80]}.{os.getpid()}-{threading.get_ident()}{ending}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            if durable:
                _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"Cannot write '{path}': {error.strerror or error}.") from error


def _sync_folder(path: Path) -> None:
    """Write a folder's list of files to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically; see :func:`replacing`.

    Args:
        path: The file.
        data: The contents.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; see :func:`replacing`."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; see :func:`replacing`."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=True) + "\n")


def make_folder(path: Path) -> None:
    """Make a folder with its parents, and check that files can be written in it.

    Raises:
        StoreError: If it cannot be made or written; the message says why.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise StoreError(f"Cannot write to the output folder '{path}': {error.strerror or error}.") from error


@contextmanager
def hold_lock(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a lock file for the time of a ``with`` block.

    The kernel releases the lock when the process that holds it ends, so a lock that is held means a live process.

    Args:
        path: The lock file; it is not deleted when the lock is released.
        wait: Whether to wait until the lock is free; otherwise the block runs at once, without the lock if need be.

    Yields:
        Whether the lock was acquired.

    Raises:
        StoreError: If the lock file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"Cannot lock '{path}': {error.strerror or error}.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock; False where the lock file is missing or cannot be opened."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
