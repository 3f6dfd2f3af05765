"""Whether the shape of paired differences allows a t test, and if not, whether signs may be flipped."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

_FEW = 5
_LIMIT = 2.0  # standard errors
_LEVEL = 0.05


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
    return g1, n >= _FEW and bool(abs(g1) > _LIMIT * _standard_error(n))


def _standard_error(n: int) -> float:
    return math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))


def are_skewed(rows: Sequence[Sequence[float]]) -> list[bool]:
    """For each of several comparisons with one reference, whether its differences are too skewed for a t test.

    The runs in which a skewed cell shows a false effect are those whose sample lacks the long tail, and so looks
    symmetric. The mean skewness of all cells shows it nevertheless; where it is more than two standard errors from
    zero, all are flagged. Its standard error allows for the correlation of the differences, whose third powers
    correlate by the third power of it.

    Args:
        rows: The differences of each comparison by seed, all of the same seeds, none without spread.

    Example:
        >>> are_skewed([[0.0, 0.1, -0.1, 0.0, 0.1, 5.0], [0.1, 0.3, 0.2, 0.1, 0.4, 0.2]])
        [True, True]
    """
    values = np.asarray(rows, dtype=float)
    k, n = values.shape
    if n < _FEW:
        return [False] * k
    values = values / np.abs(values).max(axis=1, keepdims=True)
    residuals = values - values.mean(axis=1, keepdims=True)
    residuals /= np.sqrt((residuals**2).mean(axis=1, keepdims=True))
    measures = (residuals**3).mean(axis=1) * math.sqrt(n * (n - 1)) / (n - 2)
    limit = _LIMIT * _standard_error(n)
    correlations = (residuals @ residuals.T / n) ** 3
    if abs(float(measures.mean())) > limit * math.sqrt(max(float(correlations.mean()), 1 / k / k)):
        return [True] * k
    return [bool(flag) for flag in np.abs(measures) > limit]


def spread_alike(reference: Sequence[float], cells: Sequence[Sequence[float]]) -> list[bool]:
    """For each of several cells, whether it may have the variance of their reference, as an equal cell has.

    Signs may be flipped only then: a cell of another spread is not exchangeable with its reference, and the signs of
    its differences say nothing of their mean. All cells together must agree with the reference, too.

    Args:
        reference: The runs of the reference.
        cells: The runs of each cell, as many.

    Example:
        >>> spread_alike([1.0, 2.0, 3.0, 2.5], [[1.5, 2.0, 4.0, 1.0], [1.9, 2.0, 2.1, 2.0]])
        [True, False]
    """
    values = np.asarray([reference, *cells], dtype=float)
    # Squares of very large or small numbers would overflow or underflow.
    variances = np.var(values / max(float(np.abs(values).max()), 1e-300), axis=1, ddof=1)
    freedom, own, others = len(reference) - 1, float(variances[0]), variances[1:]
    together = _may_be_equal(float(others.mean()), own, len(others) * freedom, freedom)
    return [together and _may_be_equal(float(variance), own, freedom, freedom) for variance in others]


def _may_be_equal(one: float, other: float, freedom_of_one: int, freedom_of_other: int) -> bool:
    if min(one, other) <= 0:
        return one == other
    upper = special.fdtrc(freedom_of_one, freedom_of_other, one / other)
    return bool(2 * min(upper, 1 - upper) > _LEVEL)
