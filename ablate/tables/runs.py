"""The tables of single runs: what each brought, and which failed and why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.observations import metrics_of
from ablate.tables.table import Column, Row, Table, label_of

__all__ = ["failures_table", "runs_table"]

_STATES = ("finished", "failed", "running", "waiting")


def runs_table(summary: Summary, most: int | None = None) -> Table:
    """The runs of a study, a row a run, in the order of the plan.

    Args:
        summary: The summary.
        most: How many rows it may have; those that have not finished, which need a look, come before others. All by
            default.

    Returns:
        The columns cell, seed, state, reason (where a run has one), the study's metric, every other number that runs
        report, and, for the screen alone, seconds.
    """
    runs, study = summary.runs, summary.study
    known = [name for name in metrics_of(runs, summary.plan) if not name.startswith("seconds")]
    metrics = [name for name in dict.fromkeys([study.metric, *known]) if name in runs.columns]
    numbers = {name: pd.to_numeric(runs[name], errors="coerce") for name in metrics}
    seconds = pd.to_numeric(runs["seconds"], errors="coerce") if "seconds" in runs.columns else None
    reasons = [_word(reason) for reason in runs["reason"]]
    columns = [
        Column("cell", "text", is_name=True),
        Column("seed", "text"),
        Column("state", "text"),
        *([Column("reason", "text")] if any(reasons) else []),
        *(Column(name, "count" if _is_whole(numbers[name]) else "number") for name in metrics),
        *([Column("seconds", "seconds", screen_only=True)] if seconds is not None else []),
    ]
    kept = _kept(runs["state"], most)
    shown = runs.iloc[kept]
    cells = [
        *(shown[name].map(str).tolist() for name in ("cell", "seed", "state")),
        *([[reasons[place] or None for place in kept]] if any(reasons) else []),
        *(numbers[name].iloc[kept].astype(float).tolist() for name in metrics),
        *([seconds.iloc[kept].astype(float).tolist()] if seconds is not None else []),
    ]
    rows = [Row(values) for values in zip(*cells, strict=True)]
    states = runs["state"].value_counts()
    counted = ", ".join(f"{states[state]} {state}" for state in _STATES if state in states)
    left_out = (
        f" Of {len(runs)} runs {len(kept)} are listed, those that have not finished before others; runs.csv has all."
        if len(kept) < len(runs)
        else ""
    )
    return Table(
        columns=tuple(columns),
        rows=tuple(rows),
        caption=f"Runs of the study {study.name}: {counted or 'none yet'}. One row a cell and seed.{left_out}",
        label=label_of(study.name, "runs"),
    )


def _kept(states: pd.Series, most: int | None) -> list[int]:
    """The places of the rows that are listed, in their order."""
    if most is None or len(states) <= most:
        return list(range(len(states)))
    finished = (states == "finished").to_numpy()
    return sorted(np.argsort(finished, kind="stable")[:most].tolist())


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
    known = errors or {}
    rows = [
        Row((str(cell), str(seed), _word(reason) or None, known.get((str(cell), int(seed))) or None))
        for cell, seed, reason in zip(failed["cell"], failed["seed"], failed["reason"], strict=True)
    ]
    total = len(summary.runs)
    return Table(
        columns=(
            Column("cell", "text", is_name=True),
            Column("seed", "text"),
            Column("reason", "text"),
            Column("error", "text"),
        ),
        rows=tuple(rows),
        caption=(
            f"Failed runs of the study {summary.study.name}: {len(failed)} of {total}. "
            f"What they count for: {_POLICIES[summary.study.failure_policy]}."
        ),
        label=label_of(summary.study.name, "failures"),
    )


_POLICIES = {
    "fail": "there is no result until they are repaired",
    "drop": "nothing, their seeds are left out of the comparisons of their cell",
    "worst": "the worst result, as declared before the first run",
}


def _is_whole(values: pd.Series) -> bool:
    found = values.dropna()
    return bool(len(found)) and bool((found == found.round()).all()) and bool((found.abs() < 1e15).all())


def _word(reason: object) -> str:
    return reason if isinstance(reason, str) else ""
