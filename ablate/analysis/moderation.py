"""The moderated variance: with few seeds, each cell's spread is estimated together with that of its neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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


def squeeze(variance: Any, freedom: Any, common: Any, prior: float) -> Any:
    """A variance shrunk towards a common one.

    Source: G. K. Smyth, Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments, Statistical Applications in Genetics and Molecular Biology 3 (2004), article 3, section 3.

    Args:
        variance: The variance; a number or an array.
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
        >>> [(round(mean.error, 3), mean.degrees) for mean in moderated([t_interval(row) for row in rows], rows)][:2]
        [(0.129, 10.0), (0.125, 10.0)]
    """
    places = [place for place, mean in enumerate(means) if mean.error > 0]
    if len(places) < FEWEST_CELLS or all(means[place].n >= FEW_SEEDS for place in places):
        return list(means)
    # In units of the largest, because squares of very large or small numbers would overflow or underflow.
    unit = max(means[place].error * math.sqrt(means[place].n) for place in places)
    variances = [(means[place].error * math.sqrt(means[place].n) / unit) ** 2 for place in places]
    least = min(len(contributions[place]) for place in places)
    shared = np.array([contributions[place][:least] for place in places], dtype=float) / unit
    around, of_reference = spread_of_runs(shared[:, ~np.isnan(shared).any(axis=0)])
    if not around > 0:
        return list(means)
    shrunk, prior = shrink(np.array(variances), np.array([means[place].n for place in places]), around, of_reference)
    result = list(means)
    for place, variance, added in zip(places, shrunk.tolist(), prior.tolist(), strict=True):
        if added:
            mean = means[place]
            error = unit * math.sqrt(variance / mean.n)
            half = error * float(t_half_width(mean.n + added))
            result[place] = replace(mean, error=error, half=half, prior=added)
    return result


def shrink(variances: Floats, counts: Floats, around: Any, of_reference: Any) -> tuple[Floats, Floats]:
    """The moderated variances of the cells of one study, or of many.

    Args:
        variances: Of the differences; the last axis is cells, others are studies.
        counts: Numbers of seeds, alike.
        around: What :func:`spread_of_runs` says of each study.
        of_reference: The same.

    Returns:
        The variances, and the degrees of freedom that the common one adds, 0 for a cell that keeps its own.
    """
    degrees = counts - 1
    total, freedom = (degrees * variances).sum(axis=-1, keepdims=True), degrees.sum(axis=-1, keepdims=True)
    common = (total / freedom + 2 * np.asarray(around)[..., np.newaxis]) / 2
    others = (total - degrees * variances) / (freedom - degrees)
    typical = special.fdtrc(degrees, freedom - degrees, variances / others) >= ATYPICAL_CELL
    typical &= (np.asarray(of_reference) >= ATYPICAL_REFERENCE)[..., np.newaxis]
    typical &= (counts >= FEWEST_SEEDS) & (counts < FEW_SEEDS)
    squeezed = squeeze(variances, degrees, common, PRIOR_FREEDOM)
    return np.where(typical, squeezed, variances), np.where(typical, PRIOR_FREEDOM, 0.0)


def spread_of_runs(differences: Floats) -> tuple[Any, Any]:
    """The variance of the cells' runs, and the p value of the F test that the reference has no larger one.

    The reference and what a seed does to all cells shift all differences of that seed alike: what is left of them
    after cell and seed is the cells' own noise, and what the seeds' means vary by is that of the reference, too.

    Args:
        differences: To one reference, by cell and seed (the last axis); earlier axes are studies.

    Returns:
        The variance, 0 for fewer than three seeds or without spread, and the p value.
    """
    k, n = differences.shape[-2:]
    if n < FEWEST_SEEDS:
        return np.zeros(differences.shape[:-2]), np.ones(differences.shape[:-2])
    residuals = differences - differences.mean(axis=-1, keepdims=True)
    seeds = residuals.mean(axis=-2)
    around = ((residuals - seeds[..., np.newaxis, :]) ** 2).sum(axis=(-2, -1)) / ((k - 1) * (n - 1))
    expected = np.where(around > 0, around, 1.0) * (1 + 1 / k)
    ratio = np.where(around > 0, (seeds**2).sum(axis=-1) / (n - 1) / expected, 0.0)
    return around, special.fdtrc(n - 1, (k - 1) * (n - 1), ratio)
