"""The tables of single runs: what each brought, and which failed and why."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.observations import metrics_of
from ablate.tables.table import Column, Row, Table, Value, label_of

__all__ = ["failures_table", "runs_table"]

_STATES = ("finished", "failed", "running", "waiting")


def runs_table(summary: Summary) -> Table:
    """All runs of a study, a row a run, in the order of the plan.

    Args:
        summary: The summary.

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
    rows = []
    for index, (cell, seed, state) in enumerate(zip(runs["cell"], runs["seed"], runs["state"], strict=True)):
        values: list[Value] = [str(cell), str(seed), str(state)]
        values += [reasons[index] or None] if any(reasons) else []
        values += [float(numbers[name].iloc[index]) for name in metrics]
        values += [float(seconds.iloc[index])] if seconds is not None else []
        rows.append(Row(tuple(values)))
    states = runs["state"].value_counts()
    counted = ", ".join(f"{states[state]} {state}" for state in _STATES if state in states)
    return Table(
        columns=tuple(columns),
        rows=tuple(rows),
        caption=f"Runs of the study {study.name}: {counted or 'none yet'}. One row a cell and seed.",
        label=label_of(study.name, "runs"),
    )


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
            f"What they count for: {_POLICIES[summary.failures.policy]}."
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
