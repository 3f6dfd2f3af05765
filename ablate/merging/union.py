"""Parts of one study, carried out on several machines, become one study."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.errors import ConfigError, StoreError, suggestion
from ablate.formatting import listing, plural
from ablate.merging.studies import Studies, StudyPath, as_folder, copy_run, read_studies, same_folder
from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, StudyFolder
from ablate.store.records import StudyRecord
from ablate.store.snapshot import Snapshot
from ablate.sweep.identity import difference_lines
from ablate.sweep.study_record import extended_record

if TYPE_CHECKING:
    from ablate.analysis import Summary

KEEP = ("first", "last")
"""Whose numbers are kept where two folders disagree."""

_LISTED = 10
_RANK = {FINISHED: 2, FAILED: 1}


@dataclass(frozen=True)
class MergeResult:
    """A merged study.

    Args:
        folder: The folder with all runs.
        messages: What to report to the user, a line each.
    """

    folder: StudyFolder
    messages: tuple[str, ...]

    @property
    def summary(self) -> Summary:
        """The summary of the merged study, with effects and verdicts."""
        from ablate.report import summary_of

        return summary_of(self.folder)


def merge(paths: Sequence[StudyPath], into: StudyPath, keep: str | None = None) -> MergeResult:
    """Merge the runs of several folders, each run once; the study's own command goes on in the merged folder.

    A run is the same wherever its configuration is. Of a run that is in several folders, a finished one is taken before
    a failed one, and equal numbers count once. The folders are read and not changed.

    Args:
        paths: Folders with parts of one study.
        into: The folder of the merged study, such as ``outputs/residual``; it may hold a part already.
        keep: Whose numbers count where finished runs disagree: ``first`` or ``last`` of the folders; None refuses.

    Raises:
        ConfigError: If ``keep`` is none of these.
        StoreError: If the folders hold different studies (with the difference key by key), runs disagree and ``keep``
            does not say whose count, or a run is still at work.
    """
    if keep not in (None, *KEEP):
        raise ConfigError(f"keep={keep}: allowed are {', '.join(KEEP)}.{suggestion(str(keep), KEEP)}")
    return merge_studies(read_studies(map(as_folder, paths)), as_folder(into), keep)


def merge_studies(studies: Studies, into: StudyFolder, keep: str | None = None) -> MergeResult:
    """Merge studies that have been read; see :func:`merge`."""
    sources = [*studies.values()]
    if into.plan.is_file() and not same_folder(into, [study.folder for study in sources]):
        studies = read_studies([into], known=sources)
    paths = " ".join(str(study.folder.path) for study in studies.values())
    if faults := question_differences(studies):
        lines = "\n".join(f"  {line}" for line in faults)
        raise StoreError(f"These folders hold different studies:\n{lines}\nCompare them with: ablate report {paths}")
    clashes = conflicts(studies)
    if clashes and keep is None:
        lines = listing(clashes, _LISTED, separator="\n  ")
        raise StoreError(
            f"{plural(len(clashes), 'run has', 'runs have')} other numbers in two of the folders:\n  {lines}\n"
            f"Say whose count with --keep first or --keep last, or compare the folders with: ablate report {paths}"
        )
    _refuse_two_runs_of_a_seed(studies)
    chosen = _choose_sources(studies, keep)
    into.check_folders(chosen)
    left_out: list[str] = []
    with into.lock():
        records = [study.record for study in studies.values()]
        into.write_record(merged_record(into, records, _event(studies, clashes, keep)))
        for run, study in chosen.items():
            if not same_folder(into, [study.folder]):
                left_out += copy_run(study.folder.run(run), into.run(run))
    messages = _messages(studies, chosen, clashes, keep)
    if left_out:
        messages.append(f"Not copied, since links may lead anywhere: {listing(left_out, _LISTED)}.")
    return MergeResult(into, tuple(messages))


def question_differences(studies: Studies) -> list[str]:
    """In what studies differ that must agree in parts of one study, a line each; empty if they agree."""
    (first_name, first), *others = studies.items()
    lines = []
    for name, study in others:
        faults = difference_lines(first.record.reference, study.record.reference)
        for key in ("metric", "direction", "margin", "sequential", "resplit", "paired", "whole_plots"):
            old, new = getattr(first.record.plan.study, key), getattr(study.record.plan.study, key)
            faults += [f"study.{key}: {old} -> {new}"] if old != new else []
        lines += [f"{first_name} -> {name}: {fault}" for fault in faults]
    return lines


def conflicts(studies: Studies) -> list[str]:
    """Runs that finished in several of the studies with other numbers, a line each; timings do not count."""
    frames = {name: study.runs.set_axis([run.id for run in study.record.runs]) for name, study in studies.items()}
    runs = pd.concat(frames).query("state == @FINISHED")
    numbers = [str(name) for name in runs.select_dtypes("number")]
    metrics = [name for name in numbers if name != "seed" and not name.startswith("seconds")]
    clashes = []
    for _, rows in runs.groupby(level=1, sort=False):
        # NaN in both is no conflict. The first metric that differs says enough.
        metric = next((name for name in metrics if rows[name].nunique(dropna=False) > 1), None)
        if metric is not None:
            values = ", ".join(f"{value:.6g} ({name})" for name, value in rows[metric].droplevel(1).items())
            clashes.append(f"{rows['cell'].iloc[0]}, seed {rows['seed'].iloc[0]}: {metric} {values}")
    return clashes


def _refuse_two_runs_of_a_seed(studies: Studies) -> None:
    ids: dict[tuple[str, int], str] = {}
    for study in studies.values():
        for run in study.record.runs:
            if ids.setdefault((run.cell, run.seed), run.id) != run.id:
                raise StoreError(
                    f"'{run.cell}' with seed {run.seed} has another configuration in '{study.folder.path}' than in the "
                    f"folders before it (run {run.id} instead of {ids[run.cell, run.seed]}): these are not parts of "
                    "one study."
                )


def _choose_sources(studies: Studies, keep: str | None) -> dict[PlannedRun, Snapshot]:
    """From which study each run is taken; runs that began in none are left to the study's command."""
    chosen: dict[PlannedRun, Snapshot] = {}
    ranks: dict[PlannedRun, float] = {}
    for study in studies.values():
        for run, status in study.statuses.items():
            if status.state == RUNNING:
                raise StoreError(f"{run.folder} in '{study.folder.path}' is still running. Merge when it has ended.")
            # A run whose files are damaged is taken where no other folder has it, so that its note goes with it.
            rank = 0.5 if status.is_damaged else _RANK.get(status.state, 0)
            if rank and (rank > ranks.get(run, 0) or (rank == ranks[run] and keep == "last")):
                chosen[run], ranks[run] = study, rank
    return chosen


