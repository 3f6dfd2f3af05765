"""Parts of one study, carried out on several machines, become one study."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.errors import StoreError
from ablate.several.copying import copy_run, names_of
from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.sweep.identity import differences
from ablate.sweep.study_record import extended_record

__all__ = ["KEEP", "Conflict", "Merged", "conflicts", "merge", "other_questions"]

KEEP = ("first", "last")
"""Whose numbers are kept where two folders disagree."""

_LISTED = 10
_RANK = {FINISHED: 2, FAILED: 1}


@dataclass(frozen=True)
class Conflict:
    """A run that has other numbers in two folders.

    Args:
        run: The run.
        label: Label of its cell.
        numbers: The first metric that differs, by the name of the folder.
        metric: Its name.
    """

    run: PlannedRun
    label: str
    numbers: Mapping[str, float]
    metric: str

    def __str__(self) -> str:
        values = ", ".join(f"{value:.6g} ({name})" for name, value in self.numbers.items())
        return f"{self.label}, seed {self.run.seed}: {self.metric} {values}"


@dataclass(frozen=True)
class Merged:
    """What merging did.

    Args:
        study: The folder with everything.
        lines: What to tell the user.
    """

    study: StudyFolder
    lines: tuple[str, ...]


def merge(studies: Sequence[StudyFolder], into: StudyFolder, keep: str | None = None) -> Merged:
    """Put the runs of several folders together, each run once; the study's own command goes on there.

    A run is the same wherever its configuration is. Of a run that is in several folders, a finished one is taken before
    a failed one, and equal numbers count once. The folders are read and not changed.

    Args:
        studies: Folders with parts of one study.
        into: Where the whole goes; it may hold a part already.
        keep: Whose numbers count where finished runs disagree: ``first`` or ``last`` of the folders; None refuses.

    Raises:
        StoreError: If the folders hold different studies (with the difference key by key), runs disagree and ``keep``
            does not say whose count, or a run is still at work.
    """
    parts = [*studies]
    if into.record() is not None and all(into.path.resolve() != part.path.resolve() for part in parts):
        parts.insert(0, into)
    names = dict(zip((part.path for part in parts), names_of([part.path for part in parts]), strict=True))
    records = {part.path: part.existing_record() for part in parts}
    if found := other_questions(parts):
        raise StoreError(
            "These folders hold different studies:\n"
            + "\n".join(f"  {line}" for line in found)
            + f"\nCompare them with: ablate report {' '.join(str(part.path) for part in parts)}"
        )
    clashes = conflicts(parts)
    if clashes and keep is None:
        listed = "\n".join(f"  {clash}" for clash in clashes[:_LISTED])
        more = f"\n  and {len(clashes) - _LISTED} more" if len(clashes) > _LISTED else ""
        raise StoreError(
            f"{len(clashes)} run{'s have' if len(clashes) > 1 else ' has'} other numbers in two of the folders:\n"
            f"{listed}{more}\nSay whose count with --keep first or --keep last, or compare the folders with: "
            f"ablate report {' '.join(str(part.path) for part in parts)}"
        )
    _refuse_two_runs_of_a_seed(parts, records)
    chosen = _chosen(parts, records, keep)
    with into.editing():
        event = _event(parts, names, clashes, keep)
        into.write_record(_united(into, [records[part.path] for part in parts], event))
        for run, part in chosen.items():
            if part.path.resolve() != into.path.resolve():
                copy_run(part.run(run), into.run(run))
    return Merged(into, tuple(_told(parts, names, records, chosen, clashes, keep)))


def other_questions(studies: Sequence[StudyFolder]) -> list[str]:
    """In what studies differ that must agree in parts of one study, a line each; empty if they agree."""
    first, *others = [study.existing_record() for study in studies]
    names = names_of([study.path for study in studies])
    lines = []
    for name, record in zip(names[1:], others, strict=True):
        found = differences(dict(first.reference), dict(record.reference))
        for key in ("metric", "direction", "margin", "sequential"):
            was, now = getattr(first.plan.study, key), getattr(record.plan.study, key)
            if was != now:
                found.append(f"study.{key}: {was} -> {now}")
        lines += [f"{names[0]} -> {name}: {line}" for line in found]
    return lines


def conflicts(studies: Sequence[StudyFolder]) -> list[Conflict]:
    """Runs that finished in several of the folders with other numbers; timings do not count."""
    names = names_of([study.path for study in studies])
    seen: dict[str, dict[str, Mapping[str, float]]] = {}
    runs: dict[str, tuple[PlannedRun, str]] = {}
    for name, study in zip(names, studies, strict=True):
        record = study.existing_record()
        labels = {cell.name: cell.label for cell in record.plan.cells}
        for run in record.runs:
            folder = study.run(run)
            if folder.status().state == FINISHED and (result := folder.result()) is not None:
                seen.setdefault(run.id, {})[name] = result.metrics
                runs.setdefault(run.id, (run, labels[run.cell]))
    found = []
    for key, by_name in seen.items():
        metrics = dict.fromkeys(metric for own in by_name.values() for metric in own)
        for metric in (metric for metric in metrics if not metric.startswith("seconds")):
            numbers = {name: own.get(metric, float("nan")) for name, own in by_name.items()}
            if len({repr(float(value)) for value in numbers.values()}) > 1:
                run, label = runs[key]
                found.append(Conflict(run, label, numbers, metric))
                break
    return found


def _refuse_two_runs_of_a_seed(parts: Sequence[StudyFolder], records: Mapping[Path, StudyRecord]) -> None:
    seen: dict[tuple[str, int], str] = {}
    for part in parts:
        for run in records[part.path].runs:
            if seen.setdefault((run.cell, run.seed), run.id) != run.id:
                raise StoreError(
                    f"'{run.cell}' with seed {run.seed} has another configuration in '{part.path}' than in the folders "
                    f"before it (run {run.id} instead of {seen[run.cell, run.seed]}): these are not parts of one study."
                )


def _chosen(
    parts: Sequence[StudyFolder], records: Mapping[Path, StudyRecord], keep: str | None
) -> dict[PlannedRun, StudyFolder]:
    """From which folder each run is taken; runs that nowhere began are left to the study's command."""
    chosen: dict[PlannedRun, StudyFolder] = {}
    ranks: dict[PlannedRun, int] = {}
    for part in parts:
        for run in records[part.path].runs:
            state = part.run(run).settled_status().state
            if state == RUNNING:
                raise StoreError(f"{run.folder} in '{part.path}' is still running. Merge when it has ended.")
            rank = _RANK.get(state, 0)
            if rank and (rank > ranks.get(run, 0) or (rank == ranks[run] and keep == "last")):
                chosen[run], ranks[run] = part, rank
    return chosen


