"""Tables of a study: a specification of raw values, and renderers that make text of it."""

from ablate.tables.comma import csv
from ablate.tables.costs import costs_table
from ablate.tables.datasets import datasets_table
from ablate.tables.effects import effects_table
from ablate.tables.files import FORMS, study_tables, write_tables
from ablate.tables.html import html
from ablate.tables.latex import latex, preamble
from ablate.tables.macros import macros
from ablate.tables.markdown import markdown
from ablate.tables.prose import checklist_markdown
from ablate.tables.references import references
from ablate.tables.runs import failures_table, runs_table
from ablate.tables.table import Beside, Column, Estimate, Row, Table
from ablate.tables.terminal import terminal

__all__ = [
    "FORMS",
    "Beside",
    "Column",
    "Estimate",
    "Row",
    "Table",
    "checklist_markdown",
    "costs_table",
    "csv",
    "datasets_table",
    "effects_table",
    "failures_table",
    "html",
    "latex",
    "macros",
    "markdown",
    "preamble",
    "references",
    "runs_table",
    "study_tables",
    "terminal",
    "write_tables",
]
