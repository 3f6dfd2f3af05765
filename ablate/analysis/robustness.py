"""Whether the claim about an effect depends on the assumptions of the t test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from ablate.analysis.comparisons import size_of
from ablate.analysis.effects import Effect

ROBUSTNESS_COLUMNS = (
    "cell",
    "n",
    "d_z",
    "p",
    "p_sign_flip",
    "p_welch",
    "correlation",
    "skewness",
    "skewed",
    "outliers",
)

_EXACT, _DRAWS, _SEED = 20, 2**16, 20261123
_AT_ONCE = 2**12
_FEW = 5


def sign_flip_ps(samples: Sequence[Sequence[float]]) -> list[float]:
    """Two-sided p values of means under all ways to flip signs, exact where an ingredient does nothing.

    Swapping the names of two equal cells flips the sign of a paired difference, so that all ``2 ** n`` sign patterns
    are equally likely. Beyond 20 differences 65,536 patterns are drawn, always the same ones, which samples of one size
    share.

    Args:
        samples: Samples of differences, one a seed.

    Returns:
        A p value a sample, never below ``2 ** (1 - n)``; NaN for fewer than two differences.

    Example:
        >>> sign_flip_ps([[1.0, 2.0, 3.0], [1.0]])
        [0.25, nan]
    """
    p_values = [_exact_p(sample) if len(sample) <= _EXACT else math.nan for sample in samples]
    sizes: dict[int, list[int]] = {}
    for place, sample in enumerate(samples):
        if len(sample) > _EXACT:
            sizes.setdefault(len(sample), []).append(place)
    for n, places in sizes.items():
        for place, p in zip(places, _drawn_p([samples[place] for place in places], n), strict=True):
            p_values[place] = p
    return p_values


def _threshold(sample: Sequence[float]) -> float:
    # A sum that differs from the observed one by rounding alone counts as equal to it.
    return abs(math.fsum(sample)) * (1 - 1e-9)


def _exact_p(sample: Sequence[float]) -> float:
    values = np.sort(np.abs(np.asarray(sample, dtype=float)))
    if len(values) < 2:
        return math.nan
    # A flip of all signs changes no magnitude: half of the patterns suffice.
    sums = values[:1]
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return float(np.mean(np.abs(sums) >= _threshold(sample)))


def _drawn_p(samples: Sequence[Sequence[float]], n: int) -> list[float]:
    values = np.sort(np.abs(np.asarray(samples, dtype=float)), axis=1).T
    thresholds = np.array([_threshold(sample) for sample in samples])
    signs = np.random.default_rng(_SEED).integers(0, 2, size=(_DRAWS, n), dtype=np.int8) * 2 - 1
    reached = np.zeros(len(samples), dtype=int)
    for begin in range(0, _DRAWS, _AT_ONCE):
        sums = signs[begin : begin + _AT_ONCE].astype(float) @ values
        reached += np.count_nonzero(np.abs(sums) >= thresholds, axis=0)
    return [float(p) for p in (1 + reached) / (1 + _DRAWS)]


def welch_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p value of Welch's t test, which ignores the pairing.

    Returns:
        The p value; NaN for fewer than two values a side or without spread.
    """
    if min(len(a), len(b)) < 2:
        return math.nan
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (a, b)]
    total = sum(parts)
    gap = abs(float(np.mean(a)) - float(np.mean(b)))
    if not total > (1e-7 * max(abs(float(np.mean(a))), abs(float(np.mean(b))))) ** 2:
        return math.nan
    freedom = total**2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, (a, b), strict=True))
    return 2 * float(special.stdtr(freedom, -gap / math.sqrt(total)))


def pairing_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson's correlation of two cells over shared seeds: what the pairing gains; NaN without spread."""
    if len(a) < 3:
        return math.nan
    x, y = np.asarray(a) - np.mean(a), np.asarray(b) - np.mean(b)
    norm = math.sqrt(float(x @ x) * float(y @ y))
    return float(np.clip(x @ y / norm, -1.0, 1.0)) if norm > 0 else math.nan


def skewness(values: Sequence[float]) -> tuple[float, bool]:
    """Adjusted sample skewness, and whether it is more than two of its standard errors from zero.

    Source: D. N. Joanes and C. A. Gill, Comparing measures of sample skewness and kurtosis, The Statistician 47
    (1998), 183-189 (their G1, and its standard error under normality).

    Returns:
        Skewness and flag; NaN and no flag for fewer than three values or without spread. Fewer than five are never
        flagged: any three numbers can look skewed.

    Example:
        >>> skewness([0.0, 0.1, -0.1, 0.0, 0.1, 5.0])[1]
        True
    """
    x = np.asarray(values, dtype=float)
    n = len(x)
    x = x - x.mean() if n else x
    second = float(np.mean(x**2)) if n else 0.0
    if n < 3 or second <= 0:
        return math.nan, False
    g1 = float(np.mean((x / math.sqrt(second)) ** 3)) * math.sqrt(n * (n - 1)) / (n - 2)
    error = math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    return g1, n >= _FEW and abs(g1) > 2 * error


def outliers(values: Sequence[float]) -> tuple[int, ...]:
    """Positions of values more than 3.5 robust standard deviations from the median, among five or more.

    Source: B. Iglewicz and D. C. Hoaglin, How to detect and handle outliers (1993): the modified z score.

    Example:
        >>> outliers([0.0, 0.1, -0.1, 0.05, 0.0, 5.0])
        (5,)
    """
    x = np.asarray(values, dtype=float)
    if len(x) < _FEW:
        return ()
    apart = np.abs(x - np.median(x))
    middle = float(np.median(apart))
    return tuple(np.flatnonzero(0.6745 * apart > 3.5 * middle).tolist()) if middle > 0 else ()


def robustness_frame(effects: Sequence[Effect]) -> pd.DataFrame:
    """A row an effect with the columns :data:`ROBUSTNESS_COLUMNS`.

    ``d_z`` is the mean contribution in standard deviations of the paired difference; ``p`` the unadjusted one beside
    which ``p_sign_flip`` and ``p_welch`` (both unadjusted, for a number of seeds fixed in advance) are to be read;
    ``outliers`` lists seeds. NaN where something is not defined.
    """
    rows, samples = [], []
    for effect in effects:
        seeds = list(effect.pairs)
        # All columns are free of units; squares of very large or small numbers would leave the range.
        unit = 2.0 ** (math.frexp(size_of(effect.pairs))[1] - 1)
        reference = [a / unit for a, _ in effect.pairs.values()]
        cell = [b / unit for _, b in effect.pairs.values()]
        differences = [b - a for a, b in zip(reference, cell, strict=True)]
        known = not math.isnan(effect.contribution.error)
        skew, skewed = skewness(differences) if known else (math.nan, False)
        spread = effect.contribution.error * math.sqrt(effect.contribution.n)
        samples.append(differences if known else [])
        rows.append(
            (
                effect.cell.label,
                len(seeds),
                effect.contribution.mean / spread if known else math.nan,
                effect.raw.difference,
                math.nan,
                welch_p(reference, cell),
                pairing_correlation(reference, cell),
                skew,
                skewed,
                ", ".join(str(seeds[index]) for index in outliers(differences)) if known else "",
            )
        )
    return pd.DataFrame(rows, columns=list(ROBUSTNESS_COLUMNS)).assign(p_sign_flip=sign_flip_ps(samples))
