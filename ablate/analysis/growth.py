"""What error a study may still spend that took more seeds after its results had been seen."""

from __future__ import annotations

from collections.abc import Sequence

FIRST_FURTHER_SHARE = 0.05
"""Share of the error probability that the first look after growing may spend; each later one has half as much.

The first look has spent all that was declared, and its verdicts were those of a study that could have ended there. All
further looks together add at most a tenth.
"""


def levels_of(looks: Sequence[int], seeds: int) -> tuple[tuple[int, float], ...]:
    """The looks of a study that grew: number of seeds, and the share of the error probability that each may spend.

    Args:
        looks: Numbers of seeds at which results existed before the study grew, in order.
        seeds: The number that it has now.

    Returns:
        Empty where it did not grow.

    Example:
        >>> levels_of((3, 5), 10)
        ((3, 1.0), (5, 0.05), (10, 0.025))
        >>> levels_of((), 10)
        ()
    """
    counts = sorted({count for count in looks if count < seeds})
    if not counts:
        return ()
    shares = [1.0, *(FIRST_FURTHER_SHARE / 2**place for place in range(len(counts)))]
    return tuple(zip((*counts, seeds), shares, strict=True))
