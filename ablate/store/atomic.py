"""Atomic writes: a reader finds either the old file or the complete new one, even if the writer crashes."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Write a UTF-8 text file atomically; see :func:`replacing`. Half of a surrogate pair is written as its escape."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def make_folder(path: Path) -> None:
    """Make a folder with its parents, and check that files can be written in it.

    Raises:
        StoreError: If it cannot be made or written; the message says why.
    """
    if path.is_symlink() and not path.exists():
        raise StoreError(f"Cannot write to the output folder '{path}': it is a link to nowhere ({path.readlink()}).")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise StoreError(f"Cannot write to the output folder '{path}': {error.strerror or error}.") from error
