"""Tables in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from ablate.characters import printable
from ablate.tables.cells import Column, Value, cell_text, is_bold, is_missing, number_of

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
    heads = [
        Markup('<th scope="col" class="{}">{}</th>').format(column.kind, printable(column.header))
        for column in table.columns
    ]
    rows = [[_cell(column, value) for column, value in zip(table.columns, row, strict=True)] for row in table.rows]
    if links:
        heads.append(Markup('<th scope="col" class="links">files</th>'))
        for cells, row_links in zip(rows, links, strict=True):
            cells.append(_links(row_links))
    lines = [
        Markup('<table id="{}">').format(table.label.replace(":", "-")),
        Markup("<caption>{}</caption>").format(printable(table.caption)),
        Markup("<thead><tr>{}</tr></thead>").format(Markup("").join(heads)),
        Markup("<tbody>"),
        *(Markup("<tr>{}</tr>").format(Markup("").join(cells)) for cells in rows),
        Markup("</tbody></table>"),
    ]
    if table.notes:
        notes = Markup("").join(Markup("<li>{}</li>").format(printable(note)) for note in table.notes)
        lines.append(Markup('<ul class="notes">{}</ul>').format(notes))
    return str(Markup("\n").join(lines)) + "\n"


def _links(links: Sequence[Link]) -> Markup:
    anchors = Markup(" ").join(Markup('<a href="{}">{}</a>').format(address, text) for text, address in links)
    return Markup('<td class="links">{}</td>').format(anchors)


def _cell(column: Column, value: Value) -> Markup:
    text = escape(cell_text(column, value))
    if isinstance(value, bool):
        text = Markup('<span role="img" aria-label="{}">{}</span>').format(_LEVELS[value], text)
    if is_bold(value):
        text = Markup("<strong>{}</strong>").format(text)
    if column.is_name:
        return Markup('<th scope="row" class="{}">{}</th>').format(column.kind, text)
    return Markup('<td class="{}"{}>{}</td>').format(column.kind, _data(value), text)


def _data(value: Value) -> Markup:
    if is_missing(value):
        return Markup("")
    if isinstance(value, str):
        return Markup(' data-word="{}"').format(printable(value))
    return Markup(' data-value="{}"').format(repr(float(number_of(value) or 0)))