def merged_record(into: StudyFolder, records: Sequence[StudyRecord], event: Mapping[str, Any]) -> StudyRecord:
    """The record of a study that consists of several.

    Args:
        into: Its folder.
        records: One or more records that agree in reference configuration, metric, direction and margin.
        event: What the history ends with.
    """
    seeds = tuple(sorted({seed for record in records for seed in record.plan.study.seeds}))
    merged: StudyRecord | None = None
    for record in records:
        plan = replace(record.plan, study=replace(record.plan.study, name=into.name, seeds=seeds))
        merged = extended_record(into, merged, plan, record.runs, record.reference, {})
    assert merged is not None  # noqa: S101 - read_studies refuses no study at all
    # Parts may share commands: each stands once, in the order of time.
    events = {repr(past): past for record in records for past in record.history}.values()
    history = (*sorted(events, key=lambda past: str(past.get("time", ""))), event)
    checks = {name: check for record in reversed(records) for name, check in record.checks.items()}
    return replace(merged, history=history, checks=checks)


def _event(studies: Studies, clashes: Sequence[str], keep: str | None) -> dict[str, Any]:
    paths = [study.folder.path for study in studies.values()]
    event: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": ["merge", *map(str, paths)],
        "merged": [str(path.resolve()) for path in paths],
    }
    if clashes:
        event["notes"] = [
            f"{plural(len(clashes), 'run')} had other numbers in another of the merged folders; those of the {keep} "
            f"folder count: {listing(clashes, _LISTED, '; ')}."
        ]
    return event


def _messages(
    studies: Studies, chosen: Mapping[PlannedRun, Snapshot], clashes: Sequence[str], keep: str | None
) -> list[str]:
    runs = {run for study in studies.values() for run in study.record.runs}
    lines = [f"{len(runs)} runs of {len(studies)} folders, {len(runs) - len(chosen)} of them still to be trained:"]
    for name, study in studies.items():
        taken = sum(source is study for source in chosen.values())
        lines.append(f"  {name}: {len(study.record.runs)} runs, {taken} taken from here")
        damaged = [f"{run.folder}: {status.error}" for run, status in study.statuses.items() if status.is_damaged]
        lines += [f"    cannot be read: {text}" for text in damaged]
    return [*lines, *(f"  conflict, {keep} kept: {clash}" for clash in clashes)]
