"""Small studies with made-up numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ablate.study import Constraint, Factor, Level, Plan, Study, make_plan

NO_CURVES = pd.DataFrame(columns=["study", "cell", "seed", "epoch"])


def factor(name: str, *labels: str, block: bool = False) -> Factor:
    labels = labels or ("true", "false")
    return Factor(name, tuple(Level(label) for label in labels), labels[0], block)


def plan_of(
    *factors: Factor,
    design: str = "leave_one_out",
    seeds: Sequence[int] = (0, 1, 2),
    metric: str = "score",
    direction: str = "max",
    margin: float | None = None,
    constraints: Sequence[Constraint] = (),
    failures: str | float = "drop",
) -> Plan:
    study = Study("demo", design, tuple(seeds), metric, direction, margin, failures=failures)
    return make_plan(study, factors, constraints)


def runs_of(scores: Mapping[str, Sequence[float]], **columns: Any) -> pd.DataFrame:
    rows = [(cell, seed, value) for cell, values in scores.items() for seed, value in enumerate(values)]
    frame = pd.DataFrame(rows, columns=["cell", "seed", "score"])
    return frame.assign(**{"study": "demo", "state": "finished", "reason": "", **columns})


def values_of(
    plan: Plan, score: Callable[..., float], seeds: Sequence[int] | None = None
) -> dict[str, dict[int, float]]:
    """The metric of all cells from a function of levels and seed."""
    used = plan.study.seeds if seeds is None else seeds
    return {cell.label: {seed: score(dict(cell.levels), seed) for seed in used} for cell in plan.cells}
