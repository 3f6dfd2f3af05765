"""Which tables there are, and the files of a study's. A further table is a function and one line of registration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ablate.analysis import Summary, expected
from ablate.objects import Registry
from ablate.store.atomic import write_text
from ablate.tables.anova import anova_table, least_squares_table, ranks_table
from ablate.tables.answers import INTERACTIONS, MAIN_EFFECTS, POOLED_EFFECTS, ROADMAP, SHAPLEY
from ablate.tables.effects import by_dataset_table, effects_table, robustness_table
from ablate.tables.html import html
from ablate.tables.latex import latex, preamble
from ablate.tables.macros import macros, references
from ablate.tables.runs import costs_table, failures_table, runs_table
from ablate.tables.table import Table, TableKind
from ablate.tables.text import csv, escape_markdown, markdown, sentences_markdown

_MOST_RUNS = 300

RENDERERS: Mapping[str, Callable[[Table], str]] = {"md": markdown, "csv": csv, "tex": latex, "html": html}
"""The renderers of tables by the ending of their files."""

TABLES: Registry[TableKind] = Registry("table")
"""The tables that studies may have, by name, in the order in which they are shown."""

register_table = TABLES.register

for _kind in (
    TableKind("effects", "Effects", effects_table),
    TableKind("by_dataset", "By data set", by_dataset_table),
    TableKind("robustness", "Robustness", robustness_table),
    ROADMAP,
    MAIN_EFFECTS,
    INTERACTIONS,
    SHAPLEY,
    POOLED_EFFECTS,
    TableKind("anova", "Analysis of variance", anova_table),
    TableKind("least_squares", "Least squares", least_squares_table),
    TableKind("ranks", "Ranks", ranks_table),
    TableKind("costs", "Costs", costs_table),
):
    register_table(_kind)


def study_tables(summary: Summary) -> dict[str, Table]:
    """Every table of a study by name: its effects, and what else its design answers.

    Args:
        summary: The summary of the study.
    """
    tables = {name: kind.build(summary) for name, kind in TABLES.items()}
    return {name: table for name, table in tables.items() if table is not None}


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
        tables: What :func:`study_tables` returned, where it has been called already.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    failures = failures_table(summary, errors)
    written = dict(study_tables(summary) if tables is None else tables) | ({"failures": failures} if failures else {})
    texts: dict[str, str] = {}
    for name, table in (written | {"runs": runs_table(summary, _MOST_RUNS)}).items():
        for_files = table.for_files
        texts |= {f"{name}.{form}": render(for_files) for form, render in RENDERERS.items()}
        texts[f"{name}_wide.tex"] = latex(for_files, "table*")
    texts["runs.csv"] = csv(runs_table(summary).for_files)
    expected_questions = expected(summary.plan)
    for question, reason in summary.answers.refused.items():
        if question in expected_questions:
            title = TABLES[question].title if question in TABLES else question
            texts[f"{question}.md"] = f"{title}: none. {escape_markdown(reason)}\n"
    if summary.sentences:
        texts["sentences.md"] = sentences_markdown(summary)
    texts |= {"preamble.tex": preamble(), "numbers.tex": macros(summary), "references.bib": references(summary)}
    for name, text in texts.items():
        write_text(folder / name, text)
    # What an earlier call wrote of failures that have been repaired since.
    for path in folder.glob("failures*") if failures is None else ():
        path.unlink()
    return [folder / name for name in texts]
