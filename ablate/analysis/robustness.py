"""Whether the claim about an effect depends on the assumptions of the t test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import special

from ablate.analysis.effects import Effect

_EXACT, _DRAWS, _SEED = 20, 2**16, 20261123
_FEW = 5


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
    if n > _EXACT:
        reached = np.count_nonzero(np.abs(_drawn_signs(n) @ values) >= threshold)
        return float((1 + reached) / (1 + _DRAWS))
    # Flipping all signs leaves the magnitude of the sum: patterns that keep the first sign suffice.
    sums = values[:1]
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return float(np.mean(np.abs(sums) >= threshold))


@lru_cache(maxsize=1)
def _drawn_signs(n: int) -> np.ndarray:
    # Kept because a study asks for the same number of seeds cell after cell.
    return np.random.default_rng(_SEED).integers(0, 2, size=(_DRAWS, n), dtype=np.int8) * 2.0 - 1.0


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
    """Pearson's correlation of two cells over shared seeds: what pairing gains.

    Returns:
        The correlation; NaN for fewer than three seeds or without spread.
    """
    if len(a) < 3:
        return math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.corrcoef(a, b)[0, 1])


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
    n = len(values)
    spread = float(np.std(values)) if n > 2 else 0.0
    if spread == 0:
        return math.nan, False
    # In units of the spread: pandas takes small numbers for zero.
    g1: float = pd.DataFrame({"value": np.asarray(values) / spread}).skew()["value"]
    error = math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    return g1, n >= _FEW and bool(abs(g1) > 2 * error)


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
    """How much the claim about each effect rests on the t test.

    Returns:
        One row per effect, NaN where a measure is not defined: ``cell``, ``n``, ``d_z`` (mean contribution in standard
        deviations of the paired difference), the unadjusted ``p``, beside which ``p_sign_flip`` and ``p_welch`` (both
        unadjusted, for a number of seeds fixed in advance) are to be read, ``correlation`` of the paired runs,
        ``skewness``, whether it is notable (``skewed``), and the seeds that are ``outliers``.
    """
    rows = [_robustness(effect) for effect in effects]
    return pd.DataFrame(rows)


def _robustness(effect: Effect) -> dict[str, object]:
    seeds = list(effect.pairs)
    # No column depends on the unit, and squares of very large or small numbers would overflow or underflow.
    largest = max((abs(value) for side in effect.samples for value in side), default=0.0)
    unit = 2.0 ** (math.frexp(largest)[1] - 1)
    reference = [a / unit for a, _ in effect.pairs.values()]
    cell = [b / unit for _, b in effect.pairs.values()]
    error = effect.contribution.error
    # For differences without spread none of the measures is defined.
    differences = [] if math.isnan(error) else [b - a for a, b in zip(reference, cell, strict=True)]
    skew, is_skewed = skewness(differences)
    return {
        "cell": effect.cell.label,
        "n": effect.difference.n,
        "d_z": effect.contribution.mean / (error * math.sqrt(effect.contribution.n)) if differences else math.nan,
        "p": effect.raw.difference,
        "p_sign_flip": sign_flip_p(differences),
        "p_welch": welch_p(*([value / unit for value in side] for side in effect.samples)),
        "correlation": pairing_correlation(reference, cell),
        "skewness": skew,
        "skewed": is_skewed,
        "outliers": ", ".join(str(seeds[index]) for index in outliers(differences)),
    }
