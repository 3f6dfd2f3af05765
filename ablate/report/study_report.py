"""Everything that a report on one study needs, read or computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

from ablate.analysis import Conduct, SequentialRule, Summary, checklist, conduct_of, summarise
from ablate.report.cache import cache_key, load_summary, save_summary
from ablate.report.provenance import provenance_notes
from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, StudyFolder
from ablate.store.snapshot import Snapshot, read_snapshot
from ablate.tables import Table, effects_table, html, study_tables


class NotebookSummary(Summary):
    """A summary that a notebook shows as the table of effects with its notes."""

    def __repr__(self) -> str:
        finished = int((self.runs["state"] == FINISHED).sum())
        return f"<study {self.study.name}: {len(self.plan.cells)} cells, {finished} of {len(self.runs)} runs finished>"

    def _repr_html_(self) -> str:
        return html(effects_table(self))


@dataclass(frozen=True, eq=False)
class StudyReport:
    """A study with everything that tables, figures and page need.

    Args:
        snapshot: The study as it is on disk.
        summary: The analysis of the snapshot.
        key: The digest of everything that the report depends on, see :func:`ablate.report.cache.cache_key`.
    """

    snapshot: Snapshot
    summary: Summary
    key: str = ""

    @cached_property
    def runs(self) -> Mapping[tuple[str, int], PlannedRun]:
        """The planned runs by cell label and seed."""
        labels = self.snapshot.labels
        return {(labels[run.cell], run.seed): run for run in self.snapshot.record.runs}

    @cached_property
    def errors(self) -> Mapping[tuple[str, int], str]:
        """The errors of failed runs by cell label and seed."""
        statuses = self.snapshot.statuses
        return {key: statuses[run].error for key, run in self.runs.items() if statuses[run].state == FAILED}

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The tables that answer the question of the design, by name; see :func:`ablate.tables.study_tables`."""
        return study_tables(self.summary)

    @cached_property
    def checklist(self) -> Mapping[str, str]:
        """What a paper must disclose, by item; see :func:`ablate.analysis.checklist`."""
        return checklist(self.summary, self.snapshot.record.report.get("statements"), self.conduct)

    @cached_property
    def conduct(self) -> Conduct:
        """How the study came about, from the recorded events."""
        return conduct_of(self.snapshot.record.history)

    @property
    def is_running(self) -> bool:
        """Whether a live process works on a run."""
        return any(status.state == RUNNING for status in self.snapshot.statuses.values())


def read_report(study: StudyFolder) -> StudyReport:
    """Read and summarise a study as it is on disk now, be it running, finished or partly failed.

    A cached summary is used where no input has changed.

    Args:
        study: The study's folder.

    Raises:
        StoreError: If there is no study in the folder.
        AnalysisError: If its runs do not have the study's metric.
    """
    snapshot = read_snapshot(study)
    key = cache_key(snapshot)
    values = load_summary(snapshot, key)
    if values is not None:
        return StudyReport(snapshot, NotebookSummary(**values), key)
    plan = snapshot.record.plan
    rule = SequentialRule(len(plan.study.seeds)) if plan.study.sequential else None
    computed = summarise(plan, snapshot.runs, snapshot.curves, rule, conduct_of(snapshot.record.history).looks)
    values = {item.name: getattr(computed, item.name) for item in fields(computed)}
    values |= {"notes": (*computed.notes, *provenance_notes(snapshot)), "costs": snapshot.costs}
    values |= {"read_confusions": lambda: snapshot.confusions}
    summary = NotebookSummary(**values)
    save_summary(snapshot, key, summary)
    return StudyReport(snapshot, summary, key)
