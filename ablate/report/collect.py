"""Collecting a study: from its run folders to data, tables, figures and page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.characters import frame_csv
from ablate.store import StudyFolder, write_bytes, write_text

if TYPE_CHECKING:
    from ablate.analysis import Summary

# Every command loads this module, so what loads pandas is imported in the functions that need it.


def summary_of(study: StudyFolder) -> Summary:
    """Summarise a study as it is on disk now, be it running, finished or partly failed.

    Args:
        study: The study's folder.

    Raises:
        StoreError: If there is no study in the folder.
        AnalysisError: If its runs do not have the study's metric.
    """
    from ablate.report.study_report import read_report

    return read_report(study).summary


def collect(
    study: StudyFolder,
    figures: Sequence[str] | None = None,
    width: str | None = None,
    drawn: dict[str, str] | None = None,
) -> Summary:
    """Write ``runs.csv``, ``curves.csv``, ``effects.csv``, tables, checklist, figures and the page of a study.

    Nothing is written if the files are still there, unchanged, from the same runs, options and software.

    Args:
        study: The study's folder.
        figures: Names of the figures to draw, instead of those that the study names.
        width: The width of the figures, instead of the one that the study names.
        drawn: Digests of the figures that this process drew of the study before, by figure; they are left as they are
            if their data are the same. It is updated; see ``digests`` of :func:`ablate.figures.write_figures`.

    Returns:
        The summary that the tables and figures show; see :func:`ablate.report.summary_of`.

    Raises:
        StoreError: If there is no study in the folder, or a file cannot be written.
        AnalysisError: If its runs do not have the study's metric, or the name of a figure is unknown.
    """
    from ablate.report.cache import files_are_current, save_files
    from ablate.report.study_report import read_report

    study.check_folders()
    report = read_report(study)
    summary = report.summary
    options: dict[str, Any] = dict(report.snapshot.record.report)
    if figures:
        options["figures"] = list(figures)
    if width:
        options["width"] = width
    key = f"{report.key} {json.dumps(options, sort_keys=True)}"
    if files_are_current(study, key):
        return summary
    # Imported only now that something has to be written: matplotlib takes half a second.
    from ablate.figures import write_figures
    from ablate.figures.registry import DEFAULT_WIDTH
    from ablate.report.page import write_page
    from ablate.store.curves import curves_csv
    from ablate.tables import checklist_markdown, write_tables

    for name, frame in (("runs", summary.runs), ("effects", summary.effects)):
        write_text(study.path / f"{name}.csv", frame_csv(frame))
    write_bytes(study.path / "curves.csv", curves_csv(summary.curves))
    write_tables(summary, study.tables, report.errors, report.tables)
    write_text(study.path / "checklist.md", checklist_markdown(report.checklist))
    write_figures(summary, study.figures, options.get("figures"), options.get("width") or DEFAULT_WIDTH, drawn)
    write_page(study.page, [report], live=report.is_running)
    save_files(study, key)
    return summary
