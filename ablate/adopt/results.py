"""Which number decides, in which file it stands, and what each run has of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ablate.adopt.material import ForeignRun, Kind, NumberTable
from ablate.adopt.request import Request
from ablate.errors import AnalysisError, suggestion

__all__ = ["Choice", "Outcome", "alike", "choose", "outcome"]

_RANK: Mapping[Kind, int] = {"single": 0, "curve": 1, "rows": 2}
_SMALLER = ("loss", "error", "err", "mse", "rmse", "mae", "perplexity", "ppl", "nll", "wer", "cer", "fid", "distortion")
_DECIDE = (
    *("test_accuracy", "test_acc", "test/accuracy", "test/acc", "accuracy", "acc", "test_score", "score", "value"),
    *("val_accuracy", "val_acc", "val/accuracy", "val/acc", "validation_accuracy", "test_f1", "f1", "auc"),
    *("test_loss", "test/loss", "val_loss", "val/loss", "loss"),
)
_LISTED = 12


@dataclass(frozen=True)
class Choice:
    """The number that decides.

    Args:
        metric: Its name.
        direction: ``max`` or ``min``.
        kind: What the rows are of the files it is taken from.
        files: Their names.
        notes: What a user should know about the choice, a sentence each.
    """

    metric: str
    direction: str
    kind: Kind
    files: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run has.

    Args:
        metrics: Its numbers by name; empty where it has no result.
        curves: A row an epoch: ``epoch``, then numbers; None where there are none.
        trouble: Why it has no result; empty where it has one.
        rows: How many rows were averaged; 1 elsewhere.
    """

    metrics: Mapping[str, float]
    curves: pd.DataFrame | None = None
    trouble: str = ""
    rows: int = 1


def alike(runs: Sequence[ForeignRun]) -> tuple[ForeignRun, ...]:
    """The runs with files of one name taken for one thing: rows that are one in some runs are rows everywhere."""
    several = {name for run in runs for name, table in run.tables.items() if table.kind == "rows"}
    return tuple(
        replace(
            run,
            tables={
                name: replace(table, kind="rows") if name in several and table.kind == "single" else table
                for name, table in run.tables.items()
            },
        )
        for run in runs
    )


def choose(runs: Sequence[ForeignRun], request: Request) -> Choice:
    """The metric, and the files it is taken from.

    A file with one row is preferred to the last row of a curve, and that to rows that nothing tells apart; these are
    averaged, and only if no other file has the metric or the file was named.

    Raises:
        AnalysisError: If there is no number, no such metric, or nothing that says which number decides.
    """
    tables = _considered(runs, request)
    offers: dict[str, dict[Kind, dict[str, int]]] = {}
    for own in tables:
        for name, table in own.items():
            for metric in table.metrics:
                counts = offers.setdefault(metric, {}).setdefault(table.kind, {})
                counts[name] = counts.get(name, 0) + 1
    settings = {key for run in runs for key in run.values}
    offers = {name: found for name, found in offers.items() if name == request.metric or name not in settings}
    if not offers:
        where = f" in '{request.results}'" if request.results else ""
        there = sorted({name for run in runs for name in run.tables})
        listed = f" Files of numbers: {', '.join(there[:_LISTED])}." if there else ""
        raise AnalysisError(
            f"None of {len(runs)} runs has a number to compare{where}.{listed} What a function returns leaves no file "
            "under Hydra's own sweeper: write it into the run's folder as CSV or JSON, or sweep with "
            "hydra/sweeper=ablation."
        )
    notes = []
    metric = request.metric or _decisive(offers)
    if request.metric is None:
        if len(offers) > 1:
            others = [name for name in offers if name != metric]
            listed = ", ".join(others[:_LISTED]) + (", ..." if len(others) > _LISTED else "")
            notes.append(f"The metric is '{metric}'; metric=... takes another one: {listed}.")
    elif metric not in offers:
        listed = ", ".join(list(offers)[:_LISTED]) + (", ..." if len(offers) > _LISTED else "")
        raise AnalysisError(f"No run has the metric '{metric}'. Metrics: {listed}.{suggestion(metric, offers)}")
    kind = min(offers[metric], key=lambda kind: _RANK[kind])
    if request.rows == "mean" and "rows" in offers[metric]:
        kind = "rows"
    files = tuple(offers[metric][kind])
    _refuse_ambiguous(metric, kind, offers[metric], tables, request)
    if kind == "curve":
        notes.append(f"'{metric}' is the last row of {' or '.join(files)} of each run.")
    direction = request.direction
    if direction is None:
        word = next((word for word in _SMALLER if word in metric.lower()), None)
        direction = "max" if word is None else "min"
        why = f", since its name says '{word}'" if word else ""
        notes.append(
            f"{'Larger' if word is None else 'Smaller'} '{metric}' counts as better{why}; direction=... says so."
        )
    return Choice(metric, direction, kind, files, tuple(notes))


