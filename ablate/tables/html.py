"""Tables in HTML."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from ablate.tables.cells import is_bold, is_missing, plain
from ablate.tables.table import Beside, Column, Estimate, Row, Table, Value

__all__ = ["Link", "html"]

Link = tuple[str, str]
"""A word and the address that it leads to."""

_LEVELS = {True: "yes", False: "no"}


def html(table: Table, links: Sequence[Sequence[Link]] = ()) -> str:
    """The table in HTML: caption, heads with their scope, and behind the table its notes as a list.

    Numbers are written like everywhere; beside them stands, as ``data-value``, the number itself, by which a script can
    sort. Words of a column are its cells' ``data-word``, by which a style can colour verdicts and states.

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
        words = Markup(" ").join(Markup('<a href="{}">{}</a>').format(address, word) for word, address in links)
        cells.append(Markup('<td class="links">{}</td>').format(words))
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _cell(column: Column, row: Row, index: int) -> Markup:
    value = row.values[index]
    text = escape(plain(column, value))
    if isinstance(value, bool):
        text = Markup('<span role="img" aria-label="{}">{}</span>').format(_LEVELS[value], text)
    if is_bold(column, row, index):
        text = Markup("<strong>{}</strong>").format(text)
    if column.is_name:
        return Markup('<th scope="row" class="{}">{}</th>').format(column.kind, text)
    return Markup('<td class="{}"{}>{}</td>').format(column.kind, _raw(value), text)


def _raw(value: Value) -> Markup:
    if is_missing(value):
        return Markup("")
    if isinstance(value, str):
        return Markup(' data-word="{}"').format(value)
    number = value.value if isinstance(value, Estimate | Beside) else value
    return Markup(' data-value="{}"').format(repr(float(number or 0)))
