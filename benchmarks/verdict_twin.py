"""Many studies at once, decided as the product decides each: for complete runs, without a margin.

What arrays cannot do quickly (flipping signs, studies in which differences are all alike) is left to the product's own
functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special
from verdict_studies import trajectories

from ablate.analysis import moderation, shape
from ablate.analysis.boundary import FIRST_LOOK, SHAPE, SequentialRule, score
from ablate.analysis.decisions import decide
from ablate.analysis.intervals import LEVEL, ROUNDING, t_interval
from ablate.analysis.power import MOST_ADVISED, POWER, least_value, t_power
from ablate.analysis.sign_flips import sign_flip_interval, sign_flip_p
from ablate.analysis.verdicts import ALPHA

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """What was decided of many studies: ``(studies, cells)`` each.

    Args:
        sign: 1 for helps, -1 for hurts, 0 for undecided.
        low: Lower ends of the intervals.
        high: Upper ends.
        read: Seeds read.
    """

    sign: Floats
    low: Floats
    high: Floats
    read: Floats


def _moments(contributions: Floats) -> tuple[Floats, Floats]:
    return contributions.mean(axis=-1), contributions.var(axis=-1, ddof=1)


def are_alike(reference: Floats, cells: Floats) -> Flags:
    """Which cells differ from the reference by the same amount in every seed, but for rounding: they have no test."""
    size = np.maximum(np.abs(reference).max(axis=2), np.abs(cells).max(axis=2))
    return np.asarray(np.ptp(reference - cells, axis=2) <= ROUNDING * size)


def moderate(variances: Floats, counts: Floats, around: Floats, of_reference: Floats) -> tuple[Floats, Floats]:
    """Moderated variances and what they add in degrees of freedom, where there are enough cells."""
    if variances.shape[1] < moderation.FEWEST_CELLS:
        return variances, np.zeros_like(variances)
    return moderation.shrink(variances, counts, around, of_reference)


def _moderated_singly(reference: Floats, cells: Floats, read: Floats) -> tuple[Floats, Floats]:
    """The same for one study, in which some cells have no variance."""
    rows = [(reference - cell)[: int(count)].tolist() for cell, count in zip(cells, read, strict=True)]
    sizes = np.maximum(np.abs(reference), np.abs(cells))
    means = [t_interval(row, float(size[: len(row)].max())) for row, size in zip(rows, sizes, strict=True)]
    found = moderation.moderated(means, rows)
    return np.array([mean.error**2 * mean.n for mean in found]), np.array([mean.prior for mean in found])


def holm(p: Floats) -> Floats:
    order = np.argsort(p, axis=1, kind="stable")
    factors = p.shape[1] - np.arange(p.shape[1])
    sorted_p = np.minimum(np.maximum.accumulate(np.take_along_axis(p, order, 1) * factors, axis=1), 1.0)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, sorted_p, axis=1)
    return adjusted


def bonferroni(p: Floats, least: int) -> Floats:
    return np.minimum(1.0, p * max(p.shape[1], least))


def shapes(reference: Floats, cells: Floats, active: Flags) -> tuple[Flags, Flags]:
    """Which active cells are too skewed for a t test, and which of all cells may have the variance of the reference."""
    contributions = reference - cells
    _, _, n = contributions.shape
    residuals = contributions - contributions.mean(axis=2, keepdims=True)
    residuals /= np.sqrt(np.where(active[..., np.newaxis], (residuals**2).mean(axis=2, keepdims=True), 1.0))
    measures = (residuals**3).mean(axis=2) * np.sqrt(n * (n - 1)) / (n - 2)
    limit = shape._LIMIT * shape._standard_error(n)
    number = np.maximum(active.sum(axis=1), 1)
    correlations = np.einsum("sin,sjn->sij", residuals, residuals) / n
    together = np.einsum("sij,si,sj->s", correlations**3, active * 1.0, active * 1.0) / number**2
    pooled = np.abs((measures * active).sum(axis=1) / number)
    everything = pooled > limit * np.sqrt(np.maximum(together, 1 / number**2))
    skewed = active & (everything[:, np.newaxis] | (np.abs(measures) > limit))
    own, others = reference.var(axis=2, ddof=1), cells.var(axis=2, ddof=1)
    mean = (others * active).sum(axis=1) / number
    alike = _may_be_equal(others, own, n - 1, n - 1)
    alike &= _may_be_equal(mean, own[:, 0], number * (n - 1), n - 1)[:, np.newaxis]
    return skewed, alike


def _may_be_equal(one: Floats, other: Floats, freedom_of_one: NDArray[np.int64] | int, freedom_of_other: int) -> Flags:
    positive = np.minimum(one, other) > 0
    upper = special.fdtrc(freedom_of_one, freedom_of_other, one / np.where(positive, other, 1.0))
    return np.where(positive, 2 * np.minimum(upper, 1 - upper) > shape._LEVEL, one == other)


def fixed(reference: Floats, cells: Floats) -> Batch:
    """:func:`ablate.analysis.decisions.decide` of many studies."""
    contributions = reference - cells
    _, k, n = contributions.shape
    mean, variances = _moments(contributions)
    one_by_one = are_alike(reference, cells).any(axis=1)
    variances = np.where(one_by_one[:, np.newaxis], 1.0, variances)
    prior = np.zeros_like(mean)
    if n < moderation.FEW_SEEDS:
        variances, prior = moderate(variances, np.full_like(mean, n), *moderation.spread_of_runs(contributions))
    freedom = n - 1 + prior
    error = np.sqrt(variances / n)
    p = 2 * special.stdtr(freedom, -np.abs(mean) / error)
    moderated = prior.any(axis=1, keepdims=True)
    adjusted = np.where(moderated, bonferroni(p, 6), holm(p))
    half = special.stdtrit(freedom, (1 + LEVEL) / 2) * error
    sign = np.where((adjusted <= ALPHA) & (np.abs(mean) > half), np.sign(mean), 0.0)
    low, high = mean - half, mean + half
    if n >= moderation.FEW_SEEDS:
        skewed, alike = shapes(reference, cells, np.repeat(~one_by_one[:, np.newaxis], k, axis=1))
        sign[skewed & ~alike] = 0.0
        low[skewed & ~alike] = high[skewed & ~alike] = np.nan
        one_by_one |= (skewed & alike).any(axis=1)
    for study in np.flatnonzero(one_by_one):
        found = decide(trajectories(reference[study, 0], cells[study]), None).values()
        for cell, decision in enumerate(found):
            sign[study, cell] = {"helps": 1.0, "hurts": -1.0}.get(decision.verdict, 0.0)
            low[study, cell], high[study, cell] = decision.contribution.low, decision.contribution.high
    return Batch(sign, low, high, np.full_like(mean, n))


def before(reference: Floats, cells: Floats) -> Batch:
    """The rule of version 0.1: each cell's own t test, with Holm."""
    contributions = reference - cells
    n = contributions.shape[2]
    mean, variances = _moments(contributions)
    untested = are_alike(reference, cells)
    error = np.sqrt(np.where(untested, np.nan, variances) / n)
    adjusted = holm(np.where(untested, 1.0, 2 * special.stdtr(n - 1, -np.abs(mean) / error)))
    half = special.stdtrit(n - 1, (1 + LEVEL) / 2) * error
    sign = np.where((adjusted <= ALPHA) & (np.abs(mean) > half), np.sign(mean), 0.0)
    return Batch(sign, mean - half, mean + half, np.full_like(mean, n))


