"""What a user must know of what was adopted: what is missing, unread, averaged, left out."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from ablate.foreign.duplicates import CellRun
from ablate.foreign.reader import ForeignRuns
from ablate.foreign.results import MetricChoice, RunResult
from ablate.formatting import listing, plural

_LISTED = 8


def missing_notes(results: Mapping[str, RunResult]) -> list[str]:
    """All runs without a result, by the reason, also those that were left out."""
    missing: dict[str, list[str]] = {}
    for location, result in results.items():
        if not result.metrics:
            missing.setdefault(result.fault, []).append(location)
    return [
        f"{plural(len(locations), 'run')} without a result ({fault}): {_listing(locations)}."
        for fault, locations in missing.items()
    ]


def file_notes(foreign: ForeignRuns) -> list[str]:
    """What could not be read, and what was read in another way than it is written, each with its reason."""
    titles = {"Not read, or not whole": False, "Read in another way than it stands there": True}
    items = {
        title: [f"{note.file}: {note.reason}" for note in foreign.file_notes if note.changed is changed]
        for title, changed in titles.items()
    }
    return [f"{title}: {_listing(texts, '; ')}." for title, texts in items.items() if texts]


def row_notes(counted: Sequence[CellRun], choice: MetricChoice) -> list[str]:
    """That rows were averaged, and how many."""
    counts = sorted({run.result.rows for run in counted if run.result.metrics})
    if choice.kind != "rows" or not counts:
        return []
    rows = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return [
        f"{' and '.join(choice.files)} holds {rows} rows a run; they are averaged, since rows of one run are no seeds."
    ]


def _listing(texts: Sequence[str], separator: str = ", ") -> str:
    return listing(texts, _LISTED, separator) + (" (adopted.csv)" if len(texts) > _LISTED else "")


def adoption_table(
    foreign: ForeignRuns, excluded: Container[str], results: Mapping[str, RunResult], counted: Sequence[CellRun]
) -> list[tuple[str, str, str]]:
    """What became of every run, and of every file that could not be read: place, state, reason."""
    counts = {location: run.location for run in counted for location in run.duplicates}
    rows = []
    for location, result in results.items():
        if location in excluded:
            rows.append((location, "left out", "by only.KEY"))
        elif not result.metrics:
            rows.append((location, "no result", result.fault))
        elif location in counts:
            rows.append((location, "repeated", f"{counts[location]} counts"))
        else:
            rows.append((location, "adopted", ""))
    rows += [(note.file, "read otherwise" if note.changed else "not read", note.reason) for note in foreign.file_notes]
    return rows
