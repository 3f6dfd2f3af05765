"""What a pool of workers is given to do, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call of the function that a pool runs.

    Args:
        key: Identifies the call among the others.
        arguments: What to call the function with.
        group: Calls of one group go to one worker as long as others have enough to do, so that it can reuse what it
            has built.
    """

    key: Any
    arguments: tuple[Any, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Args:
        key: The call's key.
        value: What the function returned.
        error: What it raised, or a :class:`~ablate.errors.RunError` if the process died or ran out of time.
        reason: Empty, ``raised``, ``exited``, ``killed`` or ``timed out``.
    """

    key: Any
    value: Any = None
    error: BaseException | None = None
    reason: str = ""
