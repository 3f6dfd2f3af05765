"""The table files of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ablate.analysis import Summary, anova, rank_cells
from ablate.errors import AnalysisError
from ablate.store.atomic import write_text
from ablate.tables.anova import anova_table, least_squares_table
from ablate.tables.answers import TITLES, answer_tables, refusals
from ablate.tables.comma import csv
from ablate.tables.costs import costs_table
from ablate.tables.datasets import datasets_table
from ablate.tables.effects import effects_table
from ablate.tables.html import html
from ablate.tables.latex import latex, preamble
from ablate.tables.macros import macros
from ablate.tables.markdown import markdown
from ablate.tables.prose import refusal_markdown, sentences_markdown
from ablate.tables.ranks import ranks_table
from ablate.tables.references import references
from ablate.tables.robustness import robustness_table
from ablate.tables.runs import failures_table, runs_table
from ablate.tables.table import Table

__all__ = ["FORMS", "study_tables", "write_tables"]

_MOST_RUNS = 300

FORMS: Mapping[str, Callable[[Table], str]] = {"md": markdown, "csv": csv, "tex": latex, "html": html}
"""The renderers of tables by the ending of their files."""


def study_tables(summary: Summary) -> dict[str, Table]:
    """Every table of a study by name: its effects, and what its design answers beside them.

    Args:
        summary: The summary of the study.
    """
    return dict(_tables(summary))


def _tables(summary: Summary) -> Iterator[tuple[str, Table]]:
    yield "effects", effects_table(summary)
    by_dataset = datasets_table(summary)
    if by_dataset is not None:
        yield "by_dataset", by_dataset
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
    if not summary.costs.empty:
        yield "costs", costs_table(summary)


def write_tables(
    summary: Summary,
    folder: Path,
    errors: Mapping[tuple[str, int], str] | None = None,
    tables: Mapping[str, Table] | None = None,
) -> list[Path]:
    """Write every table, the sentences, and what a paper needs besides.

    The tables of :func:`study_tables`, ``runs``, and ``failures`` where there are any, each as Markdown, CSV, HTML and
    LaTeX, and for a page of two columns as LaTeX across both (``effects_wide.tex``); of more than 300 runs only the CSV
    file has all. ``preamble.tex``, which those need; ``numbers.tex`` with every number as a macro; ``references.bib``.
    A question that one asks of such a design and that it cannot answer has a Markdown file that says why. No file but
    that of costs holds timings: the same runs give the same bytes.

    Args:
        summary: The summary of the study.
        folder: Where to write; made if need be.
        errors: What went wrong in failed runs, by cell label and seed.
        tables: What :func:`study_tables` returned, where somebody has asked already.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    failures = failures_table(summary, errors)
    whole = dict(study_tables(summary) if tables is None else tables) | ({"failures": failures} if failures else {})
    texts: dict[str, str] = {}
    for name, table in (whole | {"runs": runs_table(summary, _MOST_RUNS)}).items():
        shown = table.for_files
        texts |= {f"{name}.{form}": render(shown) for form, render in FORMS.items()}
        texts[f"{name}_wide.tex"] = latex(shown, "table*")
    texts["runs.csv"] = csv(runs_table(summary).for_files)
    for question, why in refusals(summary).items():
        texts[f"{question}.md"] = refusal_markdown(TITLES[question], why)
    if summary.sentences:
        texts["sentences.md"] = sentences_markdown(summary)
    texts |= {"preamble.tex": preamble(), "numbers.tex": macros(summary), "references.bib": references(summary)}
    for name, text in texts.items():
        write_text(folder / name, text)
    # What an earlier look wrote of failures that have been repaired.
    for path in folder.glob("failures*") if failures is None else ():
        path.unlink()
    return [folder / name for name in texts]
