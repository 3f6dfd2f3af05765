"""What a network of another size means: a change of capacity, or more memory than there is."""

from __future__ import annotations

import os

from ablate.errors import NetworkError

__all__ = ["TIMES", "capacity_note", "memory_of_machine", "refuse_beyond"]

TIMES = 3.0
"""From so many times the weights on, a difference may come from capacity and not from the ingredient."""

# A weight, its gradient and the two moments of Adam, in 32 bits each.
_BYTES = 16
_SHARE = 0.8


def capacity_note(said: str, weights: int, full: int) -> str | None:
    """A sentence about a network that is much larger than the full one; None about others.

    Args:
        said: What was changed, ``"head=flatten"``.
        weights: Number of weights with the change.
        full: Number of weights of the full network.

    Example:
        >>> print(capacity_note("head=flatten", 400, 100))
        head=flatten is a change of capacity too: 4 times the weights of the full network (400 against 100).
        >>> capacity_note("bias=true", 101, 100)
    """
    if weights <= full * TIMES:
        return None
    return (
        f"{said} is a change of capacity too: {weights / full:.2g} times the weights of the full network "
        f"({weights:,} against {full:,})."
    )


def refuse_beyond(said: str, weights: int, budget: float | None = None) -> None:
    """Refuses a network whose training needs more memory than there is.

    Args:
        said: What was changed, ``"head=flatten"``.
        weights: Number of weights with the change.
        budget: Bytes; by default four fifths of the machine's memory.

    Raises:
        NetworkError: If weights, gradients and the optimizer's state need more.
    """
    allowed = memory_of_machine() * _SHARE if budget is None else budget
    needed = weights * _BYTES
    if needed > allowed:
        raise NetworkError(
            f"{said} makes a network of {weights:,} weights, which needs at least {needed / 2**30:.1f} GiB to train; "
            f"{allowed / 2**30:.1f} GiB may be used. Use smaller images, or leave it out."
        )


def memory_of_machine() -> float:
    """Bytes of main memory; infinite where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return float("inf")
