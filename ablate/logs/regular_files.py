"""Bounded reading of regular files below a folder that nobody vouches for.

A name may stand for anything: a link out of the folder, a pipe that never ends, a device, a file that says it is empty
and is not. So what is opened is looked at before a byte is read, and never more is read than was allowed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


class UnreadableFile(Exception):
    """A file that cannot be read; its text is the reason, made to follow the file's name."""


@contextmanager
def open_regular_file(path: Path, root: Path, most: int) -> Iterator[BinaryIO]:
    """Open a regular file for reading, which lies below a folder also where links are followed.

    Args:
        path: The file, or a link to one.
        root: The folder that nothing is read outside of.
        most: The largest size in bytes. A file may hold more than it says: who reads must stop there.

    Yields:
        The open file.

    Raises:
        UnreadableFile: If it is larger, is no regular file, lies outside, or the system does not let it be read.
    """
    # A link on the way is followed once, here; the place it leads to is opened without following any.
    real = os.path.realpath(path)
    if not is_below(real, root):
        raise UnreadableFile("is a link out of the folder, which is not followed")
    try:
        # Opening a pipe without O_NONBLOCK waits for somebody who writes to it.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        reason = {errno.ELOOP: "is a link to itself", errno.ENXIO: "is a socket or a device"}.get(error.errno or 0)
        raise UnreadableFile(reason or error.strerror or str(error)) from error
    status = os.fstat(descriptor)
    is_regular = stat.S_ISREG(status.st_mode)
    if not is_regular or status.st_size > most:
        os.close(descriptor)
        raise UnreadableFile(_too_large(status.st_size, most) if is_regular else kind_of(status.st_mode))
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise UnreadableFile(error.strerror or str(error)) from error


def read_bytes(path: Path, root: Path, most: int) -> bytes:
    """The bytes of a regular file of at most so many; see :func:`open_regular_file`.

    Raises:
        UnreadableFile: If there are more, or it cannot be read.
    """
    with open_regular_file(path, root, most) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UnreadableFile(_too_large(len(data), most))
    return data


def is_below(path: str | Path, root: Path) -> bool:
    """Whether a path without links is a folder or lies in it."""
    real = os.path.realpath(root)
    return os.path.commonpath([real, path]) == real


def kind_of(mode: int) -> str:
    """What a file is that is no regular one, as a phrase that follows its name.

    Args:
        mode: As ``os.stat`` gives it.
    """
    return next((phrase for is_kind, phrase in _KINDS if is_kind(mode)), "is no regular file")


def _too_large(size: int, most: int) -> str:
    return f"has {size / 1e6:,.0f} MB; files of this kind are read up to {most / 1e6:,.0f} MB"
