"""How many workers the free memory allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ablate.memory import available_memory, process_memory


class MemoryBudget:
    """Decides whether the free memory allows one more worker; it always does where the system reports no free memory.

    Every worker is expected to grow to the most that any worker was seen to hold: they all do the same kind of work,
    and one that has just started holds little yet.

    Args:
        root: The folder that contains ``proc`` and ``sys``.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._peak = 0

    def allows(self, busy: Sequence[int], idle: int | None) -> bool:
        """Whether a further worker can start working.

        Args:
            busy: Process ids of the workers at work.
            idle: That of the further worker, or None if it is still to be started.
        """
        sizes = [process_memory(pid, self._root) for pid in busy] + [process_memory(idle, self._root) if idle else 0]
        self._peak = max(self._peak, *sizes)
        free = available_memory(self._root)
        return free is None or sum(self._peak - size for size in sizes) <= free
