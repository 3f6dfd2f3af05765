"""Tables in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from ablate.tables.cells import Column, Row, Value, cell_text, is_bold, is_missing, number_of

if TYPE_CHECKING:
    # A table shows itself in notebooks, so its module needs this one.
    from ablate.tables.table import Table

Link = tuple[str, str]
"""A text and the address that it leads to."""

_LEVELS = {True: "yes", False: "no"}


def html(table: Table, links: Sequence[Sequence[Link]] = ()) -> str:
    """The table in HTML: caption, heads with their scope, and behind the table its notes as a list.

    Numbers are rounded like everywhere; the attribute ``data-value`` of a cell has the exact number, by which a script
    can sort, and ``data-word`` its text, by which a style can colour verdicts and states.

    Args:
        table: The table.
        links: For each row the links of a last column; none for a table without such a column.

    Returns:
        A ``table`` element, and a ``ul`` element where there are notes; everything in it is escaped.

    Raises:
        ValueError: If there are links, but not for each row.
    """
    if links and len(links) != len(table.rows):
        raise ValueError(f"{len(table.rows)} rows need as many lists of links, not {len(links)}.")
    heads = [
        Markup('<th scope="col" class="{}">{}</th>').format(column.kind, column.header) for column in table.columns
    ]
    if links:
        heads.append(Markup('<th scope="col" class="links">files</th>'))
    lines = [
        Markup('<table id="{}">').format(table.label.replace(":", "-")),
        Markup("<caption>{}</caption>").format(table.caption),
        Markup("<thead><tr>{}</tr></thead>").format(Markup("").join(heads)),
        Markup("<tbody>"),
        *(_row(table, row, links[index] if links else None) for index, row in enumerate(table.rows)),
        Markup("</tbody></table>"),
    ]
    if table.notes:
        notes = Markup("").join(Markup("<li>{}</li>").format(note) for note in table.notes)
        lines.append(Markup('<ul class="notes">{}</ul>').format(notes))
    return str(Markup("\n").join(lines)) + "\n"


def _row(table: Table, row: Row, links: Sequence[Link] | None) -> Markup:
    cells = [_cell(column, row, index) for index, column in enumerate(table.columns)]
    if links is not None:
        anchors = Markup(" ").join(Markup('<a href="{}">{}</a>').format(address, text) for text, address in links)
        cells.append(Markup('<td class="links">{}</td>').format(anchors))
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _cell(column: Column, row: Row, index: int) -> Markup:
    value = row.values[index]
    text = escape(cell_text(column, value))
    if isinstance(value, bool):
        text = Markup('<span role="img" aria-label="{}">{}</span>').format(_LEVELS[value], text)
    if is_bold(column, row, index):
        text = Markup("<strong>{}</strong>").format(text)
    if column.is_name:
        return Markup('<th scope="row" class="{}">{}</th>').format(column.kind, text)
    return Markup('<td class="{}"{}>{}</td>').format(column.kind, _data(value), text)


def _data(value: Value) -> Markup:
    if is_missing(value):
        return Markup("")
    if isinstance(value, str):
        return Markup(' data-word="{}"').format(value)
    return Markup(' data-value="{}"').format(repr(float(number_of(value) or 0)))
