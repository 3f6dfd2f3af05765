"""A lock for file systems without locks: a file that names the process that holds it.

The kernel does not remove such a file when its process dies, so each reader checks whether the process is still alive.
That can be checked on the machine of the process alone; a file from another machine counts as held.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ablate.errors import StoreError

_LONGEST_WAIT = 60.0
"""Seconds to wait for a lock of another machine, of which nobody can say here whether its process is still alive."""

_LONGEST_WRITE = 10.0
"""Seconds after which a file without a legible owner counts as left behind by a process that died while writing it."""


@contextmanager
def hold_owner_file(path: Path, wait: bool) -> Iterator[bool]:
    """Hold a file that names this process for the time of a ``with`` block.

    Args:
        path: The file; it exists while the lock is held.
        wait: Whether to wait until the lock is free.

    Yields:
        Whether the lock was acquired.

    Raises:
        StoreError: If the file cannot be written, or if ``wait`` and another machine does not release the lock.
    """
    own = json.dumps(_own_identity()).encode()
    end = time.monotonic() + _LONGEST_WAIT
    while not _create(path, own):
        data = _read(path)
        if data is None:
            continue  # it was released just now
        if not _is_live(path, data):
            _remove_stale(path, data)
            continue
        if not wait:
            yield False
            return
        if not _is_local(data) and time.monotonic() > end:
            raise StoreError(
                f"'{path}' is held by {_owner_text(data)}. If there is no such process any more, delete the file."
            )
        time.sleep(0.05)
    try:
        yield True
    finally:
        if _read(path) == own:
            path.unlink(missing_ok=True)


def is_owned(path: Path) -> bool:
    """Whether the file is there and its process is alive, or may be alive on another machine."""
    data = _read(path)
    return data is not None and _is_live(path, data)


def _create(path: Path, data: bytes) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(f"Cannot lock '{path}': {error.strerror or error}.") from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        return b""


def _remove_stale(path: Path, data: bytes) -> None:
    # Renamed before it is deleted: of two processes that see the same stale file, the slower one might otherwise
    # delete the new file of the faster one.
    aside = path.with_name(f"{path.name}.{os.getpid()}-{time.monotonic_ns()}")
    with suppress(OSError):
        path.rename(aside)
        if aside.read_bytes() != data:
            os.link(aside, path)
        aside.unlink()


def _is_live(path: Path, data: bytes) -> bool:
    owner = _parse(data)
    if not owner:
        with suppress(OSError):
            return time.time() - path.stat().st_mtime < _LONGEST_WRITE
        return False
    if not _is_local(data):
        return True
    return owner.get("start") == _start_time(int(owner["pid"])) is not None


def _is_local(data: bytes) -> bool:
    owner, own = _parse(data), _own_identity()
    return not owner or (owner.get("host"), owner.get("boot")) == (own["host"], own["boot"])


def _parse(data: bytes) -> Mapping[str, Any]:
    try:
        owner = json.loads(data)
        return owner if isinstance(owner, dict) and isinstance(owner.get("pid"), int) else {}
    except ValueError:
        return {}


def _owner_text(data: bytes) -> str:
    owner = _parse(data)
    return f"process {owner.get('pid')} on '{owner.get('host')}'"


def _own_identity() -> dict[str, Any]:
    boot = _read(Path("/proc/sys/kernel/random/boot_id")) or b""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": boot.decode().strip(), "pid": pid, "start": _start_time(pid)}


def _start_time(pid: int) -> str | None:
    """When a process started, by which it is told from a later one with the same id; None where there is none."""
    stat = _read(Path(f"/proc/{pid}/stat"))
    if stat:
        fields = stat.rpartition(b")")[2].split()  # the name before may contain blanks
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "unknown"
