"""How much memory workers take, and whether there is room for one more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["Memory"]

_CGROUP = "sys/fs/cgroup"


class Memory:
    """The memory of the machine, or of the container, as Linux tells of it; elsewhere there is always room.

    A worker is expected to grow to the most that any worker was seen to hold. Files that it maps do not count: workers
    share them, and the kernel takes them back when memory is short.

    Args:
        root: The root folder, under which ``proc`` and ``sys`` lie.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._most = 0

    def bears(self, busy: Sequence[int], idle: int | None) -> bool:
        """Whether a further worker can go to work.

        Args:
            busy: Process ids of the workers at work.
            idle: That of the further worker, or None if it is still to be started.
        """
        held = [self.held(pid) for pid in busy] + [self.held(idle) if idle else 0]
        self._most = max(self._most, *held)
        free = self._free()
        return free is None or sum(self._most - own for own in held) <= free

    def held(self, pid: int) -> int:
        """Bytes of its own that a process holds."""
        facts = self._facts(f"proc/{pid}/status")
        return facts.get("RssAnon", 0) + facts.get("RssShmem", 0)

    def _free(self) -> int | None:
        """Bytes that can still be had, or None if nobody knows."""
        machine = self._facts("proc/meminfo").get("MemAvailable")
        limit, used = (self._number(f"{_CGROUP}/memory.{name}") for name in ("max", "current"))
        if limit is None or used is None:
            return machine
        # Of what a container has used, the kernel gives cached files back when they are in the way.
        cached = sum(self._fields(f"{_CGROUP}/memory.stat", name) for name in ("inactive_file", "active_file"))
        own = limit - used + cached
        return own if machine is None else min(own, machine)

    def _facts(self, path: str) -> dict[str, int]:
        """Lines such as ``VmRSS:  1234 kB`` in bytes."""
        facts = {}
        for line in self._text(path).splitlines():
            name, _, value = line.partition(":")
            words = value.split()
            if len(words) == 2 and words[1] == "kB":
                facts[name] = int(words[0]) * 1024
        return facts

    def _fields(self, path: str, name: str) -> int:
        words = [line.split() for line in self._text(path).splitlines()]
        return next((int(pair[1]) for pair in words if len(pair) == 2 and pair[0] == name), 0)

    def _number(self, path: str) -> int | None:
        text = self._text(path).strip()
        return int(text) if text.isdigit() else None

    def _text(self, path: str) -> str:
        try:
            return (self._root / path).read_text()
        except OSError:
            return ""
