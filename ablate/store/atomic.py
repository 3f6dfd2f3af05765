"""Files that several processes share: atomic writes, and locks.

After an atomic write a reader, also after a crash, finds the old file or the new one, never half of one. The lock of a
process that dies is released.
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
def replacing(path: Path, ending: str = ".tmp") -> Iterator[Path]:
    """A temporary path to write to; at the end of the ``with`` block it replaces a file, but not after an exception.

    Args:
        path: The file; a missing folder is made.
        ending: The suffix of the temporary file, for libraries that choose the format by it.

    Yields:
        A path in the same folder.

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
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"Cannot write '{path}': {error.strerror or error}.") from error


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
    """Make a folder with its parents, and check that it can be written.

    Raises:
        StoreError: If it cannot; the message says why.
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

    The kernel releases the lock when its process ends, however it ends, so a held lock means a live process.

    Args:
        path: The lock file; it stays when the lock is released.
        wait: Whether to wait until the lock is free.

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
    """Whether a live process holds the lock file."""
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
