"""One error for all contrasts between the cells of a study: the residual of its model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ablate.analysis.intervals import ROUNDING, MeanInterval, interval_of, t_interval
from ablate.analysis.observations import Observations

_OTHER_SPREAD = 0.25
"""Where the contrast's own spread over seeds exceeds the pooled one with a p value below this, its own counts.

Simulated for a main effect of a 2^3 grid with three seeds (20,000 studies): an effect of 1.5 standard deviations is
found in 72% (51% by its own spread alone, 93% by the pooled one alone), at an error of .04; where the effect itself
varies between seeds by .5, 1, 2 and 5 standard deviations the error is .06, .09, .08 and .05 (by the pooled one alone
.09 to .46)."""


@dataclass(frozen=True)
class PooledError:
    """The residual of the model of cells, and of seeds where runs of one seed belong together.

    Args:
        variance: Mean square of the residual, in the square of the metric's unit.
        freedom: Its degrees of freedom.
        paired: Whether differences between seeds were taken out.
    """

    variance: float
    freedom: int
    paired: bool


def pooled_error(values: Observations, cells: Iterable[str], paired: bool) -> PooledError | None:
    """The residual mean square of some cells.

    Args:
        values: The metric by cell label and seed.
        cells: Labels of the cells.
        paired: Whether runs of one seed belong together: then the seed is a block, and the seeds that all cells have
            count; otherwise it is the variance within cells.

    Returns:
        None where there is no residual, or no more than the rounding of the numbers.

    Example:
        >>> values = {"a": {0: 1.0, 1: 2.0}, "b": {0: 2.0, 1: 4.0}}
        >>> pooled_error(values, values, True), pooled_error(values, values, False)  # doctest: +NORMALIZE_WHITESPACE
        (PooledError(variance=0.25, freedom=1, paired=True), PooledError(variance=1.25, freedom=2, paired=False))
    """
    runs_by_cell = [values[cell] for cell in cells if values[cell]]
    if not runs_by_cell:
        return None
    if paired:
        shared = sorted(set.intersection(*(set(by_seed) for by_seed in runs_by_cell)))
        table = np.array([[by_seed[seed] for seed in shared] for by_seed in runs_by_cell], dtype=float)
        freedom = (len(runs_by_cell) - 1) * (len(shared) - 1)
        if freedom < 1:
            return None
        residual = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    else:
        freedom = sum(len(by_seed) - 1 for by_seed in runs_by_cell)
        if freedom < 1:
            return None
        residual = np.concatenate(
            [np.sort(list(each.values())) - np.mean(np.sort(list(each.values()))) for each in runs_by_cell]
        )
    size = max(abs(value) for by_seed in runs_by_cell for value in by_seed.values())
    squares = math.fsum(np.square(residual).ravel())
    if squares / freedom <= (ROUNDING * size) ** 2:
        return None
    return PooledError(squares / freedom, freedom, paired)


def contrast_interval(
    values: Observations, weights: Mapping[str, float], by_seed: Mapping[int, float], size: float, pooled: PooledError
) -> MeanInterval:
    """A contrast between cells with its t interval by the pooled error.

    Where runs of one seed belong together and the contrast itself varies more between seeds than the pooled error
    allows for, its own spread counts instead: what one ingredient does may depend on the seed more than the rest.

    Args:
        values: The metric by cell label and seed.
        weights: By cell label, the weight of its mean.
        by_seed: The contrast in each seed, where runs of one seed belong together.
        size: Magnitude of the metric.
        pooled: The error.
    """
    from scipy import special

    if not pooled.paired:
        used = {cell: weight for cell, weight in weights.items() if weight}
        counts = {cell: len(values[cell]) for cell in used}
        if not all(counts.values()):
            return MeanInterval(0, math.nan, math.nan, math.nan)
        means = {cell: math.fsum(values[cell].values()) / counts[cell] for cell in used}
        mean = math.fsum(weight * means[cell] for cell, weight in used.items())
        share = math.fsum(weight**2 / counts[cell] for cell, weight in used.items())
        return interval_of(min(counts.values()), mean, math.sqrt(pooled.variance * share), pooled.freedom)
    own = t_interval(list(by_seed.values()), scale=size)
    if math.isnan(own.error):
        return own
    error = math.sqrt(pooled.variance * math.fsum(weight**2 for weight in weights.values()) / own.n)
    ratio = (own.error / error) ** 2
    if float(special.fdtrc(own.n - 1, pooled.freedom, ratio)) < _OTHER_SPREAD:
        return own
    return interval_of(own.n, own.mean, error, pooled.freedom)
