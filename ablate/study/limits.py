"""How large a study may be, checked before anything is spelled out, so that no command line can fill the memory."""

from __future__ import annotations

from ablate.errors import DesignError

MOST_RUNS = 100_000
"""Runs of a study, and so cells and seeds: up to here one process plans them, see ``docs/scale.md``."""

MOST_LEVELS = 10_000
"""Levels of a factor."""

_COUNTABLE = 10**15


def check_size(number: int, most: int, what: str, advice: str) -> None:
    """Refuse what is too large.

    Args:
        number: How many there would be.
        most: How many there may be.
        what: What there would be, as the end of a sentence that begins with the number.
        advice: What to do instead, as a sentence.

    Raises:
        DesignError: If there would be more; the message has both numbers.

    Example:
        >>> check_size(2**40, MOST_RUNS, "combinations in the grid of 40 factors", "Choose a design with fewer.")
        Traceback (most recent call last):
        ablate.errors.DesignError: 1,099,511,627,776 combinations in the grid of 40 factors; there may be 100,000. \
Choose a design with fewer.
    """
    if number > most:
        count = f"{number:,}" if number < _COUNTABLE else f"More than {_COUNTABLE:,}"
        raise DesignError(f"{count} {what}; there may be {most:,}. {advice}")
