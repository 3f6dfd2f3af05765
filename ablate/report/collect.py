"""Collecting a study: from its run folders to data, tables and figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.store import StudyFolder, write_text

if TYPE_CHECKING:
    from ablate.analysis import Summary

__all__ = ["collect", "summary_of"]


def summary_of(study: StudyFolder) -> Summary:
    """What a study's folder says now, also in the middle of it or after failures.

    Args:
        study: The study's folder.

    Raises:
        StoreError: If there is no study in the folder.
        AnalysisError: If its runs do not have the study's metric.
    """
    from ablate.analysis import SequentialRule, summarise
    from ablate.report.marks import confirmed, marks

    record, runs = study.existing_record(), study.runs()
    rule = SequentialRule(len(record.plan.study.seeds)) if record.plan.study.sequential else None
    summary = summarise(record.plan, runs, study.curves(), rule)
    return replace(summary, notes=(*summary.notes, *marks(record, runs), *confirmed(study.confirmation())))


def collect(study: StudyFolder) -> Summary:
    """Write ``runs.csv``, ``curves.csv``, ``effects.csv``, tables, checklist, figures and the page of a study.

    Args:
        study: The study's folder.

    Returns:
        What the tables and figures show; see :func:`summary_of`.
    """
    from ablate.analysis import checklist
    from ablate.figures import write_figures
    from ablate.report.page import write_page
    from ablate.report.part import part_of
    from ablate.tables import checklist_markdown, write_tables

    summary = summary_of(study)
    for name, frame in (("runs", summary.runs), ("curves", summary.curves), ("effects", summary.effects)):
        write_text(study.path / f"{name}.csv", frame.to_csv(index=False))
    part = part_of(study, summary)
    write_tables(summary, study.tables, part.errors)
    write_text(study.checklist, checklist_markdown(checklist(summary)))
    write_figures(summary, study.figures)
    write_page(study.page, [part], live=part.is_running)
    return summary
