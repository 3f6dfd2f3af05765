"""The specification of a table: raw values and what they are, before any number becomes a string."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ablate.analysis import Summary
from ablate.tables.cells import Column, Value
from ablate.tables.html import html


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: Its columns.
        rows: Its rows, each a tuple of one value a column.
        caption: What the numbers are: estimand, n, interval, test.
        label: An identifier for references to it.
        notes: What a reader must know besides, a sentence each.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    caption: str
    label: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = [index for index, row in enumerate(self.rows) if len(row) != len(self.columns)]
        if wrong:
            raise ValueError(f"Rows {wrong} do not have {len(self.columns)} values, one a column.")

    def _repr_html_(self) -> str:
        return html(self)

    @property
    def for_files(self) -> Table:
        """The table without the columns that are for the screen alone."""
        return self.select(lambda column: not column.screen_only)

    def select(self, is_selected: Callable[[Column], bool]) -> Table:
        """The table with the columns for which ``is_selected`` holds."""
        indices = [index for index, column in enumerate(self.columns) if is_selected(column)]
        return replace(
            self,
            columns=tuple(self.columns[index] for index in indices),
            rows=tuple(tuple(row[index] for index in indices) for row in self.rows),
        )


@dataclass(frozen=True)
class TableKind:
    """A table that studies may have.

    Args:
        name: Its name, which is that of its files.
        title: Its heading, such as ``"Shapley values"``.
        build: From a summary to the table; None for a study that has nothing to put into it.
    """

    name: str
    title: str
    build: Callable[[Summary], Table | None]


def table_of(
    summary: Summary,
    name: str,
    columns: Iterable[tuple[Column, Iterable[Value]]],
    caption: str,
    notes: Sequence[str] = (),
) -> Table:
    """A table of a study, column by column.

    Args:
        summary: The summary of the study.
        name: The name of the table; empty for the main one.
        columns: The columns, each with one value a row.
        caption: What the numbers are.
        notes: What a reader must know besides, a sentence each.
    """
    heads, values = zip(*columns, strict=True)
    rows = tuple(zip(*values, strict=True))
    return Table(heads, rows, caption, table_label(summary.study.name, name), tuple(notes))


def table_label(study: str, table: str = "") -> str:
    """An identifier for references to a table.

    Example:
        >>> table_label("a/b c"), table_label("demo", "main_effects")
        ('tab:ablate-a-b-c-0af99a60', 'tab:ablate-demo-main-effects')
    """
    return "-".join(["tab:ablate", study_key(study), *([slug(table)] if slug(table) else [])])


def study_key(name: str) -> str:
    """A study's name as LaTeX and BibTeX take it in a key: itself, or with a hash where it had to be changed.

    Example:
        >>> study_key("own_training"), study_key("a/b_c")
        ('own_training', 'a-b-c-ab14be70')
    """
    if re.fullmatch(r"[A-Za-z0-9._-]+", name):
        return name
    return f"{slug(name) or 'study'}-{hashlib.sha256(name.encode(errors='backslashreplace')).hexdigest()[:8]}"


def slug(name: str) -> str:
    """A name as part of an identifier.

    Example:
        >>> slug("a/b_c")
        'a-b-c'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
