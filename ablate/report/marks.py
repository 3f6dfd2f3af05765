"""What a reader must know about a study before trusting its numbers: how it grew, and with which versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablate.store.run_folder import UNREADABLE
from ablate.store.study_folder import StudyRecord

__all__ = ["confirmed", "marks"]

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
    lost = runs[runs["reason"] == UNREADABLE]
    if not len(lost):
        return []
    listed = "; ".join(f"{cell}, seed {seed}" for cell, seed in zip(lost["cell"], lost["seed"], strict=True))
    return [
        f"The result of {listed} is damaged (result.json in its folder) and counts as failed. Delete the folder, and "
        "the study's command trains it again."
    ]


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
