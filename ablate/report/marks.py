"""What a reader must know about a study before trusting its numbers: how it grew, and with which versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablate.store.run_folder import FAILED, UNREADABLE, WAITING
from ablate.store.study_folder import StudyFolder, StudyRecord

__all__ = ["confirmed", "marks", "without_curves"]

_LISTED = 8

_VERSIONS = ("backend", "python", "tensorflow", "keras", "torch", "jax", "scikit-learn", "numpy", "code")


def marks(record: StudyRecord, runs: pd.DataFrame) -> tuple[str, ...]:
    """Sentences that belong under every table of a study.

    Args:
        record: The study.
        runs: Its runs, as the store reads them.
    """
    noted = [note for event in record.history for note in event.get("notes", ())]
    return (*noted, *_unreadable(runs), *_late_seeds(record.history), *_mixed_versions(runs))


def confirmed(confirmation: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What came of training the network without all that was found dispensable, as a note.

    Args:
        confirmation: What :meth:`ablate.store.StudyFolder.confirmation` gives.
    """
    return () if confirmation is None else (f"Confirmation on fresh seeds. {confirmation['text']}",)


def _unreadable(runs: pd.DataFrame) -> list[str]:
    damaged = runs[runs["reason"] == UNREADABLE]
    found = []
    if len(lost := damaged[damaged["state"] == FAILED]):
        found.append(
            f"The result of {_listing(lost)} is damaged (result.json in its folder) and counts as failed. Delete the "
            "folder, and the study's command trains it again."
        )
    if len(lost := damaged[damaged["state"] == WAITING]):
        found.append(
            f"The status of {_listing(lost)} is damaged (status.json in its folder), so it counts as waiting, whatever "
            "else its folder holds; the study's command trains it again."
        )
    return found


def _listing(runs: pd.DataFrame) -> str:
    names = [f"{cell}, seed {seed}" for cell, seed in zip(runs["cell"], runs["seed"], strict=True)]
    return "; ".join(names[:_LISTED]) + (f"; and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def without_curves(study: StudyFolder, record: StudyRecord, curves: pd.DataFrame) -> tuple[str, ...]:
    """Runs whose ``curves.csv`` holds something of which no curve can be made, as a note a reason.

    Args:
        study: The study's folder.
        record: What its plan says.
        curves: The curves of its runs, as the store reads them.
    """
    labels = {cell.name: cell.label for cell in record.plan.cells}
    drawn = set(curves[["cell", "seed"]].drop_duplicates().itertuples(index=False, name=None))
    found: dict[str, list[tuple[str, int]]] = {}
    for run in record.runs:
        if (labels[run.cell], run.seed) not in drawn and (why := study.run(run).curves_fault()):
            found.setdefault(why, []).append((labels[run.cell], run.seed))
    return tuple(
        f"No curve of {_listing(pd.DataFrame(runs, columns=['cell', 'seed']))}: curves.csv in its folder {why}."
        for why, runs in found.items()
    )


def _late_seeds(history: tuple[Mapping[str, Any], ...]) -> list[str]:
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


def _mixed_versions(runs: pd.DataFrame) -> list[str]:
    found = []
    finished = runs[runs["state"] == "finished"]
    for name in _VERSIONS:
        if name in finished and len(versions := sorted(finished[name].dropna().unique())) > 1:
            words = "Keras back end" if name == "backend" else name
            found.append(f"{words} {' and '.join(map(str, versions))}")
    return [f"Runs of mixed versions are compared here: {'; '.join(found)}."] if found else []
