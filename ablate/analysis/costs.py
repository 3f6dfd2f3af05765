"""What networks cost: which cells no other beats in cost and score, and where theory and machine disagree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ablate.formatting import enumeration

_TIMES = {"latency": "a forward pass", "step": "a training step"}


def pareto_front(costs: Sequence[float], scores: Sequence[float], direction: str = "max") -> list[bool]:
    """Whether each choice is on the Pareto front: no other is at least as good in both and better in one.

    Args:
        costs: What each costs; lower is better.
        scores: What each reaches.
        direction: ``"max"`` where a higher score is better, ``"min"`` where a lower one is.

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


def disagreements(costs: pd.DataFrame, factor: float = 1.5) -> tuple[str, ...]:
    """Where time does not follow operations.

    Args:
        costs: As :attr:`ablate.analysis.Summary.costs`.
        factor: The ratio of operations and that of seconds count as different where one is more than this many times
            the other.

    Returns:
        One sentence per cell.

    Example:
        >>> row = {"cell": "w/o separable", "flops_ratio": 7.9, "latency_ratio": 1.4, "step_ratio": 6.0}
        >>> disagreements(pd.DataFrame([row]))[0].partition(": ")[2]
        '7.9 times the operations take 1.4 times the seconds of a forward pass.'
    """
    return tuple(
        f"Theory and machine disagree on {row['cell']}: {row['flops_ratio']:.2g} times the operations take "
        f"{enumeration(times)}."
        for row in costs.to_dict("records")
        if (times := list(_disagreeing_times(row, factor)))
    )


def _disagreeing_times(row: Mapping[Any, Any], factor: float) -> Iterator[str]:
    theory = row["flops_ratio"]
    for name, label in _TIMES.items():
        machine = row[f"{name}_ratio"]
        # Compared as logarithms, so that a half and a double are equally far from one.
        if theory > 0 and machine > 0 and abs(math.log(machine / theory)) > math.log(factor):
            yield f"{machine:.2g} times the seconds of {label}"
