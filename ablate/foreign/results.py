"""Which number decides, in which file it stands, and what each run has of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablate.errors import AnalysisError, suggestion
from ablate.foreign.reader import ForeignRun, Kind, NumberTable
from ablate.foreign.request import AdoptSettings
from ablate.formatting import better_direction, listing

if TYPE_CHECKING:
    import pandas as pd

_KINDS: tuple[Kind, ...] = ("single", "curve", "rows")  # the most trusted first
_LOWER_IS_BETTER = (
    *("loss", "error", "err", "mse", "rmse", "mae", "perplexity", "ppl", "nll", "wer", "cer", "fid", "distortion"),
)
_KNOWN_METRICS = (
    *("test_accuracy", "test_acc", "test/accuracy", "test/acc", "accuracy", "acc", "test_score", "score", "value"),
    *("val_accuracy", "val_acc", "val/accuracy", "val/acc", "validation_accuracy", "test_f1", "f1", "auc"),
    *("test_loss", "test/loss", "val_loss", "val/loss", "loss"),
)
_LISTED = 12

Offers = Mapping[str, Mapping[Kind, Mapping[str, int]]]
"""By metric and kind of table, the files that have it, and in how many runs."""


@dataclass(frozen=True)
class MetricChoice:
    """The number that decides.

    Args:
        metric: Its name.
        direction: ``max`` or ``min``.
        kind: What the rows of the files are that it is taken from.
        files: Their names.
        notes: What a user should know about the choice, a sentence each.
    """

    metric: str
    direction: str
    kind: Kind
    files: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RunResult:
    """The numbers of a run.

    Args:
        metrics: Its numbers by name; empty where it has no result.
        curves: A row an epoch: ``epoch``, then numbers; None where there are none.
        fault: Why it has no result; empty where it has one.
        rows: How many rows were averaged; 1 elsewhere.
    """

    metrics: Mapping[str, float]
    curves: pd.DataFrame | None = None
    fault: str = ""
    rows: int = 1


def with_consistent_kinds(runs: Sequence[ForeignRun]) -> tuple[ForeignRun, ...]:
    """The runs with files of one name taken for one kind: rows that are one in some runs are rows everywhere."""
    with_rows = {name for run in runs for name, table in run.tables.items() if table.kind == "rows"}

    def consistent(name: str, table: NumberTable) -> NumberTable:
        return replace(table, kind="rows") if name in with_rows and table.kind == "single" else table

    return tuple(
        replace(run, tables={name: consistent(name, table) for name, table in run.tables.items()}) for run in runs
    )


def choose_metric(runs: Sequence[ForeignRun], settings: AdoptSettings) -> MetricChoice:
    """The metric, and the files it is taken from.

    A file with one row is preferred to the last row of a curve, and that to rows that nothing tells apart; these are
    averaged, and only if no other file has the metric or the file was named.

    Raises:
        AnalysisError: If there is no number, no such metric, or nothing that says which number decides.
    """
    tables = [_eligible_tables(run, settings) for run in runs]
    offers = _offers(runs, tables, settings)
    notes = []
    metric = settings.metric or _guessed_metric(offers)
    if metric not in offers:
        raise AnalysisError(
            f"No run has the metric '{metric}'. Metrics: {listing(offers, _LISTED)}.{suggestion(metric, offers)}"
        )
    if settings.metric is None and len(offers) > 1:
        others = listing((name for name in offers if name != metric), _LISTED)
        notes.append(f"The metric is '{metric}'; metric=... takes another one: {others}.")
    files = offers[metric]
    kind: Kind = "rows" if settings.rows == "mean" and "rows" in files else next(k for k in _KINDS if k in files)
    if settings.results is None:
        _refuse_ambiguous(metric, kind, files, tables)
    if kind == "curve":
        notes.append(f"'{metric}' is the last row of {' or '.join(files[kind])} of each run.")
    direction = settings.direction
    if direction is None:
        reason = next((word for word in _LOWER_IS_BETTER if word in metric.lower()), None)
        direction = "max" if reason is None else "min"
        since = f", since its name says '{reason}'" if reason else ""
        notes.append(f"For '{metric}' {better_direction(direction)}{since}; direction=... changes that.")
    return MetricChoice(metric, direction, kind, tuple(files[kind]), tuple(notes))


def _eligible_tables(run: ForeignRun, settings: AdoptSettings) -> Mapping[str, NumberTable]:
    file = settings.results
    return {name: table for name, table in run.tables.items() if not file or f"/{name}".endswith(f"/{file}")}


def _offers(runs: Sequence[ForeignRun], tables: Sequence[Mapping[str, NumberTable]], settings: AdoptSettings) -> Offers:
    offers: dict[str, dict[Kind, Counter[str]]] = {}
    for by_name in tables:
        for name, table in by_name.items():
            for metric in table.metrics:
                offers.setdefault(metric, {}).setdefault(table.kind, Counter())[name] += 1
    # A number that the configuration has as well is a setting that was logged.
    config_keys = {key for run in runs for key in run.config}
    offers = {name: files for name, files in offers.items() if name == settings.metric or name not in config_keys}
    if not offers:
        where = f" in '{settings.results}'" if settings.results else ""
        files = sorted({name for run in runs for name in run.tables})
        listed = f" Files of numbers: {listing(files, _LISTED)}." if files else ""
        raise AnalysisError(
            f"None of {len(runs)} runs has a number to compare{where}.{listed} What a function returns leaves no file "
            "under Hydra's own sweeper: write it into the run's folder as CSV or JSON, or sweep with "
            "hydra/sweeper=ablation."
        )
    return offers


def _guessed_metric(offers: Offers) -> str:
    for kind in _KINDS:
        of_kind = [name for name, files in offers.items() if kind in files]
        names = [name for name in of_kind if not name.startswith("seconds")]
        if kind == "curve":
            # Where there is a val_loss, the loss was measured in training.
            names = [name for name in names if f"val_{name}" not in of_kind and f"val/{name}" not in of_kind]
        if len(names) == 1:
            return names[0]
        if known := [name for metric in _KNOWN_METRICS for name in names if name.lower() == metric]:
            return known[0]
        if names:
            raise AnalysisError(f"Several numbers could decide; name one with metric=...: {listing(names, _LISTED)}.")
    raise AnalysisError("The runs report nothing but times.")


def _refuse_ambiguous(
    metric: str,
    kind: Kind,
    files: Mapping[Kind, Mapping[str, int]],
    tables: Sequence[Mapping[str, NumberTable]],
) -> None:
    # The last row of a curve may be the mean of other rows; only the user knows which of them is the result.
    names = [*files[kind], *(files.get("rows", ()) if kind == "curve" else ())]
    for by_name in tables:
        results = [by_name[name].result().get(metric) for name in names if metric in _metrics(by_name, name)]
        if len(set(results)) > 1:
            lines = [f"  results={name}  {_description(name, tables)}" for name in dict.fromkeys(names)]
            raise AnalysisError(
                f"'{metric}' stands in several files of a run with other numbers; say which is the result:\n"
                + "\n".join(lines)
            )


def _metrics(tables: Mapping[str, NumberTable], name: str) -> tuple[str, ...]:
    return tables[name].metrics if name in tables else ()


def _description(name: str, tables: Sequence[Mapping[str, NumberTable]]) -> str:
    same_name = [by_name[name] for by_name in tables if name in by_name]
    counts = sorted({len(table.frame) for table in same_name})
    rows = f"{counts[0]} rows" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} rows"
    meaning = {
        "single": "the result",
        "curve": f"a curve by {same_name[0].step}: its last row",
        "rows": "averaged: rows of one run are no replicates",
    }[same_name[0].kind]
    return f"({len(same_name)} runs, {rows}; {meaning})"


def run_result(run: ForeignRun, choice: MetricChoice, settings: AdoptSettings) -> RunResult:
    """The metric of one run, and all its other numbers.

    Args:
        run: The run.
        choice: The metric.
        settings: They may name the file.
    """
    if run.fault:
        return RunResult({}, fault=run.fault)
    tables = _eligible_tables(run, settings)
    if not tables:
        return RunResult({}, fault="no file of results")
    curves = _curves(tables, choice.metric)
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
    rows = len(decisive[0].frame) if choice.kind == "rows" else 1
    return RunResult({choice.metric: metrics.pop(choice.metric), **metrics}, curves, rows=rows)


def _curves(tables: Mapping[str, NumberTable], metric: str) -> pd.DataFrame | None:
    """The curves of a run: the table that has the metric, else the longest."""
    curves = [table for table in tables.values() if table.kind == "curve"]
    if not curves:
        return None
    stem = metric.removeprefix("test_").removeprefix("val_")
    best = max(curves, key=lambda table: (any(stem in name for name in table.metrics), len(table.frame)))
    frame = best.frame.rename(columns={best.step: "epoch"})
    frame = frame[["epoch", *(name for name in frame.columns if name != "epoch")]]
    is_whole = bool((frame["epoch"] % 1 == 0).all())
    return frame.assign(epoch=frame["epoch"].astype(int) if is_whole else range(1, len(frame) + 1))
