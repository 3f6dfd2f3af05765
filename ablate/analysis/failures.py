"""How often the runs of a cell may fail or collapse unseen, and which verdicts lost runs forbid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from ablate.analysis.intervals import LEVEL
from ablate.analysis.verdicts import direction_of

MOST_COLLAPSES = 0.3
"""Share of collapsed runs that must be excluded before an ingredient is called dispensable or without effect.

Nine runs without a failure exclude it. A collapse that is rarer stays open, which the interval beside the verdict says.
"""

_FEW = 5


def failure_rate(failures: int, runs: int, level: float = LEVEL) -> float:
    """The highest share of failing runs with which so few of them are still likely.

    Source: C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26 (1934), 404-413; one-sided.

    Args:
        failures: How many runs failed or collapsed.
        runs: How many there are.
        level: Confidence level.

    Example:
        >>> round(failure_rate(0, 10), 3), failure_rate(2, 2)
        (0.259, 1.0)
    """
    return 1.0 if failures >= runs else float(special.betaincinv(failures + 1, runs - failures, level))


def collapsed(values: Sequence[float], direction: str) -> int:
    """How many runs of a cell are far worse than its others: by more than 3.5 robust standard deviations.

    Args:
        values: The metric of its runs; among fewer than five none is called collapsed.
        direction: ``"max"`` where a higher metric is better, else ``"min"``.

    Example:
        >>> collapsed([0.97, 0.96, 0.98, 0.1, 0.97, 0.99], "max")
        1
    """
    x = np.asarray(values, dtype=float)
    if len(x) < _FEW:
        return 0
    worse = (np.median(x) - x) * (1.0 if direction == "max" else -1.0)
    spread = float(np.median(np.abs(worse)))
    return int(np.count_nonzero(0.6745 * worse > 3.5 * spread)) if spread > 0 else 0


def lost_runs_forbid(conclusion: str, lost_by_reference: float, lost_by_cell: float) -> bool:
    """Whether runs that failed and were dropped may have made a verdict.

    A run that fails would most likely have been a bad one. A cell that lost more runs than its reference looks better
    than it is, and cannot be called as good; a reference that lost more cannot be called better.

    Args:
        conclusion: The verdict.
        lost_by_reference: How many of the reference's runs are missing, as a number or a share.
        lost_by_cell: How many of the cell's are, likewise.

    Example:
        >>> [lost_runs_forbid(name, 0, 2) for name in ("helps", "hurts", "dispensable", "undecided")]
        [False, True, True, False]
    """
    direction = direction_of(conclusion)
    if direction == "helps":
        return lost_by_reference > lost_by_cell
    if direction == "no effect":
        return lost_by_cell != lost_by_reference
    return direction in ("hurts", "dispensable") and lost_by_cell > lost_by_reference