def _considered(runs: Sequence[ForeignRun], request: Request) -> list[Mapping[str, NumberTable]]:
    if request.results is None:
        return [run.tables for run in runs]
    wanted = request.results
    return [
        {name: table for name, table in run.tables.items() if name == wanted or name.endswith(f"/{wanted}")}
        for run in runs
    ]


def _decisive(offers: Mapping[str, Mapping[Kind, Mapping[str, int]]]) -> str:
    for kind in _RANK:
        of_kind = {name: sum(found[kind].values()) for name, found in offers.items() if kind in found}
        names = [name for name in of_kind if not name.startswith("seconds")]
        if kind == "curve":
            # Beside its validation, the number of that name was measured in training.
            names = [name for name in names if not {f"val_{name}", f"val/{name}"} & of_kind.keys()]
        if len(names) == 1:
            return names[0]
        if known := [name for word in _DECIDE for name in names if name.lower() == word]:
            return known[0]
        if names:
            listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
            raise AnalysisError(f"Several numbers could decide; name one with metric=...: {listed}.")
    raise AnalysisError("The runs report nothing but times.")


def _refuse_ambiguous(
    metric: str,
    kind: Kind,
    offers: Mapping[Kind, Mapping[str, int]],
    tables: Sequence[Mapping[str, NumberTable]],
    request: Request,
) -> None:
    if request.results is not None:
        return
    rivals = dict(offers[kind])
    if kind == "curve" and "rows" in offers:
        rivals |= offers["rows"]
    for own in tables:
        having = [own[name] for name in rivals if name in own and metric in own[name].metrics]
        numbers = {table.result().get(metric) for table in having}
        if len(having) > 1 and len(numbers) > 1:
            lines = [f"  results={name}  {_rows_of(name, tables)}" for name in rivals]
            raise AnalysisError(
                f"'{metric}' stands in several files of a run with other numbers; say which is the result:\n"
                + "\n".join(lines)
            )


def _rows_of(name: str, tables: Sequence[Mapping[str, NumberTable]]) -> str:
    found = [own[name] for own in tables if name in own]
    counts = sorted({len(table.frame) for table in found})
    rows = f"{counts[0]} rows" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} rows"
    what = {"single": "the result", "curve": f"a curve by {found[0].step}: its last row"}.get(
        found[0].kind, "averaged: rows of one run are no replicates"
    )
    return f"({len(found)} runs, {rows}; {what})"


def outcome(run: ForeignRun, choice: Choice, request: Request) -> Outcome:
    """What one run has of the metric, and of all else.

    Args:
        run: The run.
        choice: The metric.
        request: Names the file, if need be.
    """
    if run.trouble:
        return Outcome({}, trouble=run.trouble)
    (tables,) = _considered([run], request)
    if not tables:
        return Outcome({}, trouble="no file of results")
    decisive = [table for table in tables.values() if table.kind == choice.kind and choice.metric in table.metrics]
    curve = _curve(tables, choice.metric)
    if not decisive:
        known = sorted({name for table in tables.values() for name in table.metrics})
        listed = ", ".join(known[:_LISTED]) + (", ..." if len(known) > _LISTED else "")
        return Outcome({}, curve, f"no '{choice.metric}' in {', '.join(tables)} (columns {listed})")
    metrics = dict(decisive[0].result())
    if choice.metric not in metrics:
        return Outcome({}, curve, f"'{choice.metric}' is empty")
    for table in sorted(tables.values(), key=lambda table: _RANK[table.kind]):
        if table.kind != "rows":
            metrics = {**table.result(), **metrics}
    rows = len(decisive[0].frame) if choice.kind == "rows" else 1
    return Outcome({choice.metric: metrics.pop(choice.metric), **metrics}, curve, rows=rows)


def _curve(tables: Mapping[str, NumberTable], metric: str) -> pd.DataFrame | None:
    """The curves of a run: the table that has the metric, else the longest."""
    curves = [table for table in tables.values() if table.kind == "curve"]
    if not curves:
        return None
    stem = metric.removeprefix("test_").removeprefix("val_")
    best = max(curves, key=lambda table: (any(stem in name for name in table.metrics), len(table.frame)))
    frame = best.frame.rename(columns={best.step: "epoch"})
    frame = frame[["epoch", *(name for name in frame.columns if name != "epoch")]]
    whole = bool((frame["epoch"] % 1 == 0).all())
    return frame.assign(epoch=frame["epoch"].astype(int) if whole else range(1, len(frame) + 1))
