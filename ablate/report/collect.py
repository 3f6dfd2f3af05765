"""Collecting a study: from its run folders to data, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
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


def collect(study: StudyFolder, figures: Sequence[str] | None = None, width: str | None = None) -> Summary:
    """Write ``runs.csv``, ``curves.csv``, ``effects.csv``, the tables, the checklist and the figures of a study.

    Args:
        study: The study's folder.
        figures: Names of the figures, instead of those that the study chose.
        width: How wide the figures are, instead of what the study chose.

    Returns:
        What the tables and figures show; see :func:`summary_of`.
    """
    from ablate.analysis import checklist
    from ablate.figures import write_figures
    from ablate.figures.paper import DEFAULT
    from ablate.tables import checklist_markdown, write_tables

    summary = summary_of(study)
    for name, frame in (("runs", summary.runs), ("curves", summary.curves), ("effects", summary.effects)):
        write_text(study.path / f"{name}.csv", frame.to_csv(index=False))
    write_tables(summary, study.tables)
    write_text(study.checklist, checklist_markdown(checklist(summary)))
    chosen = study.existing_record().report
    names = chosen.get("figures") if figures is None else figures
    write_figures(summary, study.figures, names, width or chosen.get("width") or DEFAULT)
    return summary
