"""Reading single files of folders that may come from elsewhere: regular files alone, up to a size, no links."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from ablate.errors import StoreError


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, in binary.

    A link could lead to any file of the reader's, and opening a pipe would wait for a writer.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is none.
        StoreError: If it is a link, a folder, a pipe or a device, or the system does not let it be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror or error
        raise StoreError(f"Cannot read '{path}': {reason}.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StoreError(f"Cannot read '{path}': it is not a regular file.")
    return os.fdopen(handle, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file.

    Args:
        path: The file.
        most: The largest size in bytes that is read.

    Raises:
        FileNotFoundError: If there is no such file.
        StoreError: As in :func:`open_regular`, or if the file is larger.
    """
    try:
        with open_regular(path) as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"Cannot read '{path}': {error.strerror or error}.") from error
    if len(data) > most:
        raise StoreError(f"Cannot read '{path}': it is larger than {most / 1e6:g} MB.")
    return data
