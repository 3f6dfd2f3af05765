"""Which number decides, in which file it stands, and what each run has of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ablate.errors import AnalysisError, suggestion
from ablate.foreign.reader import ForeignRun
from ablate.foreign.request import AdoptSettings
from ablate.formatting import better_direction, listing
from ablate.logs.curves import joined_curve
from ablate.logs.number_table import Kind
from ablate.study.metric import direction_of

_KINDS: tuple[Kind, ...] = ("single", "curve", "rows")  # the most trusted first
_KNOWN_METRICS = (
    *("test_accuracy", "test_acc", "test/accuracy", "test/acc", "accuracy", "acc", "test_score", "score", "value"),
    *("val_accuracy", "val_acc", "val/accuracy", "val/acc", "validation_accuracy", "test_f1", "f1", "auc"),
    *("test_loss", "test/loss", "val_loss", "val/loss", "loss"),
)
_LISTED = 12


@dataclass(frozen=True)
class MetricChoice:
    """The number that decides.

    Args:
        metric: Its name.
        direction: ``max`` or ``min``.
        kind: What the rows of the files are that it is taken from.
        notes: What a user should know about the choice, a sentence each.
    """

    metric: str
    direction: str
    kind: Kind
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RunResult:
    """The numbers of a run.

    Args:
        metrics: Its numbers by name; empty where it has no result.
        curves: A row an epoch: ``epoch``, then numbers; None where there are none.
        fault: Why it has no result; empty where it has one.
    """

    metrics: Mapping[str, float]
    curves: pd.DataFrame | None = None
    fault: str = ""


def with_results(runs: Sequence[ForeignRun], settings: AdoptSettings) -> tuple[ForeignRun, ...]:
    """The runs with those of their tables that may hold results.

    Files of one name are of one kind in all runs: where a file has several rows in some runs, its only row in another
    run is not the result either.

    Raises:
        AnalysisError: If no run has the file that the settings name.
    """
    names = {name for run in runs for name in run.tables}
    eligible = {name for name in names if not settings.results or f"/{name}".endswith(f"/{settings.results}")}
    if names and not eligible:
        raise AnalysisError(f"No run has numbers in '{settings.results}'. Files: {listing(sorted(names), _LISTED)}.")
    with_rows = {name for run in runs for name, table in run.tables.items() if table.kind == "rows"}
    selected = []
    for run in runs:
        tables = {name: table for name, table in run.tables.items() if name in eligible}
        for name in tables.keys() & with_rows:
            if tables[name].kind == "single":
                tables[name] = replace(tables[name], kind="rows")
        selected.append(replace(run, tables=tables))
    return tuple(selected)


def choose_metric(runs: Sequence[ForeignRun], settings: AdoptSettings) -> MetricChoice:
    """The metric, and the files it is taken from.

    A file with one row is preferred to the last row of a curve, and that to rows that nothing distinguishes; these are
    averaged, and only if no other file has the metric or the file was named.

    Raises:
        AnalysisError: If there is no number, no such metric, or nothing that says which number decides.
    """
    # A number that the configuration has as well is a setting that was logged.
    logged_settings = {key for run in runs for key in run.config if key != settings.metric}
    numbers = pd.DataFrame(
        [
            (metric, run.location, file, table.kind, table.step, len(table.frame), table.result().get(metric))
            for run in runs
            for file, table in run.tables.items()
            for metric in table.metrics
            if metric not in logged_settings
        ],
        columns=["metric", "run", "file", "kind", "step", "rows", "value"],
    )
    metrics = numbers["metric"].unique().tolist()
    if not metrics:
        raise AnalysisError(
            f"None of {len(runs)} runs has a number to compare. What a function returns leaves no file under Hydra's "
            "own sweeper: write it into the run's folder as CSV or JSON, or sweep with hydra/sweeper=ablation."
        )
    metric = settings.metric or _guessed_metric(numbers)
    if metric not in metrics:
        raise AnalysisError(
            f"No run has the metric '{metric}'. Metrics: {listing(metrics, _LISTED)}.{suggestion(metric, metrics)}"
        )
    notes = []
    if settings.metric is None and len(metrics) > 1:
        others = listing((name for name in metrics if name != metric), _LISTED)
        notes.append(f"The metric is '{metric}'; metric=... takes another one: {others}.")
    numbers = numbers[numbers["metric"] == metric]
    kinds = set(numbers["kind"])
    kind = next(kind for kind in _KINDS if kind in kinds)
    if settings.results is None:
        _refuse_ambiguous(metric, kind, numbers)
    numbers = numbers[numbers["kind"] == kind]
    files = numbers["file"].unique()
    if kind == "curve":
        notes.append(f"'{metric}' is the last row of {' or '.join(files)} of each run.")
    if kind == "rows":
        held = f"{' and '.join(files)} holds {_row_count(numbers['rows'])} a run"
        notes.append(f"{held}; they are averaged, since rows of one run are no seeds.")
    direction = settings.direction
    if direction is None:
        named = direction_of(metric)
        if named is None:
            raise AnalysisError(
                f"Nothing in the name '{metric}' says whether higher or lower is better. Write direction=max or "
                "direction=min."
            )
        direction = named.direction
        notes.append(
            f"For '{metric}' {better_direction(direction)}, since its name says '{named.word}'; direction=... changes "
            "that."
        )
    return MetricChoice(metric, direction, kind, tuple(notes))


def _guessed_metric(numbers: pd.DataFrame) -> str:
    for kind in _KINDS:
        of_kind: list[str] = numbers.loc[numbers["kind"] == kind, "metric"].unique().tolist()
        names = [name for name in of_kind if not name.startswith("seconds")]
        if kind == "curve":
            # Where there is a val_loss, the loss was measured in training.
            names = [name for name in names if f"val_{name}" not in of_kind and f"val/{name}" not in of_kind]
        if len(names) == 1:
            return names[0]
        if matches := [name for metric in _KNOWN_METRICS for name in names if name.lower() == metric]:
            return matches[0]
        if names:
            raise AnalysisError(f"Several numbers could decide; name one with metric=...: {listing(names, _LISTED)}.")
    raise AnalysisError("The runs report nothing but times.")


def _refuse_ambiguous(metric: str, kind: Kind, numbers: pd.DataFrame) -> None:
    # The last row of a curve may be the mean of other rows; only the user knows which of them is the result.
    numbers = numbers[numbers["kind"].isin([kind, "rows"] if kind == "curve" else [kind])]
    if numbers.groupby("run")["value"].nunique(dropna=False).max() > 1:
        meanings = {
            "single": "the result",
            "curve": "a curve by {step}: its last row",
            "rows": "averaged: rows of one run are no replicates",
        }
        lines = []
        for file, same in numbers.groupby("file", sort=False):
            first = same.iloc[0]
            meaning = meanings[first["kind"]].format(step=first["step"])
            lines.append(f"  results={file}  ({len(same)} runs, {_row_count(same['rows'])}; {meaning})")
        raise AnalysisError(
            f"'{metric}' stands in several files of a run with other numbers; say which is the result:\n"
            + "\n".join(lines)
        )


def _row_count(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low} rows" if low == high else f"{low} to {high} rows"


def run_result(run: ForeignRun, choice: MetricChoice) -> RunResult:
    """The metric of one run, and all its other numbers.

    Args:
        run: The run.
        choice: The metric.
    """
    if run.fault:
        return RunResult({}, fault=run.fault)
    tables = run.tables
    if not tables:
        return RunResult({}, fault="no file of results")
    curves = joined_curve(tables).frame
    decisive = [table for table in tables.values() if table.kind == choice.kind and choice.metric in table.metrics]
    if not decisive:
        columns = listing(sorted({name for table in tables.values() for name in table.metrics}), _LISTED)
        return RunResult({}, curves, f"no '{choice.metric}' in {', '.join(tables)} (columns {columns})")
    metrics = decisive[0].result()
    if choice.metric not in metrics:
        return RunResult({}, curves, f"'{choice.metric}' is empty")
    for kind in ("single", "curve"):
        for table in tables.values():
            if table.kind == kind:
                metrics = {**table.result(), **metrics}
    return RunResult({choice.metric: metrics.pop(choice.metric), **metrics}, curves)
