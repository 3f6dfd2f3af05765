"""Student's t interval of a mean, and which values allow none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

# scipy.special has the same distribution as scipy.stats and imports in a third of the time.
from scipy import special

LEVEL = 0.95
"""Confidence level of all intervals."""

ROUNDING = 2.0**-21
"""Relative spread that counts as none: a few rounding steps of single precision, in which frameworks report metrics."""


@dataclass(frozen=True)
class MeanInterval:
    """A mean with its confidence interval, whose parts are NaN where they do not exist.

    Args:
        n: Number of values.
        mean: Their mean, NaN without values.
        error: Standard error of the mean, NaN for fewer than two values or values without spread.
        half: Half the width of the interval, NaN like ``error``.
        freedom: Degrees of freedom of the values' own standard error; None for those of a single sample, ``n - 1``.
        prior: Degrees of freedom that a variance common to several cells adds to these; 0 where the standard error is
            the values' own.
        ends: The ends of an interval that is not symmetric about the mean, or None; ``half`` is then half its width.
    """

    n: int
    mean: float
    error: float
    half: float
    freedom: float | None = None
    prior: float = 0.0
    ends: tuple[float, float] | None = None

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the t distribution behind the interval."""
        return (self.n - 1 if self.freedom is None else self.freedom) + self.prior

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half if self.ends is None else self.ends[0]

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half if self.ends is None else self.ends[1]

    def scaled(self, factor: float) -> MeanInterval:
        """The same in another unit, or with the opposite sign.

        Example:
            >>> MeanInterval(3, 0.0, 0.1, 0.43).scaled(-1.0)
            MeanInterval(n=3, mean=0.0, error=0.1, half=0.43, freedom=None, prior=0.0, ends=None)
        """
        size = abs(factor)
        ends = None if self.ends is None else (factor * self.ends[0], factor * self.ends[1])
        return replace(
            self,
            mean=0.0 + factor * self.mean,  # a zero would be printed as -0.0
            error=size * self.error,
            half=size * self.half,
            ends=None if ends is None else (min(ends), max(ends)),
        )


def truncated(mean: MeanInterval, top: float | None) -> MeanInterval:
    """An interval without what no mean can be: below 0 or above ``top``.

    A mean that lies between the bounds is covered by the one interval where it is by the other, so that truncation
    changes no coverage. Source: M. Mandelkern, Setting confidence intervals for bounded parameters, Statistical Science
    17 (2002), 149-172, section 2.

    Args:
        mean: The mean of shares with its interval.
        top: The largest value, see :func:`ablate.study.metric.share_top`; None for a metric without bounds.

    Example:
        >>> truncated(MeanInterval(3, 0.99, 0.005, 0.022), 1.0).ends
        (0.968, 1.0)
    """
    if top is None or (0 <= mean.low and mean.high <= top) or math.isnan(mean.half):
        return mean
    return replace(mean, ends=(max(0.0, mean.low), min(top, mean.high)))


def is_constant(values: Sequence[float], scale: float | None = None) -> bool:
    """Whether values differ by no more than the rounding of single precision.

    Identical differences are not infinitely strong evidence: they come from coarse metrics (correct answers out of a
    few hundred) or from two cells that are the same network. Their spread is then zero, or rounding noise that a t test
    would take for a minute variance.

    Args:
        values: At least one value.
        scale: The magnitude of the numbers from which the values were computed; by default that of the values.

    Example:
        >>> is_constant([0.9 - 0.8, 0.7 - 0.6, 0.4 - 0.3], scale=0.9)
        True
        >>> is_constant([0.10, 0.11])
        False
    """
    magnitude = max(abs(value) for value in values) if scale is None else scale
    return max(values) - min(values) <= ROUNDING * magnitude


def t_interval(values: Sequence[float], scale: float | None = None, level: float = LEVEL) -> MeanInterval:
    """The mean of independent values with its Student t interval.

    Sums are exact (``math.fsum``), so that the order of the values cannot change a bit of the result.

    Args:
        values: Finite numbers, in any unit.
        scale: See :func:`is_constant`.
        level: Confidence level.

    Returns:
        The mean in the unit of the values; without an interval where fewer than two values, or no spread, give none.

    Example:
        >>> mean = t_interval([1.0, 2.0, 3.0])
        >>> mean.mean, round(mean.low, 4), round(mean.high, 4)
        (2.0, -0.4841, 4.4841)
    """
    n = len(values)
    if n == 0:
        return MeanInterval(0, math.nan, math.nan, math.nan)
    mean = math.fsum(values) / n
    if n == 1 or is_constant(values, scale):
        return MeanInterval(n, mean, math.nan, math.nan)
    # In units of the largest deviation, whose square could overflow or underflow.
    unit = max(abs(value - mean) for value in values)
    error = unit * math.sqrt(math.fsum(((value - mean) / unit) ** 2 for value in values) / (n - 1) / n)
    return MeanInterval(n, mean, error, error * float(t_half_width(n, level)))


def t_half_width(n: Any, level: float = LEVEL) -> Any:
    """Half the width of a t interval in standard errors.

    Args:
        n: Number of values, two or more; a number or an array.
        level: Confidence level.

    Returns:
        The quantile of the t distribution with ``n - 1`` degrees of freedom, in the shape of ``n``.

    Example:
        >>> round(float(t_half_width(3)), 4)
        4.3027
    """
    return special.stdtrit(n - 1, (1 + level) / 2)


def t_tail(statistic: float, freedom: float) -> float:
    """Probability that a t statistic exceeds ``statistic`` when the mean is zero.

    Args:
        statistic: The mean in standard errors.
        freedom: Degrees of freedom.

    Example:
        >>> round(t_tail(4.3027, 2), 4)
        0.025
    """
    return float(special.stdtr(freedom, -statistic))


def interval_of(n: int, mean: float, error: float, freedom: float, level: float = LEVEL) -> MeanInterval:
    """A t interval from a standard error and its degrees of freedom.

    Args:
        n: How many values stand behind the mean.
        mean: The estimate.
        error: Its standard error; NaN or zero where it is not known.
        freedom: Degrees of freedom of the error.
        level: Confidence level.

    Example:
        >>> round(interval_of(3, 2.0, 1.0, 10).half, 3)
        2.228
    """
    if not error > 0 or not freedom > 0:
        return MeanInterval(n, mean, math.nan, math.nan)
    return MeanInterval(n, mean, error, error * float(special.stdtrit(freedom, (1 + level) / 2)), freedom)
