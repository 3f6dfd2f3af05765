"""Collecting a study: from its run folders to data, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.errors import StoreError
from ablate.store import StudyFolder, write_text
from ablate.store.study_folder import StudyRecord

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
    from ablate.report.remembered import fingerprint

    record = study.existing_record()
    return _summary(study, record, fingerprint(study, record))


def _summary(study: StudyFolder, record: StudyRecord, mark: str) -> Summary:
    from ablate.analysis import SequentialRule, summarise
    from ablate.report.marks import marks, without_curves
    from ablate.report.remembered import keep_summary, kept_summary
    from ablate.report.shown import shown

    if (kept := kept_summary(study, record, mark)) is not None:
        return kept
    runs = study.runs()
    rule = SequentialRule(len(record.plan.study.seeds)) if record.plan.study.sequential else None
    curves = study.curves()
    found = summarise(record.plan, runs, curves, rule)
    lost = without_curves(study, record, curves)
    notes = (*found.notes, *marks(record, runs), *lost, *_confirmation(study))
    summary = shown(found, notes=notes, costs=study.costs())
    keep_summary(study, mark, summary)
    return summary


def _confirmation(study: StudyFolder) -> tuple[str, ...]:
    from ablate.report.marks import confirmed

    try:
        return confirmed(study.confirmation())
    except StoreError as error:
        return (str(error),)


def collect(
    study: StudyFolder,
    figures: Sequence[str] | None = None,
    width: str | None = None,
    drawn: dict[str, str] | None = None,
) -> Summary:
    """Write ``runs.csv``, ``curves.csv``, ``effects.csv``, tables, checklist, figures and the page of a study.

    Files that were made of the same runs by the same software, and are still there, are left as they are.

    Args:
        study: The study's folder.
        figures: Names of the figures, instead of those that the study chose.
        width: How wide the figures are, instead of what the study chose.
        drawn: What this process has drawn of the study before; see :func:`ablate.figures.write_figures`.

    Returns:
        What the tables and figures show; see :func:`summary_of`.
    """
    from ablate.report.remembered import fingerprint, keep_files, kept_files

    record = study.existing_record()
    mark = fingerprint(study, record)
    summary = _summary(study, record, mark)
    choice = {**record.report, **({"figures": list(figures)} if figures else {}), **({"width": width} if width else {})}
    whole = f"{mark} {json.dumps(choice, sort_keys=True)}"
    if not kept_files(study, whole):
        _write(study, record, summary, choice, drawn)
        keep_files(study, whole)
    return summary


def _write(
    study: StudyFolder,
    record: StudyRecord,
    summary: Summary,
    choice: Mapping[str, Any],
    drawn: dict[str, str] | None,
) -> None:
    from ablate.analysis import checklist
    from ablate.figures import write_figures
    from ablate.figures.registry import DEFAULT_WIDTH
    from ablate.report.page import write_page
    from ablate.report.part import part_of
    from ablate.store.curves import write_curves
    from ablate.tables import checklist_markdown, write_tables

    for name, frame in (("runs", summary.runs), ("effects", summary.effects)):
        write_text(study.path / f"{name}.csv", frame.to_csv(index=False))
    part = part_of(study, summary)
    write_curves(study, record, summary.curves)
    write_tables(summary, study.tables, part.errors, part.tables)
    write_text(study.checklist, checklist_markdown(checklist(summary, record.report.get("statements"))))
    write_figures(summary, study.figures, choice.get("figures"), choice.get("width") or DEFAULT_WIDTH, drawn)
    write_page(study.page, [part], live=part.is_running)
