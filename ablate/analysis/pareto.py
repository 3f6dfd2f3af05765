"""Which of several choices no other one beats in both cost and score."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["pareto_front"]


def pareto_front(costs: Sequence[float], scores: Sequence[float], direction: str = "max") -> list[bool]:
    """For each choice whether it is on the Pareto front: none is at least as good in both and better in one.

    Args:
        costs: What each costs; less is better.
        scores: What each reaches.
        direction: ``"max"`` where a greater score is better, ``"min"`` where a smaller one is.

    Returns:
        In the same order; False where a number is missing.

    Example:
        >>> pareto_front([1, 2, 3, 2], [0.8, 0.9, 0.9, 0.7])
        [True, True, False, False]
    """
    sign = -1.0 if direction == "max" else 1.0
    points = [(cost, sign * score) for cost, score in zip(costs, scores, strict=True)]
    return [
        not (math.isnan(cost) or math.isnan(loss))
        and not any(a <= cost and b <= loss and (a < cost or b < loss) for a, b in points)
        for cost, loss in points
    ]
