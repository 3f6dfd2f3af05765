"""The boundary of the sequential rule: what paired t statistics, tested after every seed, must exceed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analysis.intervals import LEVEL, ROUNDING
from ablate.errors import AnalysisError
from ablate.study.settings import FIRST_SEEDS, MOST_SEEDS

FIRST_LOOK = FIRST_SEEDS
"""Number of seeds at the first look."""

LARGEST = MOST_SEEDS
"""Greatest number of seeds for which the boundary is tabulated."""

SHAPE = 0.25
"""Shape of the Wang-Tsiatis boundary, halfway between O'Brien-Fleming (0) and Pocock (0.5).

Scores are multiplied by ``n ** (0.5 - shape)``; at 0.25 this is ``n ** SHAPE``, as the code has it.
"""

_TABLE = "boundary.npz"

Floats = NDArray[np.float64]


def running_scores(values: Floats, null: float = 0.0, sizes: Floats | None = None) -> Floats:
    """The statistic that is compared with the boundary, after every value.

    The t statistic of the first ``n`` values is turned into the standard normal quantile of the same tail
    probability and multiplied by ``n ** 0.25``; the Wang-Tsiatis boundary is then the same number at every look.
    Source: S. K. Wang and A. A. Tsiatis, Approximately optimal one-parameter boundaries for group sequential trials,
    Biometrics 43 (1987), 193-199.

    Args:
        values: Numbers in the order in which they came; the last axis is time, others are repeated independently.
        null: The mean under the hypothesis.
        sizes: Magnitudes of the numbers from which the values were computed, in the shape of ``values``, by which
            rounding noise is told from spread (:func:`ablate.analysis.intervals.is_constant`); by default their own.

    Returns:
        An array like ``values``; minus infinity before the third value and as long as all values are the same.

    Example:
        >>> running_scores(np.array([1.0, 2.0, 3.0, 2.0])).round(3)
        array([ -inf,  -inf, 2.35 , 3.398])
    """
    n = np.arange(1, values.shape[-1] + 1)
    # All looks at once, by running sums: the rule is simulated millions of times to calibrate it.
    magnitude = np.abs(values if sizes is None else sizes)
    # Squares of very large or small numbers would overflow or underflow; dividing by a power of two is exact.
    unit = np.exp2(np.frexp(np.abs(values).max(axis=-1, initial=0.0, keepdims=True))[1].astype(float))
    # Measured from the first value, so that a common offset costs no digits.
    origin = values[..., :1] / unit
    moved = values / unit - origin
    mean = np.cumsum(moved, axis=-1) / n
    squares = np.cumsum(moved**2, axis=-1) - n * mean**2
    spread = np.maximum.accumulate(moved, axis=-1) - np.minimum.accumulate(moved, axis=-1)
    usable = (n >= FIRST_LOOK) & (spread > ROUNDING * np.maximum.accumulate(magnitude, axis=-1) / unit) & (squares > 0)
    error = np.sqrt(np.where(usable, squares, 1.0) / np.maximum(n - 1, 1) / n)
    t = np.where(usable, (mean + origin - null / unit) / error, 0.0)
    return np.where(usable, score(t, np.maximum(n - 1, 1), n), -np.inf)


def score(statistic: Any, freedom: Any, n: Any) -> Any:
    """The statistic of one look that is compared with the boundary, from a t statistic; see :func:`running_scores`.

    Args:
        statistic: The t statistic, any shape.
        freedom: Its degrees of freedom.
        n: Number of seeds.
    """
    statistic = np.asarray(statistic, dtype=float)
    # A tail of zero would have an infinite quantile, which no table holds.
    tail = np.maximum(special.stdtr(freedom, -np.abs(statistic)), 1e-300)
    return -np.sign(statistic) * special.ndtri(tail) * np.asarray(n) ** SHAPE


@cache
def _quantiles() -> tuple[Floats, Floats, Floats]:
    """Normal scores of the tabulated tail probabilities; two- and one-sided quantiles, a row per last look."""
    with files("ablate.analysis").joinpath(_TABLE).open("rb") as stream, np.load(stream) as table:
        score, two, one = (np.asarray(table[name], dtype=float) for name in ("score", "two_sided", "one_sided"))
        return score, two, one


@dataclass(frozen=True)
class SequentialRule:
    """Looks after every seed from the third to the last one allowed, with a known probability of any false claim.

    The null distribution of the largest statistic of all looks does not depend on the unknown variance. It was
    tabulated by simulating two million studies (``benchmarks/calibrate.py``), so that no large-sample theory is used.
    Beyond the table, p values come from the union bound: the sum of the tail probabilities of all looks.

    Args:
        max_seeds: The last look; no cell takes more seeds.

    Raises:
        AnalysisError: If ``max_seeds`` is not a whole number from 3 to 50.

    Example:
        >>> rule = SequentialRule(20)
        >>> round(float(rule.critical(0.05)), 1)
        4.9
        >>> [round(float(rule.half_width(n)), 1) for n in (3, 10, 20)]
        [67.0, 3.5, 2.5]
    """

    max_seeds: int = 20

    def __post_init__(self) -> None:
        allowed = isinstance(self.max_seeds, int) and not isinstance(self.max_seeds, bool)
        if not allowed or not FIRST_LOOK <= self.max_seeds <= LARGEST:
            raise AnalysisError(
                f"max_seeds={self.max_seeds}: the sequential rule needs a whole number from {FIRST_LOOK} to {LARGEST}."
            )

    def tail(self, largest: Any, one_sided: bool = False) -> Any:
        """Probability that, without an effect, the largest statistic of all looks is at least ``largest``.

        Args:
            largest: Largest value so far of :func:`running_scores`, or for a two-sided test of its absolute value. Any
                shape.
            one_sided: Whether only large statistics count.

        Returns:
            Sequential p values in the shape of ``largest``.
        """
        score, two, one = _quantiles()
        quantile = (one if one_sided else two)[self.max_seeds - FIRST_LOOK]
        largest = np.asarray(largest, dtype=float)
        # Interpolated between normal scores, along which the quantiles are nearly straight; below the table the
        # probability is taken to be one.
        tabulated = np.where(largest < quantile[0], 1.0, special.ndtr(-np.interp(largest, quantile, score)))
        # Far out no simulated study is left and the tabulated tail no longer falls; the union bound holds everywhere.
        looks = np.arange(FIRST_LOOK, self.max_seeds + 1)
        bound = special.ndtr(-largest[..., np.newaxis] * looks**-SHAPE).sum(axis=-1) * (1 if one_sided else 2)
        return np.minimum(tabulated, np.where(largest > 0, bound, 1.0))

    def critical(self, alpha: float, one_sided: bool = False) -> Any:
        """The statistic that has the sequential p value ``alpha``."""
        score, two, one = _quantiles()
        return np.interp(-special.ndtri(alpha), score, (one if one_sided else two)[self.max_seeds - FIRST_LOOK])

    def nominal_tail(self, n: Any, level: float = LEVEL) -> Any:
        """The one-sided level of the test of a single look, after ``n`` seeds, that keeps ``level`` over all looks."""
        # The boundary is one number for scores times n ** SHAPE; divided by that factor it is a normal score.
        return special.ndtr(-self.critical(1 - level) * np.asarray(n) ** -SHAPE)

    def half_width(self, n: Any, level: float = LEVEL, prior: float = 0.0) -> Any:
        """Half the width of the repeated confidence interval after ``n`` seeds, in standard errors.

        It inverts the two-sided test of one look: the intervals of all looks together cover the true mean with
        probability ``level``, so that it does not matter at which of them one stops. Source: C. Jennison and B. W.
        Turnbull, Interim analyses: the repeated confidence interval approach, JRSS B 51 (1989), 305-361.

        Args:
            n: Number of seeds, from 3 on; a number or an array.
            level: Confidence level.
            prior: Degrees of freedom that a moderated variance adds.
        """
        return -special.stdtrit(np.asarray(n) - 1 + prior, self.nominal_tail(n, level))
