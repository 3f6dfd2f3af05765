"""Memory of the machine or the container, and of processes, as Linux reports it."""

from __future__ import annotations

from pathlib import Path

_CGROUP = "sys/fs/cgroup/memory"


def total_memory(root: Path = Path("/")) -> int | None:
    """Bytes that all processes together may hold: what the machine has, or the limit of the container.

    Args:
        root: Where ``proc`` and ``sys`` lie.

    Returns:
        None where the system does not report it.
    """
    machine = _kilobytes(root / "proc/meminfo").get("MemTotal")
    return _least(machine, _number(root / f"{_CGROUP}.max"))


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that processes can still take, of the machine or within the limit of the container.

    Args:
        root: Where ``proc`` and ``sys`` lie.

    Returns:
        None where the system does not report it.
    """
    machine = _kilobytes(root / "proc/meminfo").get("MemAvailable")
    limit, used = (_number(root / f"{_CGROUP}.{name}") for name in ("max", "current"))
    if limit is None or used is None:
        return machine
    # Cached files count as used, but the kernel drops them as soon as a process needs their place.
    statistics = _fields(root / f"{_CGROUP}.stat")
    cached = statistics.get("inactive_file", 0) + statistics.get("active_file", 0)
    return _least(machine, limit - used + cached)


def process_memory(pid: int, root: Path = Path("/")) -> int:
    """Bytes that a process holds for itself; 0 where the system does not report it.

    Mapped files do not count: processes share them, and the kernel drops them when memory is short.

    Args:
        pid: The process.
        root: Where ``proc`` and ``sys`` lie.
    """
    values = _kilobytes(root / f"proc/{pid}/status")
    return values.get("RssAnon", 0) + values.get("RssShmem", 0)


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)


def _kilobytes(path: Path) -> dict[str, int]:
    """Lines such as ``VmRSS:  1234 kB`` in bytes."""
    return {name.rstrip(":"): 1024 * size for name, size in _fields(path, unit=["kB"]).items()}


def _fields(path: Path, unit: list[str] | None = None) -> dict[str, int]:
    lines = [line.split() for line in _text(path).splitlines()]
    return {
        words[0]: int(words[1])
        for words in lines
        if len(words) > 1 and words[1].isdigit() and words[2:] == (unit or [])
    }


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
