"""Locks: a lock is released when the process that holds it ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from ablate.errors import StoreError
from ablate.store.owner_file import hold_owner_file, is_owned


@contextmanager
def hold_lock(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a lock file for the time of a ``with`` block.

    The kernel releases the lock when the process that holds it ends, so a lock that is held means a live process. Where
    the file system has no locks, a file beside it names the process instead; see :mod:`ablate.store.owner_file`.

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
        handle = _LockHandle(path)
    except OSError as error:
        raise StoreError(f"Cannot lock '{path}': {error.strerror or error}.") from error
    with closing(handle):
        try:
            fcntl.flock(handle.number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise StoreError(f"Cannot lock '{path}': {error.strerror or error}.") from error
            with suppress(OSError, ValueError):  # a closed standard error
                _report_missing_locks(str(error.strerror))
        else:
            yield True
            return
    with hold_owner_file(_owner_path(path), wait) as held:
        yield held


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock; False where the lock file is missing or cannot be opened."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return is_owned(_owner_path(path))
    finally:
        os.close(handle)
    return False


_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""The errors with which a file system says that it has no locks."""

_LOWEST_HANDLE = 64
"""A program that closes "all" descriptors, mostly the first twenty, must not release a lock with them."""


class _LockHandle:
    """An open lock file.

    A child that this process forks does not keep it open: it would go on holding the lock after its parent has died.

    Args:
        path: The lock file.
    """

    _open: ClassVar[set[_LockHandle]] = set()

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with suppress(OSError):  # where so high a number is not allowed
            high = fcntl.fcntl(self.number, fcntl.F_DUPFD_CLOEXEC, _LOWEST_HANDLE)
            os.close(self.number)
            self.number = high
        self._file = _file_identity(self.number)
        self._open.add(self)

    def close(self) -> None:
        """Close the file, unless others have closed it and its number belongs to another file by now."""
        if self in self._open:
            self._open.remove(self)
            if _file_identity(self.number) == self._file:
                os.close(self.number)

    @classmethod
    def close_all(cls) -> None:
        """Close every lock file of this process."""
        for handle in list(cls._open):
            handle.close()


os.register_at_fork(after_in_child=_LockHandle.close_all)


def _file_identity(handle: int) -> tuple[int, int] | None:
    try:
        stat = os.fstat(handle)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _owner_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.owner")


@functools.cache
def _report_missing_locks(reason: str) -> None:
    """Say it once a process."""
    if sys.stderr is not None:
        sys.stderr.write(
            f"The file system has no locks ({reason}). Files that name the process take their place: after a crash of "
            "a machine, delete its '.lock.owner' files before another machine goes on with its runs.\n"
        )
