"""Atomic writes: a reader, also after a crash, finds the old file or the new one, never half of one."""

from __future__ import annotations

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
