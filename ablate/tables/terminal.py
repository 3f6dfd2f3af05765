"""Tables on the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ablate.analysis.verdicts import BELOW
from ablate.characters import printable
from ablate.tables.cells import Column, Value, cell_text, is_bold
from ablate.tables.table import Table

_STYLES = {
    **{"helps": "green", "better": "green", "hurts": "red", "worse": "red"},
    **dict.fromkeys(("no effect", "no difference", "dispensable", "not worse"), "cyan"),
    **{f"{word}{BELOW}": "cyan" for word in ("helps", "better", "hurts", "worse")},
    "undecided": "dim",
}
_JUSTIFY: dict[str, Literal["left", "center"]] = {"text": "left", "level": "center"}
_NARROWEST_TEXT = 8


def terminal(table: Table, width: int | None = None) -> RichTable:
    """The table for a terminal.

    Args:
        table: The table.
        width: Columns of the terminal. Where the whole table does not fit, first the columns of levels go (the names
            of the cells say the same), then differences are written with ± like means, and what the caption
            says anyway goes. None keeps everything.

    Returns:
        What ``rich.console.Console.print`` prints.
    """
    result = _rich(table)
    if width is None or _width(result) <= width:
        return result
    if any(column.is_name for column in table.columns):
        table = table.select(lambda column: column.kind != "level")
    result = _rich(table)
    return result if _width(result) <= width else _rich(_narrow(table))


def _narrow(table: Table) -> Table:
    constant = {
        column
        for index, column in enumerate(table.columns)
        if column.in_caption and len({row[index] for row in table.rows}) == 1
    }
    short = table.select(lambda column: column not in constant)
    columns = (replace(column, kind="change") if column.kind == "difference" else column for column in short.columns)
    return replace(short, columns=tuple(columns))


def _width(result: RichTable) -> int:
    return Console(width=10_000, force_terminal=False).measure(result).maximum


def _rich(table: Table) -> RichTable:
    # Text objects, not strings: rich would read markup such as [red] out of a hostile name.
    result = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.columns:
        result.add_column(
            Text(printable(column.header)),
            justify=_JUSTIFY.get(column.kind, "right"),
            # Where space is short only the names of the cells may wrap, and nothing may be cut off.
            no_wrap=not column.is_name,
            overflow="fold",
            min_width=_NARROWEST_TEXT if column.is_name else None,
        )
    for row in table.rows:
        pairs = zip(table.columns, row, strict=True)
        result.add_row(*(Text(cell_text(column, value), style=_style(column, value)) for column, value in pairs))
    return result


def _style(column: Column, value: Value) -> str:
    if column.header == "verdict" and isinstance(value, str):
        return _STYLES.get(value.partition(",")[0], "")
    return "bold" if is_bold(value) else ""
