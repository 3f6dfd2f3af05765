"""What the page shows of one study, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ablate.store import FAILED, RUNNING, PlannedRun, Status, StudyFolder
from ablate.store.run_folder import UNREADABLE
from ablate.store.study_folder import StudyRecord

if TYPE_CHECKING:
    from ablate.analysis import Summary
    from ablate.tables import Table

__all__ = ["Part", "part_of"]


@dataclass(frozen=True, eq=False)
class Part:
    """A study with all that a page needs to know of it.

    Args:
        folder: Its folder.
        record: What was planned.
        summary: What its runs say.
        statuses: Where each planned run stands.
    """

    folder: StudyFolder
    record: StudyRecord
    summary: Summary
    statuses: Mapping[PlannedRun, Status]

    @cached_property
    def runs(self) -> Mapping[tuple[str, int], PlannedRun]:
        """The planned runs by label of the cell and seed."""
        labels = {cell.name: cell.label for cell in self.record.plan.cells}
        return {(labels[run.cell], run.seed): run for run in self.record.runs}

    @cached_property
    def errors(self) -> Mapping[tuple[str, int], str]:
        """What went wrong in failed runs, by label of the cell and seed."""
        return {key: self.statuses[run].error for key, run in self.runs.items() if self.statuses[run].state == FAILED}

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """What the design answers, in tables by name; see :func:`ablate.tables.study_tables`."""
        from ablate.tables import study_tables

        return study_tables(self.summary)

    @property
    def is_running(self) -> bool:
        """Whether a live process works on a run."""
        return any(status.state == RUNNING for status in self.statuses.values())


def part_of(folder: StudyFolder, summary: Summary) -> Part:
    """Read the rest of a study.

    Args:
        folder: The study's folder.
        summary: Its summary, see :func:`ablate.report.summary_of`.
    """
    record = folder.existing_record()
    labels = {cell.name: cell.label for cell in record.plan.cells}
    runs = summary.runs
    lost = runs[(runs["state"] == FAILED) & (runs["reason"] == UNREADABLE)]
    damaged = set(zip(lost["cell"], lost["seed"], strict=True))
    statuses = {run: folder.run(run).settled_status() for run in record.runs}
    for run in record.runs:
        if (labels[run.cell], run.seed) in damaged:
            statuses[run] = replace(statuses[run], state=FAILED, reason=UNREADABLE, error="result.json is damaged.")
    return Part(folder, record, summary, statuses)
