"""The tables of runs, of failures among them, and of what networks cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.costs import disagreements
from ablate.analysis.observations import metrics_of
from ablate.formatting import plural
from ablate.tables.cells import Column, RelativeValue
from ablate.tables.table import Table, table_of

_STATES = ("finished", "failed", "running", "waiting")

_LARGEST_COUNT = 1e15
"""From here on floating-point numbers have no digits after the decimal point anyway."""


def runs_table(summary: Summary, most: int | None = None) -> Table:
    """The runs of a study, a row a run, in the order of the plan.

    Args:
        summary: The summary.
        most: How many rows it may have; those that have not finished, which need attention, come before others. All by
            default.

    Returns:
        The columns cell, seed, state, reason (where a run has one), the study's metric, every other number that runs
        report, and, for the screen alone, seconds.
    """
    runs, study = summary.runs, summary.study
    # Stable: of either kind the first rows are listed.
    unfinished_first = (runs["state"] == "finished").sort_values(kind="stable").index
    listed = runs.loc[unfinished_first[:most]].sort_index()
    columns: list[tuple[Column, Any]] = [
        (Column("cell", "text", is_name=True), listed["cell"].map(str)),
        (Column("seed", "text"), listed["seed"].map(str)),
        (Column("state", "text"), listed["state"].map(str)),
    ]
    if any(map(_reason, runs["reason"])):
        columns.append((Column("reason", "text"), [_reason(reason) for reason in listed["reason"]]))
    numbers = [name for name in metrics_of(runs, summary.plan) if not name.startswith("seconds")]
    for name in (name for name in dict.fromkeys([study.metric, *numbers]) if name in runs.columns):
        values = pd.to_numeric(runs[name], errors="coerce")
        column = Column(name, "count" if _is_count(values) else "number")
        columns.append((column, values.loc[listed.index].astype(float)))
    if "seconds" in runs.columns:
        seconds = pd.to_numeric(listed["seconds"], errors="coerce").astype(float)
        columns.append((Column("seconds", "seconds", screen_only=True), seconds))
    states = runs["state"].value_counts()
    counts = ", ".join(f"{states[state]} {state}" for state in _STATES if state in states)
    caption = f"Runs of the study {study.name}: {counts or 'none yet'}. One row a cell and seed."
    if len(listed) < len(runs):
        caption += (
            f" Of {len(runs)} runs {len(listed)} are listed, those that have not finished before others; runs.csv has "
            "all."
        )
    return table_of(summary, "runs", columns, caption)


def _is_count(values: pd.Series) -> bool:
    numbers = values.dropna()
    return bool(len(numbers) and (numbers == numbers.round()).all() and (numbers.abs() < _LARGEST_COUNT).all())


def _reason(reason: object) -> str | None:
    return reason if isinstance(reason, str) and reason else None


def failures_table(summary: Summary, errors: Mapping[tuple[str, int], str] | None = None) -> Table | None:
    """The failed runs of a study.

    Args:
        summary: The summary.
        errors: What went wrong, by cell label and seed.

    Returns:
        The columns cell, seed, reason, error; None where no run failed.
    """
    failed = summary.runs[summary.runs["state"] == "failed"]
    if failed.empty:
        return None
    messages = errors or {}
    runs = [(str(cell), int(seed)) for cell, seed in zip(failed["cell"], failed["seed"], strict=True)]
    return table_of(
        summary,
        "failures",
        [
            (Column("cell", "text", is_name=True), [cell for cell, _ in runs]),
            (Column("seed", "text"), [str(seed) for _, seed in runs]),
            (Column("reason", "text"), [_reason(reason) for reason in failed["reason"]]),
            (Column("error", "text"), [messages.get(run) or None for run in runs]),
        ],
        f"Failed runs of the study {summary.study.name}: {len(failed)} of {len(summary.runs)}. What they count for: "
        f"{_POLICIES[summary.study.failure_policy]}.",
    )


_POLICIES = {
    "fail": "there is no result until they are repaired",
    "drop": "nothing, their seeds are left out of the comparisons of their cell",
    "worst": "the worst result, as declared before the first run",
}

_MEASURES = {
    "weights": ("weights", 1.0),
    "flops": ("MFLOPs", 1e-6),
    "activations": ("activations", 1.0),
    "latency": ("latency (ms)", 1e3),
    "step": ("training step (ms)", 1e3),
}
"""Columns of the measured costs, each with its heading and unit."""


def costs_table(summary: Summary) -> Table | None:
    """The table of what networks cost, a row a cell that was measured.

    Args:
        summary: The summary.

    Returns:
        The columns cell, weights, operations, activations, latency and training step, each number with its ratio to
        the reference, and as notes where theory and machine disagree; None where nothing was measured.
    """
    costs = summary.costs
    if costs.empty:
        return None
    columns: list[tuple[Column, Any]] = [(Column("cell", "text"), costs["cell"])]
    for name, (header, unit) in _MEASURES.items():
        values = zip(costs[name] * unit, costs[f"{name}_ratio"], strict=True)
        columns.append((Column(header, "cost"), [RelativeValue(*each) for each in values]))
    notes = list(disagreements(costs))
    if costs["flops"].isna().all():
        notes.insert(0, "Operations were not counted, which TensorFlow does and no other back end of Keras.")
    caption = (
        f"What the networks of study {summary.study.name} cost, and how many times that of the full network: "
        "operations and numbers handed from layer to layer for 1 image; latency (a forward pass) and training step of "
        f"{plural(int(costs['batch'].iloc[0]), 'image')}, medians of measurements in turn in one process."
    )
    return table_of(summary, "costs", columns, caption, notes)
