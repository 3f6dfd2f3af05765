"""Whether the claim about an effect depends on the assumptions of the t test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from ablate.analysis.comparisons import size_of
from ablate.analysis.effects import Effect
from ablate.analysis.intervals import t_interval
from ablate.analysis.shape import skewness
from ablate.analysis.sign_flips import sign_flip_p

_FEW = 5


def welch_p(a: Sequence[float], b: Sequence[float], overlap: float = 0.0) -> float:
    """Two-sided p value of Welch's t test, which ignores the pairing.

    Args:
        a: The runs of one cell.
        b: Those of another.
        overlap: See :func:`ablate.analysis.unpaired.welch_interval`.

    Returns:
        The p value; NaN for fewer than two values a side or without spread.
    """
    if min(len(a), len(b)) < 2:
        return math.nan
    parts = [float(np.var(values, ddof=1)) * (1 / len(values) + overlap) for values in (a, b)]
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


def robustness_frame(effects: Sequence[Effect], resplit: float | None = None) -> pd.DataFrame:
    """How much the claim about each effect rests on the t test.

    Args:
        effects: The effects.
        resplit: See :class:`~ablate.study.Study`. With it Welch's test is the corrected one, and ``p_sign_flip`` is
            NaN: signs of overlapping splits are not independent, and no correction is known.

    Returns:
        One row per effect, NaN where a measure is not defined: ``cell``, ``n``, ``d_z`` (mean contribution in standard
        deviations of the paired difference), the unadjusted ``p``, beside which ``p_sign_flip`` and ``p_welch`` (both
        unadjusted, for a number of seeds fixed in advance) are to be read, ``correlation`` of the paired runs,
        ``skewness``, whether it is notable (``skewed``), and the seeds that are ``outliers``.
    """
    rows = [_robustness(effect, resplit) for effect in effects]
    return pd.DataFrame(rows)


def _robustness(effect: Effect, resplit: float | None) -> dict[str, object]:
    seeds = list(effect.pairs)
    # No column depends on the unit, and squares of very large or small numbers would overflow or underflow.
    largest = max((abs(value) for side in effect.samples for value in side), default=0.0)
    unit = 2.0 ** (math.frexp(largest)[1] - 1)
    reference = [a / unit for a, _ in effect.pairs.values()]
    cell = [b / unit for _, b in effect.pairs.values()]
    differences = [b - a for a, b in zip(reference, cell, strict=True)]
    alone, other = ([value / unit for value in side] for side in effect.samples)
    # The differences' own error, not a moderated one.
    own = t_interval(differences, size_of(effect.pairs) / unit)
    if math.isnan(own.error):
        differences = []  # without spread none of the measures is defined
    skew, is_skewed = skewness(differences)
    return {
        "cell": effect.cell.label,
        "n": effect.difference.n,
        "d_z": effect.contribution.mean / unit / (own.error * math.sqrt(own.n)) if differences else math.nan,
        "p": effect.raw.difference,
        "p_sign_flip": sign_flip_p(differences) if resplit is None else math.nan,
        "p_welch": welch_p(alone, other, resplit or 0.0),
        "correlation": pairing_correlation(reference, cell),
        "skewness": skew,
        "skewed": is_skewed,
        "outliers": ", ".join(str(seeds[index]) for index in outliers(differences)),
    }
