"""The moderated variance: with few seeds, each cell's spread is estimated together with that of its neighbours."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analysis.intervals import MeanInterval, t_half_width

FEW_SEEDS = 8
"""Number of seeds from which a cell's own variance is used."""

FEWEST_SEEDS = 3
"""Least number of seeds for which the rule has been calibrated."""

FEWEST_CELLS = 4
"""Least number of comparisons from whose variances a common one is estimated."""

PRIOR_FREEDOM = 8.0
"""Degrees of freedom that the common variance counts for beside a cell's own."""

ATYPICAL_CELL = 0.15
"""P value of the F test of a cell's variance against that of the others, below which it keeps its own."""

ATYPICAL_REFERENCE = 0.05
"""P value of the F test of the reference's variance against that of the cells, below which all keep their own."""

Floats = NDArray[np.float64]


def squeeze(variance: float, freedom: float, common: float, prior: float) -> float:
    """A variance shrunk towards a common one.

    Source: G. K. Smyth, Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments, Statistical Applications in Genetics and Molecular Biology 3 (2004), article 3, section 3.

    Args:
        variance: The variance.
        freedom: Its degrees of freedom.
        common: The variance that is typical of its neighbours.
        prior: The degrees of freedom that this one counts for.

    Example:
        >>> squeeze(1.0, 2, 4.0, 4)
        3.0
    """
    return (prior * common + freedom * variance) / (prior + freedom)


def moderated(means: Sequence[MeanInterval], contributions: Sequence[Sequence[float]]) -> list[MeanInterval]:
    """The mean contributions of cells that share a reference, with standard errors from moderated variances.

    With few seeds a cell's own variance is known so badly that its t test finds only what is enormous. Cells of one
    study mostly spread alike, so each variance is shrunk towards a common one (:func:`squeeze`): the mean of what the
    variances of the differences say and of what the spread of the cells around each other says, which does not hang on
    the luck of the one reference. A cell whose variance is atypical keeps it, with its own degrees of freedom, and if
    the reference is atypical, all do.

    The constants were calibrated by simulation, so that claims at level ``ALPHA`` divided by the number of comparisons,
    six at least, are wrong in at most 5.5% of studies, also where one cell spreads three times as much as the others
    (``benchmarks/verdicts.py``). The adjustment must be Bonferroni's: a step-down one would in the end test a single
    atypical cell at the full level.

    Args:
        means: The mean contributions of one block of cells with standard error and number of seeds.
        contributions: The contributions of each cell by seed, in the same order of seeds; NaN where one is lost.

    Returns:
        The same, those with 3 to 7 seeds with another error and interval if at least :data:`FEWEST_CELLS` have a
        variance and three seeds in common.

    Example:
        >>> from ablate.analysis.intervals import t_interval
        >>> rows = [[1.0, 1.2, 1.4], [2.0, 2.1, 2.3], [0.1, 0.2, 0.0], [0.3, 0.1, 0.5], [1.1, 1.0, 0.7]]
        >>> [(round(mean.error, 3), mean.freedom) for mean in moderated([t_interval(row) for row in rows], rows)][:2]
        [(0.125, 10.0), (0.121, 10.0)]
    """
    places = [place for place, mean in enumerate(means) if mean.error > 0]
    if len(places) < FEWEST_CELLS or all(means[place].n >= FEW_SEEDS for place in places):
        return list(means)
    # In units of the largest, because squares of very large or small numbers would overflow or underflow.
    unit = max(means[place].error * math.sqrt(means[place].n) for place in places)
    variances = [(means[place].error * math.sqrt(means[place].n) / unit) ** 2 for place in places]
    degrees = [means[place].n - 1 for place in places]
    least = min(len(contributions[place]) for place in places)
    shared = np.array([contributions[place][:least] for place in places], dtype=float) / unit
    around, of_reference = _spread_of_runs(shared[:, ~np.isnan(shared).any(axis=0)])
    if around <= 0 or of_reference < ATYPICAL_REFERENCE:
        return list(means)
    total, freedom = math.fsum(map(operator.mul, degrees, variances)), sum(degrees)
    common = (total / freedom + 2 * around) / 2
    result = list(means)
    for place, own, few in zip(places, variances, degrees, strict=True):
        mean = means[place]
        others = (total - few * own) / (freedom - few)
        if (
            FEWEST_SEEDS <= mean.n < FEW_SEEDS
            and float(special.fdtrc(few, freedom - few, own / others)) >= ATYPICAL_CELL
        ):
            error = unit * math.sqrt(squeeze(own, few, common, PRIOR_FREEDOM) / mean.n)
            half = error * float(t_half_width(mean.n + PRIOR_FREEDOM))
            result[place] = replace(mean, error=error, half=half, prior=PRIOR_FREEDOM)
    return result


def _spread_of_runs(differences: Floats) -> tuple[float, float]:
    """The variance of the cells' runs, and the p value of the F test that the reference has no larger one.

    The reference and what a seed does to all cells shift all differences of that seed alike: what is left of them
    after cell and seed is the cells' own noise, and what the seeds' means vary by is that of the reference, too.

    Args:
        differences: To one reference, a row a cell, a column a seed.

    Returns:
        The variance, 0 for fewer than three seeds, and the p value.
    """
    k, n = differences.shape
    if n < FEWEST_SEEDS:
        return 0.0, 1.0
    residuals = differences - differences.mean(axis=1, keepdims=True)
    seeds = residuals.mean(axis=0)
    around = float(((residuals - seeds) ** 2).sum()) / ((k - 1) * (n - 1))
    if around <= 0:
        return 0.0, 1.0
    ratio = float((seeds**2).sum()) / (n - 1) / (around * (1 + 1 / k))
    return around, float(special.fdtrc(n - 1, (k - 1) * (n - 1), ratio))
