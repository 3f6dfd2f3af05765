"""Opening the files of a study's folder, which may come from elsewhere.

Only regular files inside the folder are opened: no links, which could lead anywhere, no pipes, at which a reader waits
for ever, and no more bytes than the kind of file can need.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ablate.errors import StoreError

LARGEST_FILE = 256_000_000
"""How many bytes a file of a study may have, unless its kind is always smaller."""


def read_file(path: Path, root: Path | None = None, *, strict: bool = True, limit: int = LARGEST_FILE) -> bytes | None:
    """The bytes of a file of a study, or None where there is no such file.

    Args:
        path: The file.
        root: The folder of the study; the folders between it and the file must not be links. None trusts them.
        strict: Whether a file that exists and cannot be read is an error; otherwise it counts as missing.
        limit: How many bytes it may have.

    Raises:
        StoreError: If ``strict`` and the file cannot be read: it is a link or no regular file, a folder above it is a
            link, it is too large, or the system refuses.
    """
    try:
        if root is not None:
            check_inside(path.parent, root)
        with open_file(path, os.O_RDONLY) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise StoreError(
                    f"'{path}' has {size / 1e6:,.0f} MB; files of its kind have {limit / 1e6:,.0f} at most."
                )
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if not strict:
            return None
        raise StoreError(f"Cannot read '{path}': {error.strerror or error}.") from error
    except StoreError:
        if not strict:
            return None
        raise


def open_file(path: Path, flags: int) -> BinaryIO:
    """Open a regular file without following a link in the place of the file itself.

    Args:
        path: The file.
        flags: Those of :func:`os.open`: how to open it.

    Returns:
        The file; whoever opens it closes it.

    Raises:
        StoreError: If it is a link, or no regular file.
        OSError: If the system does not open it.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if path.is_symlink():
            raise StoreError(_link_text(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StoreError(f"'{path}' is no regular file.")
    mode = "ab" if flags & os.O_APPEND else ("r+b" if flags & os.O_RDWR else "rb")
    return os.fdopen(handle, mode)  # type: ignore[return-value]


def check_inside(folder: Path, root: Path) -> None:
    """Refuse a folder that is reached from the folder of a study through a link, or is not in it.

    Args:
        folder: A folder, which need not exist yet; its path begins with that of ``root``.
        root: The folder of the study, which itself may be a link.

    Raises:
        StoreError: If it, or a folder between the two, is a link, or its path leads out of ``root``.
    """
    names = folder.parts[len(root.parts) :]
    if folder.parts[: len(root.parts)] != root.parts or ".." in names:
        raise StoreError(f"'{folder}' is not in the folder '{root}'.")
    path = str(root)
    for name in names:
        path = f"{path}/{name}"
        if os.path.islink(path):  # noqa: PTH114 - called for every file of a study; a Path costs five times as much
            raise StoreError(_link_text(path))


def _link_text(path: Path | str) -> str:
    return (
        f"'{path}' is a link. Links in the folder of a study are not followed, since they may lead out of it: put what "
        "it stands for in its place."
    )
