"""Adjusting p values for the number of questions asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["holm"]


# statsmodels has this too, but its import costs another 0.6 s of every report; it is the oracle of the tests.
def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment, which controls the probability of any false claim.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979), 65-70.

    Args:
        p: A p value a question; NaN where a question cannot be tested yet. It stays in the family, whose size was
            declared with the plan: leaving it out would make the other claims easier.

    Returns:
        The adjusted p values in the same order, at most 1, NaN where they were NaN.

    Example:
        >>> [round(value, 3) for value in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
        >>> holm([0.01, float("nan")])
        [0.02, nan]
    """
    known = sorted((value, index) for index, value in enumerate(p) if not math.isnan(value))
    adjusted = [math.nan] * len(p)
    largest = 0.0
    for rank, (value, index) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(p) - rank)))
        adjusted[index] = largest
    return adjusted
