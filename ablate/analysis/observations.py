"""From the table of runs to one number per cell and seed; failed runs count as the study declared."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from ablate.errors import AnalysisError, suggestion
from ablate.formatting import listing, plural
from ablate.study import Cell, Factor, Plan

_KEYS = ("cell", "seed", "state")

Observations = Mapping[str, Mapping[int, float]]
"""The metric of every finished run: by cell label, then by seed, both in order."""


def varied(plan: Plan) -> list[Factor]:
    """The factors of a plan that are compared: all but its blocks."""
    return [factor for factor in plan.factors if not factor.block]


def block_of(cell: Cell, plan: Plan) -> tuple[str, ...]:
    """The levels of the plan's blocks (data sets) in a cell; empty where the plan has none."""
    return tuple(cell.levels[factor.name] for factor in plan.factors if factor.block)


def blocks_of(plan: Plan) -> list[dict[str, str]]:
    """The blocks of a plan in order: level by name of block factor; a single empty one where the plan has none."""
    names = [factor.name for factor in plan.factors if factor.block]
    levels = dict.fromkeys(block_of(cell, plan) for cell in plan.cells)
    return [dict(zip(names, block, strict=True)) for block in levels]


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
    rows, places = rows[places.notna()], places.dropna()
    twice = rows[rows.duplicated(["cell", *keys], keep=False)]
    if len(twice):
        where = {", ".join(f"{key} {row[key]}" for key in ("cell", *keys)) for _, row in twice.iterrows()}
        raise AnalysisError(
            f"More than one row for {listing(sorted(where), 5, '; ')}. "
            "Several rows of one run are not replicates: keep one row a run, or give every repetition its own seed."
        )
    order = np.lexsort([*(rows[key] for key in reversed(keys)), places])
    return rows.iloc[order].reset_index(drop=True)


def metrics_of(runs: pd.DataFrame, plan: Plan) -> tuple[str, ...]:
    """The columns of a table of runs that can serve as metric: numbers, timings among them, but no versions.

    Args:
        runs: One row per run, columns in the order keys, metrics, timings (``seconds...``), versions.
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
    metrics = metrics_of(runs, plan)
    # What a metric with the name of another column becomes.
    column = metric if metric in metrics else f"metric.{metric}"
    if column not in metrics:
        raise AnalysisError(
            f"No finished run of study '{plan.study.name}' has the metric '{metric}'. "
            f"Metrics: {', '.join(sorted(metrics)) or 'none'}.{suggestion(metric, metrics)} "
            "Name the one that decides (study.metric=..., or hydra.sweeper.metric=...); nothing is trained again."
        )
    values = pd.to_numeric(finished[column], errors="coerce")
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
    return values.dropna().groupby(finished["cell"], sort=False).mean().to_dict()


def lost_seeds(runs: pd.DataFrame, values: Observations) -> dict[str, frozenset[int]]:
    """By cell label, the seeds whose run failed, or finished without a finite metric."""
    lost: dict[str, set[int]] = {cell: set() for cell in values}
    ended = runs[runs["state"].isin(["failed", "finished"])]
    for cell, seed in zip(ended["cell"], ended["seed"], strict=True):
        if int(seed) not in values[cell]:
            lost[cell].add(int(seed))
    return {cell: frozenset(seeds) for cell, seeds in lost.items()}


def fill(values: Observations, runs: pd.DataFrame, plan: Plan) -> dict[str, dict[int, float]]:
    """Apply what the study declared before its first run about runs without a result, see :class:`~ablate.study.Study`.

    Args:
        values: The metric of every finished run by cell label and seed.
        runs: The planned runs.
        plan: The plan.

    Returns:
        The metric by cell label and seed, in order, with what failed runs count for: nothing, the declared number, or
        the worst finished run of the same block.

    Raises:
        AnalysisError: If the policy is ``"fail"`` and a run ended without a result.
    """
    study, lost = plan.study, lost_seeds(runs, values)
    if study.failures == "fail" and any(lost.values()):
        names = [f"{cell}, seed {seed}" for cell, seeds in lost.items() for seed in sorted(seeds)]
        raise AnalysisError(
            f"{plural(len(names), 'run')} of study '{study.name}' ended without a result and the policy for failed "
            f"runs is 'fail': {listing(names, 5, '; ')}. Train again what failed to have a result."
        )
    filled = {cell: dict(by_seed) for cell, by_seed in values.items()}
    if study.failure_policy == "worst":
        worst = min if study.direction == "max" else max
        by_block: dict[tuple[str, ...], list[float]] = {}
        for cell in plan.cells:
            by_block.setdefault(block_of(cell, plan), []).extend(values[cell.label].values())
        for cell in plan.cells:
            block_values = by_block[block_of(cell, plan)]
            if study.failures != "worst" or block_values:
                value = worst(block_values) if study.failures == "worst" else float(study.failures)
                filled[cell.label].update(dict.fromkeys(lost[cell.label], value))
    return {cell: dict(sorted(by_seed.items())) for cell, by_seed in filled.items()}
