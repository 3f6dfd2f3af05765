"""Tables in Markdown (GitHub's dialect)."""

from __future__ import annotations

import re

from ablate.tables.cells import is_bold, plain
from ablate.tables.table import Column, Row, Table

__all__ = ["escape_markdown", "markdown"]

_RULES = {"text": ":---", "level": ":---:"}


def escape_markdown(text: str) -> str:
    r"""A text that Markdown shows as it is.

    Example:
        >>> print(escape_markdown("a|b *c* _d_ batch_norm"))
        a\|b \*c\* \_d\_ batch_norm
    """
    one_line = " ".join(text.split())
    marked = re.sub(r"([\\|*`<>\[\]$~&#])", r"\\\1", one_line)
    # An underscore within a word is plain in Markdown, and names of factors are full of them.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", marked)


def markdown(table: Table) -> str:
    """The table in Markdown with its caption and notes below it, ending in a newline."""
    lines = [
        _line([escape_markdown(column.header) for column in table.columns]),
        _line([_RULES.get(column.kind, "---:") for column in table.columns]),
        *(_line([_cell(column, row, index) for index, column in enumerate(table.columns)]) for row in table.rows),
        "",
        escape_markdown(table.caption),
    ]
    if table.notes:
        lines += ["", *(f"- {escape_markdown(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _cell(column: Column, row: Row, index: int) -> str:
    value = row.values[index]
    text = escape_markdown(plain(column, value))
    if column.kind == "difference":
        text = text.replace("\\[", "[").replace("\\]", "]")  # no link can follow: nothing else is in the cell
    return f"**{text}**" if is_bold(column, row, index) else text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