def _united(into: StudyFolder, records: Sequence[StudyRecord], event: Mapping[str, object]) -> StudyRecord:
    whole: StudyRecord | None = None
    for record in records:
        plan = replace(record.plan, study=replace(record.plan.study, name=into.name))
        whole = extended_record(into, whole, plan, record.runs, record.reference, {})
    history = sorted(
        {repr(past): past for record in records for past in record.history}.values(),
        key=lambda past: str(past.get("time", "")),
    )
    checks = {name: found for record in reversed(records) for name, found in record.checks.items()}
    seeds = sorted({seed for record in records for seed in record.plan.study.seeds})
    if whole is None:
        raise StoreError("Name at least one study to merge.")
    study = replace(whole.plan.study, seeds=whole.plan.study.seeds if whole.plan.study.sequential else tuple(seeds))
    places = {cell.name: place for place, cell in enumerate(whole.plan.cells)}
    ordered = tuple(sorted(whole.runs, key=lambda run: (places[run.cell], run.seed)))
    return StudyRecord(replace(whole.plan, study=study), ordered, whole.reference, (*history, event), checks)


def _event(
    parts: Sequence[StudyFolder], names: Mapping[Path, str], clashes: Sequence[Conflict], keep: str | None
) -> dict[str, object]:
    event: dict[str, object] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": ["merge", *(str(part.path) for part in parts)],
        "merged": [str(part.path.resolve()) for part in parts],
    }
    if clashes:
        listed = "; ".join(map(str, clashes[:_LISTED])) + ("; ..." if len(clashes) > _LISTED else "")
        event["notes"] = [
            f"{len(clashes)} run{'s' if len(clashes) > 1 else ''} had other numbers in another of the merged folders; "
            f"those of the {keep} folder count: {listed}."
        ]
    return event


def _told(
    parts: Sequence[StudyFolder],
    names: Mapping[Path, str],
    records: Mapping[Path, StudyRecord],
    chosen: Mapping[PlannedRun, StudyFolder],
    clashes: Sequence[Conflict],
    keep: str | None,
) -> list[str]:
    every = {run for part in parts for run in records[part.path].runs}
    lines = [f"{len(every)} runs of {len(parts)} folders, {len(every) - len(chosen)} of them still to be trained:"]
    for part in parts:
        own = records[part.path].runs
        taken = sum(source is part for source in chosen.values())
        lines.append(f"  {names[part.path]}: {len(own)} runs, {taken} taken from here")
    lines += [f"  conflict, {keep} kept: {clash}" for clash in clashes]
    return lines
