"""The table files of a study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ablate.analysis import Summary, anova, rank_cells
from ablate.errors import AnalysisError
from ablate.store.atomic import write_text
from ablate.tables.anova import anova_table, least_squares_table
from ablate.tables.answers import TITLES, answer_tables, refusals
from ablate.tables.comma import csv
from ablate.tables.effects import effects_table
from ablate.tables.latex import latex
from ablate.tables.markdown import markdown
from ablate.tables.prose import refusal_markdown, sentences_markdown
from ablate.tables.ranks import ranks_table
from ablate.tables.robustness import robustness_table
from ablate.tables.table import Table

__all__ = ["study_tables", "write_tables"]

_RENDERERS = {"md": markdown, "csv": csv, "tex": latex}


def study_tables(summary: Summary) -> dict[str, Table]:
    """Every table of a study by name: its effects, and what its design answers beside them.

    Args:
        summary: The summary of the study.
    """
    return dict(_tables(summary))


def _tables(summary: Summary) -> Iterator[tuple[str, Table]]:
    yield "effects", effects_table(summary)
    if summary.robustness["n"].gt(1).any() if len(summary.robustness) else False:
        yield "robustness", robustness_table(summary)
    yield from answer_tables(summary).items()
    try:
        found = anova(summary.plan, summary.values, summary.rule)
    except AnalysisError:
        pass  # no design for it
    else:
        yield "anova", anova_table(found, summary)
        if len(found.effects):
            yield "least_squares", least_squares_table(found, summary)
    try:
        yield "ranks", ranks_table(rank_cells(summary.plan, summary.values), summary)
    except AnalysisError:
        pass  # fewer than five data sets


def write_tables(summary: Summary, folder: Path) -> list[Path]:
    """Write every table as Markdown, CSV and LaTeX, and the sentences.

    A question that one asks of such a design and that it cannot answer has a Markdown file that says why. The files
    hold no timings: the same runs give the same bytes.

    Args:
        summary: The summary of the study.
        folder: Where to write; made if need be.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    texts = {
        f"{name}.{form}": render(table.for_files)
        for name, table in study_tables(summary).items()
        for form, render in _RENDERERS.items()
    }
    for question, why in refusals(summary).items():
        texts[f"{question}.md"] = refusal_markdown(TITLES[question], why)
    if summary.sentences:
        texts["sentences.md"] = sentences_markdown(summary)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
