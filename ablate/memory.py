"""Memory of the machine or the container, and of processes, as Linux reports it."""

from __future__ import annotations

import re
from pathlib import Path

_CGROUP = "sys/fs/cgroup/memory"


def total_memory(root: Path = Path("/")) -> int | None:
    """Bytes that all processes together may use: those of the machine, or the limit of the container.

    Args:
        root: The folder that ``proc`` and ``sys`` are in.

    Returns:
        None where the system does not report it.
    """
    return _smaller(_fields(root / "proc/meminfo").get("MemTotal"), _number(root / f"{_CGROUP}.max"))


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that processes can still allocate, of the machine or within the limit of the container.

    Args:
        root: The folder that ``proc`` and ``sys`` are in.

    Returns:
        None where the system does not report it.
    """
    available = _fields(root / "proc/meminfo").get("MemAvailable")
    limit, used = _number(root / f"{_CGROUP}.max"), _number(root / f"{_CGROUP}.current")
    if limit is None or used is None:
        return available
    # Cached files count as used, but the kernel drops them as soon as a process needs their memory.
    statistics = _fields(root / f"{_CGROUP}.stat")
    cached = statistics.get("inactive_file", 0) + statistics.get("active_file", 0)
    return _smaller(available, limit - used + cached)


def process_memory(pid: int, root: Path = Path("/")) -> int:
    """Bytes that a process holds for itself; 0 where the system does not report it.

    Mapped files do not count: processes share them, and the kernel drops them when memory is short.

    Args:
        pid: The process.
        root: The folder that ``proc`` and ``sys`` are in.
    """
    fields = _fields(root / f"proc/{pid}/status")
    return fields.get("RssAnon", 0) + fields.get("RssShmem", 0)


def _smaller(size: int | None, limit: int | None) -> int | None:
    return min((number for number in (size, limit) if number is not None), default=None)


def _fields(path: Path) -> dict[str, int]:
    """Lines such as ``VmRSS:  1234 kB`` in bytes, and lines such as ``inactive_file 1234`` as they are."""
    matches = re.findall(r"^(\w+):?[ \t]+(\d+)( kB)?$", _text(path), re.MULTILINE)
    return {name: int(number) * (1024 if unit else 1) for name, number, unit in matches}


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
