"""Tables of a study: a specification of raw values, and renderers that make text of it."""

from ablate.tables.cells import Column, Estimate
from ablate.tables.effects import effects_table
from ablate.tables.html import html
from ablate.tables.latex import latex, preamble
from ablate.tables.macros import macros, references
from ablate.tables.registry import RENDERERS, TABLES, register_table, study_tables, write_tables
from ablate.tables.runs import costs_table, failures_table, runs_table
from ablate.tables.table import Table, TableKind, table_of
from ablate.tables.terminal import terminal
from ablate.tables.text import checklist_markdown, csv, markdown

__all__ = [
    "RENDERERS",
    "TABLES",
    "Column",
    "Estimate",
    "Table",
    "TableKind",
    "checklist_markdown",
    "costs_table",
    "csv",
    "effects_table",
    "failures_table",
    "html",
    "latex",
    "macros",
    "markdown",
    "preamble",
    "references",
    "register_table",
    "runs_table",
    "study_tables",
    "table_of",
    "terminal",
    "write_tables",
]
