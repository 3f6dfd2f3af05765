"""Tables of a study: a specification of raw values, and renderers that make text of it."""

from ablate.tables.comma import csv
from ablate.tables.effects import effects_table
from ablate.tables.files import study_tables, write_tables
from ablate.tables.latex import latex, preamble
from ablate.tables.markdown import markdown
from ablate.tables.prose import checklist_markdown
from ablate.tables.table import Column, Estimate, Row, Table
from ablate.tables.terminal import terminal

__all__ = [
    "Column",
    "Estimate",
    "Row",
    "Table",
    "checklist_markdown",
    "csv",
    "effects_table",
    "latex",
    "markdown",
    "preamble",
    "study_tables",
    "terminal",
    "write_tables",
]
