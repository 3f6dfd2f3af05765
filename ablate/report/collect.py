"""Collecting a study: from its run folders to data, tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ablate.store import StudyFolder, write_text

if TYPE_CHECKING:
    from ablate.analysis import Summary

__all__ = ["collect"]


def collect(study: StudyFolder) -> Summary:
    """Write ``runs.csv``, ``curves.csv``, ``effects.csv``, the tables and the figures of a study.

    It can be called at any time, also while runs are going on or after some have failed.

    Args:
        study: The study's folder.

    Returns:
        What the tables and figures show.

    Raises:
        StoreError: If there is no study in the folder.
        AnalysisError: If its runs do not have the study's metric.
    """
    from ablate.analysis import summarise
    from ablate.figures import write_figures
    from ablate.tables import write_tables

    runs, curves = study.runs(), study.curves()
    for name, frame in (("runs", runs), ("curves", curves)):
        write_text(study.path / f"{name}.csv", frame.to_csv(index=False))
    summary = summarise(study.existing_record().plan, runs, curves)
    write_text(study.path / "effects.csv", summary.effects.to_csv(index=False))
    write_tables(summary, study.tables)
    write_figures(summary, study.figures)
    return summary
