"""What networks cost: where theory and machine disagree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

__all__ = ["disagreements"]

_TIMES = {"latency": "a forward pass", "step": "a training step"}


def disagreements(costs: pd.DataFrame, factor: float = 1.5) -> tuple[str, ...]:
    """Where time does not follow operations.

    Args:
        costs: As :attr:`ablate.analysis.Summary.costs`.
        factor: From how many times on the ratio of operations and that of seconds count as different.

    Returns:
        A sentence a cell.

    Example:
        >>> row = {"cell": "w/o separable", "flops_ratio": 7.9, "latency_ratio": 1.4, "step_ratio": 6.0}
        >>> disagreements(pd.DataFrame([row]))[0].partition(": ")[2]
        '7.9 times the operations take 1.4 times the seconds of a forward pass.'
    """
    return tuple(
        f"Theory and machine disagree on {row['cell']}: {row['flops_ratio']:.2g} times the operations take {words}."
        for row in costs.to_dict("records")
        if (words := " and ".join(_apart(row, factor)))
    )


def _apart(row: Mapping[Any, Any], factor: float) -> Iterator[str]:
    theory = row["flops_ratio"]
    for name, words in _TIMES.items():
        machine = row[f"{name}_ratio"]
        if theory > 0 and machine > 0 and abs(math.log(machine / theory)) > math.log(factor):
            yield f"{machine:.2g} times the seconds of {words}"
