"""Locks between processes; the lock of a process that dies is released."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.errors import StoreError


@contextmanager
def hold(path: Path, wait: bool = False) -> Iterator[bool]:
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


def is_held(path: Path) -> bool:
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
