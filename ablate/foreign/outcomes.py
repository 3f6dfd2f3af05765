"""Which of several runs of one cell and seed counts, and what became of every run and file."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ablate.errors import DesignError
from ablate.foreign.reader import ForeignRuns
from ablate.foreign.results import RunResult
from ablate.formatting import listing, plural

_LISTED = 8
_COUNTED = {
    "mean": "their mean counts",
    "replicates": "each counts as a replicate, as declared; without seeds they form no pairs",
}


@dataclass(frozen=True, eq=False)
class CellRun:
    """A foreign run in its cell.

    Args:
        location: Where it was found.
        levels: Its level of each factor.
        seed: Its seed.
        result: Its numbers.
        modified: When it was written, in seconds since the epoch.
        duplicates: Where the runs were found for which it counts.
    """

    location: str
    levels: Mapping[str, str]
    seed: int
    result: RunResult
    modified: float
    duplicates: tuple[str, ...] = ()

    @property
    def level_row(self) -> tuple[str, ...]:
        """Its levels, in the order of the factors: what tells cells apart."""
        return tuple(self.levels.values())


def resolve_duplicates(
    runs: Sequence[CellRun], policy: str | None, ordered_by_time: bool, seeded: bool
) -> tuple[list[CellRun], list[str]]:
    """One run for every cell and seed.

    Runs without a result give way to one with a result, equal runs count once; where numbers differ the policy decides.

    Args:
        runs: The runs in their cells.
        policy: ``latest``, ``mean``, ``replicates``, or None: the latest, if the order is known.
        ordered_by_time: Whether it is.
        seeded: Whether runs of a cell are told apart by a seed.

    Returns:
        The runs that count, and what a user should know, a sentence each.

    Raises:
        DesignError: If runs disagree and nothing says which of them counts.
    """
    groups: dict[tuple[tuple[str, ...], int], list[CellRun]] = {}
    for run in runs:
        groups.setdefault((run.level_row, run.seed), []).append(run)
    counted: list[CellRun] = []
    equal: list[str] = []
    differing: list[str] = []
    for group in groups.values():
        finished = [run for run in group if run.result.metrics]
        if len(finished) < 2:
            counted.append(_for_group(finished[0] if finished else group[-1], group))
        elif len({_numbers(run) for run in finished}) == 1 and policy != "replicates":
            counted.append(_for_group(finished[-1], group))
            equal.append(finished[-1].location)
        else:
            counted += _resolved(group, finished, policy, ordered_by_time, seeded)
            differing.append(f"{finished[-1].location} and {len(finished) - 1} more")
    notes = []
    if equal:
        cells = plural(len(equal), "cell was", "cells were")
        notes.append(f"{cells} repeated with the same numbers, which count once: {listing(equal, _LISTED)}.")
    if differing:
        what = _COUNTED.get(policy or "", "the latest counts; repeats=mean or repeats=replicates takes all")
        cells = plural(len(differing), "cell was", "cells were")
        notes.append(f"{cells} repeated with other numbers, and {what}: {listing(differing, _LISTED)}.")
    return counted, notes


def _for_group(run: CellRun, group: Sequence[CellRun]) -> CellRun:
    return replace(run, duplicates=tuple(other.location for other in group if other is not run))


def _resolved(
    group: list[CellRun], finished: list[CellRun], policy: str | None, ordered_by_time: bool, seeded: bool
) -> list[CellRun]:
    first, second = finished[:2]
    if policy is None and not ordered_by_time:
        levels = ", ".join(f"{name}={level}" for name, level in first.levels.items())
        raise DesignError(
            f"{first.location} and {second.location} have the same levels ({levels}) and seed with other numbers. "
            "Several rows of one run are no replicates: name the column that tells them apart (seed=COLUMN, or another "
            "factor), take their mean (repeats=mean), or declare that each is a run of its own (repeats=replicates)."
        )
    if policy == "replicates":
        if seeded:
            raise DesignError(
                f"repeats=replicates: {first.location} and {second.location} have the same seed {first.seed}, so the "
                "second is a repetition and no replicate. Use repeats=latest or repeats=mean."
            )
        return [replace(run, seed=number) for number, run in enumerate(finished)]
    # Of runs written in the same second the one found last is the latest.
    latest = max(enumerate(finished), key=lambda item: (item[1].modified, item[0]))[1]
    counts = _for_group(latest, group)
    if policy == "mean":
        names = [name for name in latest.result.metrics if all(name in run.result.metrics for run in finished)]
        means = {name: sum(run.result.metrics[name] for run in finished) / len(finished) for name in names}
        return [replace(counts, result=replace(latest.result, metrics=means, curves=None))]
    return [counts]


def _numbers(run: CellRun) -> tuple[tuple[str, float], ...]:
    """What equal runs agree in: all but how long they took."""
    return tuple(sorted(item for item in run.result.metrics.items() if not item[0].startswith("seconds")))


def adoption_table(
    foreign: ForeignRuns, excluded: Container[str], results: Mapping[str, RunResult], counted: Sequence[CellRun]
) -> pd.DataFrame:
    """What became of every run, and of every file that could not be read: ``place``, ``state``, ``reason``."""
    counts = {location: run.location for run in counted for location in run.duplicates}
    rows = []
    for location, result in results.items():
        if not result.metrics:
            rows.append((location, "no result", result.fault))
        elif location in excluded:
            rows.append((location, "left out", "by only.KEY"))
        elif location in counts:
            rows.append((location, "repeated", f"{counts[location]} counts"))
        else:
            rows.append((location, "adopted", ""))
    rows += [(note.file, "read otherwise" if note.changed else "not read", note.reason) for note in foreign.file_notes]
    # A spreadsheet would compute a name such as =cmd(); with a dot before it, it is the same path.
    rows = [(f"./{place}" if place[:1] in ("=", "+", "-", "@") else place, state, why) for place, state, why in rows]
    return pd.DataFrame(rows, columns=["place", "state", "reason"])


def adoption_notes(table: pd.DataFrame) -> list[str]:
    """The runs without a result by the reason, the files not read, and those read in another way than written."""
    missing = table[table["state"] == "no result"].groupby("reason", sort=False)["place"]
    notes = [
        f"{plural(len(places), 'run')} without a result ({reason}): {_listing(places)}." for reason, places in missing
    ]
    titles = {"not read": "Not read, or not whole", "read otherwise": "Read in another way than it stands there"}
    for state, title in titles.items():
        files = table[table["state"] == state]
        if len(files):
            notes.append(f"{title}: {_listing(files['place'] + ': ' + files['reason'], '; ')}.")
    return notes


def _listing(texts: Collection[str], separator: str = ", ") -> str:
    return listing(texts, _LISTED, separator) + (" (adopted.csv)" if len(texts) > _LISTED else "")
