"""From the table of runs to one number a cell and seed."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from ablate.errors import AnalysisError, suggestion
from ablate.formatting import listing
from ablate.study import Plan

__all__ = ["Observations", "mean_of", "metrics_of", "observe", "ordered", "run_lengths"]

_KEYS = ("cell", "seed", "state")

Observations = Mapping[str, Mapping[int, float]]
"""The metric of every finished run: by cell label, then by seed, both in order."""


def ordered(frame: pd.DataFrame, plan: Plan, keys: tuple[str, ...], others: tuple[str, ...] = ()) -> pd.DataFrame:
    """The rows that belong to the plan, by cell in the plan's order, then by ``keys``.

    Args:
        frame: A table with a column ``cell`` of cell labels and the columns ``keys``.
        plan: The plan.
        keys: Columns of numbers to sort by within a cell.
        others: Further columns that must be there.

    Raises:
        AnalysisError: If a column is missing, or two rows agree in the cell and all ``keys``.
    """
    missing = [name for name in ("cell", *keys, *others) if name not in frame.columns]
    if missing:
        raise AnalysisError(f"The table lacks the columns {', '.join(missing)}; it has {', '.join(frame.columns)}.")
    position = {cell.label: index for index, cell in enumerate(plan.cells)}
    rows = frame.assign(**{key: pd.to_numeric(frame[key]) for key in keys})
    places = rows["cell"].map(position)
    if _ascending([places.to_numpy(dtype=float), *(rows[key].to_numpy(dtype=float) for key in keys)]):
        return rows.reset_index(drop=True)  # a million rows that the store read in this order need no sorting
    rows = rows[places.notna()]
    twice = rows[rows.duplicated(["cell", *keys], keep=False)]
    if len(twice):
        where = {", ".join(f"{key} {row[key]}" for key in ("cell", *keys)) for _, row in twice.iterrows()}
        raise AnalysisError(
            f"More than one row for {listing(sorted(where), 5, '; ')}. "
            "Several rows of one run are not replicates: keep one row a run, or give every repetition its own seed."
        )
    order = np.lexsort([*(rows[key] for key in reversed(keys)), rows["cell"].map(position).astype(int)])
    return rows.iloc[order].reset_index(drop=True)


def _ascending(columns: Sequence[np.ndarray]) -> bool:
    """Whether rows ascend strictly by these columns, so that none is missing a number or there twice."""
    if any(np.isnan(column).any() for column in columns):
        return False
    tied = np.ones(max(len(columns[0]) - 1, 0), dtype=bool)
    for column in columns:
        step = np.diff(column)
        if (tied & (step < 0)).any():
            return False
        tied &= step == 0
    return not tied.any()


def run_lengths(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows of each run begin, and how many there are, in rows ordered by cell and seed."""
    cells, seeds = rows["cell"].to_numpy(dtype=object), rows["seed"].to_numpy()
    is_start = np.ones(len(rows), dtype=bool)
    is_start[1:] = (cells[1:] != cells[:-1]) | (seeds[1:] != seeds[:-1])
    starts = np.flatnonzero(is_start)
    return starts, np.diff(np.append(starts, len(rows)))


def metrics_of(runs: pd.DataFrame, plan: Plan) -> tuple[str, ...]:
    """The columns of a table of runs that can serve as metric: numbers, timings among them, but no versions.

    Args:
        runs: One row a run, columns in the order keys, metrics, timings (``seconds...``), versions.
        plan: The plan whose factors are no metrics.
    """
    keys = {"study", "seed", "reason", *_KEYS, *(factor.name for factor in plan.factors)}
    names = [name for name in runs.columns if name not in keys]
    timings = [index for index, name in enumerate(names) if name.startswith("seconds")]
    if timings:
        names = names[: timings[-1] + 1]
    finished = runs[runs["state"] == "finished"]
    return tuple(name for name in names if pd.to_numeric(finished[name], errors="coerce").notna().any())


def observe(runs: pd.DataFrame, plan: Plan) -> dict[str, dict[int, float]]:
    """The study's metric of every finished run that has a finite one.

    Args:
        runs: The planned runs in order, see :func:`ordered`.
        plan: The plan.

    Raises:
        AnalysisError: If runs have finished and none of them has the metric.
    """
    observed: dict[str, dict[int, float]] = {cell.label: {} for cell in plan.cells}
    finished = runs[runs["state"] == "finished"]
    if finished.empty:
        return observed
    metric = plan.study.metric
    known = metrics_of(runs, plan)
    if metric not in known:
        raise AnalysisError(
            f"No finished run of study '{plan.study.name}' has the metric '{metric}'. "
            f"Metrics: {', '.join(sorted(known)) or 'none'}.{suggestion(metric, known)} "
            "Name the one that decides (study.metric=..., or hydra.sweeper.metric=...); nothing is trained again."
        )
    values = pd.to_numeric(finished[metric], errors="coerce")
    for cell, seed, value in zip(finished["cell"], finished["seed"], values, strict=True):
        if math.isfinite(value):
            observed[cell][int(seed)] = float(value)
    return observed


def mean_of(runs: pd.DataFrame, column: str) -> dict[Hashable, float]:
    """Mean of a column over the finished runs of each cell, where there is one."""
    if column not in runs.columns:
        return {}
    finished = runs[runs["state"] == "finished"]
    values = pd.to_numeric(finished[column], errors="coerce")
    return {
        cell: math.fsum(group) / len(group) for cell, group in values.dropna().groupby(finished["cell"], sort=False)
    }