def pooled(contributions: Floats) -> Batch:
    """:func:`ablate.analysis.datasets.pool_effects` of many studies: by study, cell, data set and seed."""
    means = contributions.mean(axis=3)
    return before(means, np.zeros_like(means))


def auto(reference: Floats, cells: Floats, rule: SequentialRule) -> Batch:
    """:func:`ablate.analysis.sequential.follow` of many studies."""
    contributions = reference - cells
    studies, k, _ = contributions.shape
    shape_ = (studies, k)
    sign, read = np.zeros(shape_), np.zeros(shape_)
    raw, largest = np.full(shape_, np.nan), np.full(shape_, -np.inf)
    mean, error, prior = np.zeros(shape_), np.ones(shape_), np.zeros(shape_)
    own_variance = np.zeros(shape_)
    flips, moderating = np.zeros(shape_, dtype=bool), np.zeros(studies, dtype=bool)
    withheld = np.zeros(shape_, dtype=bool)
    seeds: dict[int, tuple[Floats, Floats]] = {}
    for n in range(FIRST_LOOK, rule.max_seeds + 1):
        active = sign == 0
        rows = np.flatnonzero(active.any(axis=1))
        if not len(rows):
            break
        seen = contributions[:, :, :n]
        new_mean, new_variance = _moments(seen)
        untested = are_alike(reference[:, :, :n], cells[:, :, :n])
        new_variance = np.where(untested, np.nan, new_variance)
        read = np.where(active, n, read)
        mean, own_variance = np.where(active, new_mean, mean), np.where(active, new_variance, own_variance)
        none = np.zeros(shape_, dtype=bool)
        if n < moderation.FEW_SEEDS:
            seeds[n] = moderation.spread_of_runs(seen)
            least = read.min(axis=1).astype(int)
            around, of_reference = (
                np.choose(least - FIRST_LOOK, [seeds[count][part] for count in range(FIRST_LOOK, n + 1)])
                for part in (0, 1)
            )
            variances, added = moderate(own_variance, read, around, of_reference)
            for study in np.flatnonzero(active.any(axis=1) & np.isnan(own_variance).any(axis=1)):
                variances[study], added[study] = _moderated_singly(reference[study, 0], cells[study], read[study])
            moderating |= (active & (added > 0)).any(axis=1)
            skewed = none
        else:
            largest = np.where(moderating[:, np.newaxis] & active, -np.inf, largest)
            moderating[:] = False
            variances, added = own_variance, np.zeros(shape_)
            skewed, alike = shapes(reference[:, :, :n], cells[:, :, :n], active & ~untested)
            none = skewed & ~alike
        prior, error = np.where(active, added, prior), np.where(active, np.sqrt(variances / n), error)
        flips = np.where(active, skewed & ~none, flips)
        withheld = np.where(active, none, withheld)
        usable = active & ~skewed & ~untested
        scores = score(np.abs(mean) / error, n - 1 + prior, n)
        largest = np.where(usable, np.maximum(largest, scores), largest)
        raw = np.where(usable, rule.tail(largest), raw)
        raw = np.where(active & none, np.nan, raw)
        flipped = np.ones(shape_)
        # No p value of flipped signs is small where the t statistic is not.
        for study, cell in np.argwhere(active & flips & (np.abs(mean) > 1.5 * error)):
            flipped[study, cell] = sign_flip_p(contributions[study, cell, :n].tolist())
        raw = np.where(active & flips, rule.tail(-special.ndtri(flipped / 2) * n**SHAPE), raw)
        filled = np.where(np.isnan(raw), 1.0, raw)
        adjusted = np.where(moderating[:, np.newaxis], bonferroni(filled, 6), holm(filled))
        half = rule.half_width(n, prior=prior) * error
        claim = usable & (adjusted <= ALPHA) & (np.abs(mean) > half)
        sign = np.where(claim, np.sign(mean), sign)
        for study, cell in np.argwhere(active & flips & (adjusted <= ALPHA)):
            low, high = sign_flip_interval(contributions[study, cell, :n].tolist(), float(rule.nominal_tail(n)))
            sign[study, cell] = 1.0 if low > 0 else -1.0 if high < 0 else 0.0
    half = rule.half_width(read, prior=prior) * error
    low, high = (np.where(withheld, np.nan, end) for end in (mean - half, mean + half))
    for study, cell in np.argwhere(flips):
        n = int(read[study, cell])
        ends = sign_flip_interval(contributions[study, cell, :n].tolist(), float(rule.nominal_tail(n)))
        low[study, cell], high[study, cell] = ends
    return Batch(sign, low, high, read)


@lru_cache(maxsize=8)
def _least_sizes(alpha: float) -> Floats:
    """By number of seeds from 2 on, the least effect that they find often enough."""

    def least_size(n: int) -> float:
        return least_value(lambda size: bool(t_power(size, n, alpha) >= POWER), 1.0, 45)

    return np.array([least_size(n) for n in range(2, MOST_ADVISED + 1)])


def likely_seeds(mean: float, error: float, n: int, comparisons: int) -> int | None:
    """What :func:`ablate.analysis.power.advised_seeds` takes as likely, by a table."""
    size = abs(mean) / (error * n**0.5)
    enough = np.flatnonzero(_least_sizes(ALPHA / comparisons) <= size)
    return int(enough[0]) + 2 if len(enough) else None
