"""Notes on what a reader must know about the origin of results: damaged files, late seeds, mixed versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ablate.errors import StoreError
from ablate.formatting import listing
from ablate.store import FAILED, FINISHED, PlannedRun
from ablate.store.fingerprints import mixed_names, thing_of, versions

if TYPE_CHECKING:
    import pandas as pd

    from ablate.store.snapshot import Snapshot

_LISTED = 8  # runs that a note names
_MOST_NOTES = 8  # on how files of runs were read
_LONGEST_NOTE = 500  # characters

VERSIONS = ("python", "backend", "tensorflow", "keras", "torch", "jax", "scikit-learn", "numpy", "code")
"""The columns of ``Snapshot.runs`` that hold versions, in the order in which they are shown."""


def provenance_notes(snapshot: Snapshot) -> tuple[str, ...]:
    """The notes of a study, a sentence or two each, that stand under its tables.

    Args:
        snapshot: The study.
    """
    history = snapshot.record.history
    return (
        *(note for event in history for note in event.get("notes", ())),
        *snapshot.record.direction_notes,
        *_unreadable(snapshot),
        *late_seeds(history),
        *_mixed_fingerprints(snapshot),
        *mixed_versions(snapshot.runs),
        *_curves(snapshot),
        *_run_notes(snapshot),
        *_costs(snapshot),
        *_links(snapshot),
        *_unplanned(snapshot),
        *_confirmation(snapshot),
    )


def _unreadable(snapshot: Snapshot) -> Iterator[str]:
    damaged = {run: status for run, status in snapshot.statuses.items() if status.is_damaged}
    if failed := [run for run, status in damaged.items() if status.state == FAILED]:
        yield (
            f"The result of {_listing(snapshot, failed)} cannot be read and counts as failed: "
            f"{damaged[failed[0]].error} With retry_failed=true the study's command trains it again."
        )
    if waiting := [run for run, status in damaged.items() if status.state != FAILED]:
        yield (
            f"The status of {_listing(snapshot, waiting)} cannot be read, so it counts as waiting, whatever else its "
            f"folder holds, and the study's command trains it again: {damaged[waiting[0]].error}"
        )


def _unplanned(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.unplanned:
        yield f"Not in plan.json, and so not counted: {listing(snapshot.unplanned, _LISTED)}."


def _links(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.links:
        yield f"Links in the study's folder are not followed: {listing(snapshot.links, _LISTED)}."


def _listing(snapshot: Snapshot, runs: Iterable[PlannedRun], separator: str = "; ") -> str:
    seed = " seed" if separator == ", " else ", seed"
    return listing((f"{snapshot.labels[run.cell]}{seed} {run.seed}" for run in runs), _LISTED, separator)


def late_seeds(history: Iterable[Mapping[str, Any]]) -> list[str]:
    """A note if seeds were added when runs of earlier seeds had finished; otherwise nothing.

    Args:
        history: The commands that made or enlarged the study, see :class:`ablate.store.StudyRecord`.
    """
    declared: set[int] = set()
    late: list[int] = []
    for event in history:
        seeds = [seed for seed in event.get("seeds", ()) if seed not in declared]
        if declared and event.get("finished", 0):
            late += seeds
        declared.update(seeds)
    if not late:
        return []
    return [
        f"Seeds {', '.join(map(str, late))} were added after results had been seen: p values and intervals no longer "
        "have their nominal error rates."
    ]


def mixed_versions(runs: pd.DataFrame) -> list[str]:
    """A note if finished runs used different versions of a library or of the code; otherwise nothing.

    Args:
        runs: The runs of a study, see :attr:`ablate.store.snapshot.Snapshot.runs`.
    """
    mixed = []
    finished = runs[runs["state"] == FINISHED]
    for name in VERSIONS:
        if name in finished and len(versions := sorted(finished[name].dropna().unique())) > 1:
            library = "Keras back end" if name == "backend" else name
            mixed.append(f"{library} {' and '.join(map(str, versions))}")
    return [f"Runs of mixed versions are compared here: {'; '.join(mixed)}."] if mixed else []


def _mixed_fingerprints(snapshot: Snapshot) -> Iterator[str]:
    """A note for each thing, such as the code or the data, of which runs were made with different versions."""
    fingerprints = snapshot.fingerprints
    labels = versions(fingerprints)
    by_thing: dict[str, list[str]] = {}
    for name in mixed_names(fingerprints):
        by_thing.setdefault(thing_of(name), []).append(name.partition("/")[2] or name)
    for thing, parts in by_thing.items():
        runs: dict[str, list[PlannedRun]] = {}
        for run, own in labels.items():
            if thing in own:
                runs.setdefault(own[thing], []).append(run)
        which = "; ".join(f"{label}: {_listing(snapshot, one, ', ')}" for label, one in runs.items())
        yield f"Runs made with different {thing} are compared here ({listing(parts, _LISTED)} changed). {which}."


def _curves(snapshot: Snapshot) -> Iterator[str]:
    for runs_by_text, what in (
        (_by_text(snapshot.missing_curves), "No curve of"),
        (_by_text(snapshot.changed_curves), "The curve of"),
    ):
        for text, runs in runs_by_text.items():
            yield f"{what} {_listing(snapshot, runs)}: {text}."


def _run_notes(snapshot: Snapshot) -> Iterator[str]:
    runs_by_note: dict[str, list[PlannedRun]] = {}
    for run, notes in snapshot.run_notes.items():
        for note in (text[:_LONGEST_NOTE] for text in notes):
            runs_by_note.setdefault(note, []).append(run)
    finished = sum(status.state == FINISHED for status in snapshot.statuses.values())
    most = list(runs_by_note.items())[:_MOST_NOTES]
    for note, runs in most:
        yield f"{'Every run' if len(runs) == finished else _listing(snapshot, runs)}: {note}."
    if len(runs_by_note) > len(most):
        yield f"{len(runs_by_note) - len(most)} more notes on files of runs are in their result.json."


def _by_text(texts: Mapping[PlannedRun, str]) -> Mapping[str, list[PlannedRun]]:
    runs: dict[str, list[PlannedRun]] = {}
    for run, text in texts.items():
        runs.setdefault(text, []).append(run)
    return runs


def _costs(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.costs_fault:
        yield f"{snapshot.costs_fault} The study's command measures them again."
    elif snapshot.record.report.get("costs") and not snapshot.folder.costs.exists() and _has_ended(snapshot):
        yield "What the networks cost is not known: there is no costs.json. The study's command writes it at its end."


def _has_ended(snapshot: Snapshot) -> bool:
    return all(status.state in (FINISHED, FAILED) for status in snapshot.statuses.values())


def _confirmation(snapshot: Snapshot) -> Iterator[str]:
    try:
        confirmation = snapshot.folder.confirmation()
    except StoreError as error:
        yield str(error)
        return
    if confirmation is None:
        if snapshot.folder.confirming.plan.is_file():
            yield (
                f"A confirmation is in '{snapshot.folder.confirming.path}', but there is no confirmation.json with its "
                f"result: 'ablate confirm {snapshot.folder.path}' writes it."
            )
    else:
        yield f"Confirmation on fresh seeds. {confirmation['text']}"
