"""Tables as Markdown and as CSV, and lists in Markdown."""

from __future__ import annotations

import csv as csv_format
import io
import math
import re
from collections.abc import Mapping

from ablate.analysis import Summary
from ablate.characters import csv_text, printable
from ablate.formatting import fixed, significant
from ablate.tables.cells import Column, Estimate, RelativeValue, Value, cell_text, estimate_places, is_bold, is_missing
from ablate.tables.table import Table

_RULES = {"text": ":---", "level": ":---:"}


def escape_markdown(text: str) -> str:
    r"""A text that Markdown shows as it is, control and invisible characters as escapes.

    Example:
        >>> print(escape_markdown("a|b *c* _d_ batch_norm"))
        a\|b \*c\* \_d\_ batch_norm
    """
    one_line = " ".join(printable(text).split())
    escaped = re.sub(r"([\\|*`<>\[\]$~&#])", r"\\\1", one_line)
    # An underscore within a word has no meaning in Markdown, and names of factors are full of them.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", escaped)


def markdown(table: Table) -> str:
    """The table in Markdown with its caption and notes below it, ending in a newline."""
    lines = [
        _line([escape_markdown(column.header) for column in table.columns]),
        _line([_RULES.get(column.kind, "---:") for column in table.columns]),
        *(_line(list(map(_cell, table.columns, row))) for row in table.rows),
        "",
        escape_markdown(table.caption),
    ]
    if table.notes:
        lines += ["", *(f"- {escape_markdown(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _cell(column: Column, value: Value) -> str:
    text = escape_markdown(cell_text(column, value))
    if column.kind == "difference":
        text = text.replace("\\[", "[").replace("\\]", "]")  # no link can follow: nothing else is in the cell
    return f"**{text}**" if is_bold(value) else text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def sentences_markdown(summary: Summary) -> str:
    """A sentence a cell, and the notes of the study."""
    lines = [f"- {escape_markdown(text)}" for text in summary.sentences.values()]
    if lines and summary.scope:
        lines = [f"Verdicts hold{summary.scope}:", "", *lines]
    if summary.notes:
        lines += ["", "Notes:", "", *(f"- {escape_markdown(note)}" for note in summary.notes)]
    return "\n".join(lines) + "\n"


def checklist_markdown(items: Mapping[str, str]) -> str:
    """What a report must disclose, an item a line.

    Example:
        >>> print(checklist_markdown({"margin": "0.01 in units of accuracy."}), end="")
        - **margin**: 0.01 in units of accuracy.
    """
    return "".join(f"- **{escape_markdown(name)}**: {escape_markdown(text)}\n" for name, text in items.items())


def csv(table: Table) -> str:
    """The table as CSV: numbers rounded like everywhere, but bare; caption and notes are left to the other formats.

    Texts that a spreadsheet would take for formulas have an apostrophe before them. An estimate takes one column a
    number: mean and half, or difference, low and high. What is missing is empty.
    """
    text = io.StringIO()
    writer = csv_format.writer(text, lineterminator="\n")
    writer.writerow([csv_text(header) for column in table.columns for header in _headers(column)])
    for row in table.rows:
        pairs = zip(table.columns, row, strict=True)
        writer.writerow([field for column, value in pairs for field in _fields(column, value)])
    return text.getvalue()


def _headers(column: Column) -> list[str]:
    if column.kind == "mean":
        return [column.header, "half"]
    if column.kind == "cost":
        return [column.header, f"{column.header} ratio"]
    return [column.header, "low", "high"] if column.kind == "difference" else [column.header]


def _fields(column: Column, value: Value) -> list[str]:
    if is_missing(value):
        return [""] * len(_headers(column))
    if isinstance(value, Estimate):
        # A mean's interval that a bound cut off is as long as it was on the other side.
        half = max(value.high - value.value, value.value - value.low) if column.kind == "mean" else math.nan
        numbers = [value.value, half] if column.kind == "mean" else [value.value, value.low, value.high]
        return ["" if math.isnan(number) else fixed(number, estimate_places(value)) for number in numbers]
    if isinstance(value, RelativeValue):
        is_count = value.value == round(value.value)
        number = str(round(value.value)) if is_count else significant(value.value, 6)
        return [number, "" if math.isnan(value.ratio) else significant(value.ratio, 4)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if column.kind in ("number", "ratio", "p") and isinstance(value, int | float):
        return [f"{value:.4g}"]
    if column.kind == "count" and isinstance(value, int | float):
        return [str(round(value))]
    return [csv_text(str(value))]
