"""The metric in what a run has written, where its task returns none."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.errors import MissingMetric, suggestion
from ablate.formatting import listing
from ablate.logs.files import SourceFolder
from ablate.logs.regular_files import UnreadableFile
from ablate.store import RunFolder
from ablate.sweep.run_outputs import RunOutputs
from ablate.sweep.safe_text import shortened

if TYPE_CHECKING:
    from ablate.logs.number_table import NumberTable

_LOGS = ("*.log", "*.out", "*.txt")
_LARGEST_LOG = 64_000_000  # bytes
_LONGEST_LINE = 10_000  # characters of a line of a log that are looked at
_LISTED = 8


@dataclass(frozen=True)
class MetricSource:
    """Where the metric is, if the task returns none.

    Args:
        metric: Its name, or None where the study declares none.
        results: The file that holds it, or None for all.
        pattern: A regular expression with one group, for the lines of the run's logs; or None.
        section: What stands before a setting where the user types it.
    """

    metric: str | None = None
    results: str | None = None
    pattern: str | None = None
    section: str = "hydra.sweeper"


def metrics_of_outputs(
    run: RunFolder, outputs: RunOutputs, source: MetricSource, settings: Collection[str]
) -> tuple[dict[str, float], list[str]]:
    """The metrics in what a run has written, and what must be known of where they stand, a phrase each.

    Args:
        run: The run.
        outputs: What was read of its files.
        source: Where the metric is.
        settings: Keys of the run's configuration: numbers of the same name are settings that were logged.

    Raises:
        MissingMetric: If there is none, or it cannot be told which of several it is.
    """
    if source.pattern is not None:
        value, place = _metric_in_logs(run, outputs.folder, source)
        name = source.metric or "value"
        return {name: value}, [f"{name} is what metric_pattern matches last in {place}"]
    tables = _named_tables(outputs, source)
    found = _numbers_by_name(tables, source)
    found = {name: place for name, place in found.items() if name == source.metric or name not in settings}
    if not found or (source.metric is not None and source.metric not in found):
        raise MissingMetric(_missing_text(run, outputs, source, list(found)))
    metrics = {name: value for name, (value, _) in found.items()}
    if source.metric is None:
        files = listing(dict.fromkeys(file for _, file in found.values()), _LISTED)
        return metrics, [f"the task returned no number; metrics are those of {files}"]
    _, file = found[source.metric]
    last = "the last number of its column in " if tables[file].kind == "curve" else "that of "
    return metrics, [f"the task returned no number; {source.metric} is {last}{file}"]


def _numbers_by_name(tables: Mapping[str, NumberTable], source: MetricSource) -> dict[str, tuple[float, str]]:
    """The numbers of a run by name, each with its file: results before the last rows of curves.

    A column that stands in several logs is called as in the curve that they give together.

    Raises:
        MissingMetric: If the metric stands in several files with other numbers.
    """
    from ablate.logs.curves import joined_curve
    from ablate.logs.number_tables import is_counter

    results = _unambiguous({file: table for file, table in tables.items() if table.kind == "single"}, source)
    curve = joined_curve(tables)
    if source.metric not in results:
        in_logs = [name for name, (_, column) in curve.columns.items() if column == source.metric]
        if len(in_logs) > 1:
            files = listing((curve.columns[name][0] for name in in_logs), _LISTED)
            raise MissingMetric(
                f"'{source.metric}' stands in {files}: {source.section}.metric={' or '.join(in_logs)} says which is "
                "the metric."
            )
    last = {} if curve.frame is None else {name: curve.frame[name].dropna() for name in curve.columns}
    joined = {name: (float(values.iloc[-1]), curve.columns[name][0]) for name, values in last.items() if len(values)}
    other = {file: table for file, table in tables.items() if table.kind == "curve" and file not in curve.files}
    return {
        name: place
        for name, place in {**_unambiguous(other, source), **joined, **results}.items()
        if name == source.metric or not is_counter(name)
    }


def _unambiguous(tables: Mapping[str, NumberTable], source: MetricSource) -> dict[str, tuple[float, str]]:
    """The result of each table by name with its file, without names that stand in several with other numbers.

    Raises:
        MissingMetric: If the metric is one of these.
    """
    found: dict[str, tuple[float, str]] = {}
    differing = set()
    for file, table in tables.items():
        for name, value in table.result().items():
            first, before = found.setdefault(name, (value, file))
            if first == value:
                continue
            if name == source.metric:
                raise MissingMetric(
                    f"'{name}' stands in {before} and in {file} with other numbers: "
                    f"{source.section}.results={before} says which file holds the metric."
                )
            differing.add(name)
    return {name: place for name, place in found.items() if name not in differing}


def _named_tables(outputs: RunOutputs, source: MetricSource) -> Mapping[str, NumberTable]:
    if source.results is None:
        return outputs.tables
    named = {file: table for file, table in outputs.tables.items() if f"/{file}".endswith(f"/{source.results}")}
    if not named:
        raise MissingMetric(
            f"The run has no numbers in '{source.results}' ({source.section}.results). Files with numbers: "
            f"{listing(outputs.tables, _LISTED) or 'none'}."
        )
    return named


def _metric_in_logs(run: RunFolder, folder: SourceFolder, source: MetricSource) -> tuple[float, str]:
    """The last number that the pattern finds in the run's logs, and in which; of several the run's own counts last."""
    pattern = re.compile(str(source.pattern))
    logs = folder.named(_LOGS[0], *_LOGS[1:])
    if source.results is not None:
        logs = [file for file in logs if f"/{file}".endswith(f"/{source.results}")]
    misread = ""
    for file in sorted(logs, key=folder.modified, reverse=True):
        try:
            lines = folder.read_bytes(file, _LARGEST_LOG).decode(errors="replace").splitlines()
        except UnreadableFile as error:
            misread = f" {file} {error}."
            continue
        for line in reversed(lines):
            for match in reversed(list(pattern.finditer(line[:_LONGEST_LINE]))):
                try:
                    return float(match[1].strip().rstrip("%")), file
                except (ValueError, AttributeError):
                    misread = f" '{shortened(str(match[1]), 40)}' is no number."
    raise MissingMetric(
        f"No line of the run's logs fits {source.section}.metric_pattern='{source.pattern}'.{misread} "
        f"Logs: {listing(logs, _LISTED) or 'none'}. Under Hydra's basic launcher what a task prints goes to the "
        "terminal alone; hydra/launcher=workers keeps it in the run's log."
    )


def _missing_text(run: RunFolder, outputs: RunOutputs, source: MetricSource, names: list[str]) -> str:
    """Why there is no metric, and what to do."""
    if names:
        return (
            f"The task returned no number, and what it wrote has no '{source.metric}'. It has "
            f"{listing(names, _LISTED)}: name one with {source.section}.metric=..."
            f"{suggestion(str(source.metric), names)}"
        )
    rows = [file for file, table in outputs.tables.items() if table.kind == "rows"]
    unread = f" Files that hold no result: {listing(rows, _LISTED)} (rows that nothing counts)." if rows else ""
    unread += f" Not read: {listing(outputs.notes, 3, '; ')}." if outputs.notes else ""
    return (
        f"The task returned no number, and there is none in the files below '{run.path}'.{unread} Return the metric "
        "from the function; or write it into the run's folder as JSON or CSV (hydra.runtime.output_dir; with "
        "hydra.job.chdir=true relative paths lead there); or let it be read from the log: "
        f"\"{source.section}.metric_pattern='accuracy: ([0-9.]+)'\"."
    )
