"""What the signs of paired differences say of their centre, without a normal distribution behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ablate.analysis.intervals import LEVEL

Floats = NDArray[np.float64]

_EXACT, _DRAWS, _SEED = 20, 2**16, 20261123
# The interval and the joint test need all patterns at once, for every cell.
_EXACT_JOINTLY, _JOINT_DRAWS = 12, 2**12


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p value of a mean by flipping signs; exact if cell and reference are exchangeable.

    Swapping the names of two equal cells flips the sign of a paired difference, so that all ``2 ** n`` sign patterns
    are equally likely. Beyond 20 differences 65,536 patterns are drawn, always the same ones.

    Args:
        differences: One per seed.

    Returns:
        The p value, never below ``2 ** (1 - n)``; NaN for fewer than two differences.

    Example:
        >>> sign_flip_p([1.0, 2.0, 3.0]), sign_flip_p([1.0])
        (0.25, nan)
    """
    n = len(differences)
    if n < 2:
        return math.nan
    values = np.sort(np.abs(np.asarray(differences, dtype=float)))
    # A sum that differs from the observed one by rounding alone counts as equal to it.
    threshold = abs(math.fsum(differences)) * (1 - 1e-9)
    if threshold <= 1e-12 * float(values[-1]):
        return 1.0
    if n > _EXACT:
        reached = np.count_nonzero(np.abs(_drawn_signs(n) @ values) >= threshold)
        return float((1 + reached) / (1 + _DRAWS))
    # Flipping all signs leaves the magnitude of the sum: patterns that keep the first sign suffice. Each is a sum over
    # one half of the values and one over the other, which in order are counted without being added up.
    left, right = _signed_sums(values[: n // 2 + 1], keep_first=True), np.sort(_signed_sums(values[n // 2 + 1 :]))
    above = len(right) - np.searchsorted(right, threshold - left, side="left")
    below = np.searchsorted(right, -threshold - left, side="right")
    return float((above + below).sum() / 2 ** (n - 1))


def _signed_sums(values: Floats, keep_first: bool = False) -> Floats:
    """The sums of values under all patterns of signs, or under those that keep the first sign."""
    sums, rest = (values[:1], values[1:]) if keep_first else (np.zeros(1), values)
    for value in rest:
        sums = np.concatenate([sums + value, sums - value])
    return sums


@lru_cache(maxsize=1)
def _drawn_signs(n: int) -> Floats:
    # Kept because a study asks for the same number of seeds cell after cell.
    signs = np.random.default_rng(_SEED).integers(0, 2, size=(_DRAWS, n), dtype=np.int8)
    return np.asarray(signs * 2.0 - 1.0, dtype=np.float64)


@lru_cache(maxsize=8)
def _patterns(n: int) -> Floats:
    """Rows of ones and minus ones, the first all ones: all that there are, or for many seeds a fixed selection."""
    if n <= _EXACT_JOINTLY:
        bits = (np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1
    else:
        bits = np.random.default_rng(_SEED).integers(0, 2, size=(_JOINT_DRAWS, n), dtype=np.int8)
        bits[0] = 0
    return np.asarray(1.0 - 2.0 * bits)


def sign_flip_interval(differences: Sequence[float], tail: float = (1 - LEVEL) / 2) -> tuple[float, float]:
    """The centres that a test by flipping signs does not reject.

    Its ends are order statistics of the means of subsets: a centre is rejected where too few subsets, those whose
    signs a pattern flips, have a mean beyond it. Source: J. A. Hartigan, Using subsample values as typical values,
    Journal of the American Statistical Association 64 (1969), 1303-1317.

    Args:
        differences: One per seed.
        tail: Probability of each of the two tests.

    Returns:
        Lower and upper end; infinite where so few seeds reject no centre at this level.

    Example:
        >>> sign_flip_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        (1.0, 6.0)
        >>> sign_flip_interval([1.0, 2.0, 3.0])
        (-inf, inf)
    """
    values = np.asarray(differences, dtype=float)
    flipped = _patterns(len(values))[1:] < 0
    sizes = flipped.sum(axis=1)
    means = np.sort((flipped @ values)[sizes > 0] / sizes[sizes > 0])
    place = math.floor(tail * (len(means) + 1))
    return (float(means[place - 1]), float(means[-place])) if place else (-math.inf, math.inf)


def sign_flip_tail(differences: Sequence[float]) -> float:
    """One-sided p value, by flipping signs, of a mean that is not above zero.

    Example:
        >>> sign_flip_tail([1.0, 2.0, 3.0])
        0.125
    """
    values = np.asarray(differences, dtype=float)
    sums = _patterns(len(values)) @ values
    return float(np.mean(sums >= sums[0] - 1e-9 * abs(sums[0])))


def joint_sign_flip_p(rows: Sequence[Sequence[float]]) -> list[float]:
    """Two-sided p values of several means, adjusted by the step-down procedure on the largest t statistic.

    The signs of a seed are flipped in all rows at once, which keeps the correlation that a common reference brings, so
    that less is lost than by Holm. Source: P. H. Westfall and S. S. Young, Resampling-based multiple testing (1993),
    algorithm 2.8, and J. P. Romano and M. Wolf, Exact and approximate stepdown methods for multiple hypothesis testing,
    Journal of the American Statistical Association 100 (2005), 94-108.

    Args:
        rows: The differences of each comparison by seed, all of the same seeds, none without spread.

    Returns:
        Adjusted p values in the order of the rows.

    Example:
        >>> joint_sign_flip_p([[1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 1.5, 2.5], [1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1.0, -1.5]])
        [0.0078125, 1.0]
    """
    values = np.asarray(rows, dtype=float)
    values = values / np.abs(values).max(axis=1, keepdims=True)
    n = values.shape[1]
    means = _patterns(n) @ values.T / n
    spread = np.maximum((values**2).mean(axis=1) - means**2, 1e-18)
    statistics = np.abs(means) / np.sqrt(spread / (n - 1))
    order = np.argsort(-statistics[0], kind="stable")
    adjusted = np.empty(len(rows))
    largest = 0.0
    for step, row in enumerate(order):
        peak = statistics[:, order[step:]].max(axis=1)
        largest = max(largest, float(np.mean(peak >= statistics[0, row] * (1 - 1e-9))))
        adjusted[row] = largest
    return [float(p) for p in adjusted]
