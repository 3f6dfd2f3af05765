"""The difference of two cells whose runs form no pairs: Welch's t interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.analysis.intervals import MeanInterval, interval_of, is_constant

Samples = tuple[tuple[float, ...], tuple[float, ...]]
"""The metric of the runs of a reference and of a cell."""


def welch_interval(reference: Sequence[float], cell: Sequence[float], overlap: float = 0.0) -> MeanInterval:
    """Mean of a cell minus mean of its reference, for runs that form no pairs, with Welch's t interval.

    Neither the order of the runs nor equal spreads are assumed. Source: B. L. Welch, The generalization of "Student's"
    problem when several different population variances are involved, Biometrika 34 (1947), 28-35.

    Args:
        reference: The metric of the reference's runs.
        cell: The metric of the cell's runs.
        overlap: Where each run splits one data set anew, the number of test examples for each training example: the
            variance of each mean is then that of :func:`ablate.analysis.resplit.corrected`. What the splits of both
            cells have in common is not taken out, so that the interval is rather too wide.

    Returns:
        The difference in units of the metric, with the smaller number of runs as ``n``; without an interval where a
        side has fewer than two runs, or neither has spread.

    Example:
        >>> difference = welch_interval([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
        >>> difference.mean, round(difference.degrees, 3)
        (2.0, 2.941)
    """
    n = min(len(reference), len(cell))
    if n == 0:
        return MeanInterval(0, math.nan, math.nan, math.nan)
    means = [math.fsum(values) / len(values) for values in (reference, cell)]
    difference = means[1] - means[0]
    if n == 1 or (is_constant(reference) and is_constant(cell)):
        return MeanInterval(n, difference, math.nan, math.nan)
    # In units of the largest deviation, whose square could overflow or underflow.
    deviations = [[value - mean for value in values] for values, mean in zip((reference, cell), means, strict=True)]
    unit = max(abs(deviation) for side in deviations for deviation in side)
    variances = [math.fsum((each / unit) ** 2 for each in side) / (len(side) - 1) for side in deviations]
    parts = [variance * (1 / len(side) + overlap) for variance, side in zip(variances, deviations, strict=True)]
    total = math.fsum(parts)
    freedom = total**2 / math.fsum(part**2 / (len(side) - 1) for part, side in zip(parts, deviations, strict=True))
    return interval_of(n, difference, unit * math.sqrt(total), freedom)
