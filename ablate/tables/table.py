"""The specification of a table: raw values and what they are, before any number becomes a string."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Beside", "Column", "Estimate", "Kind", "Row", "Table", "Value", "label_of", "slug"]

Kind = Literal["text", "level", "mean", "difference", "change", "number", "ratio", "p", "count", "seconds", "cost"]
"""What a column holds, and so how a renderer writes it.

``text``: words. ``level``: True and False as check mark and cross, None for a level without meaning, else its label.
``mean``: an :class:`Estimate` written with ± half its interval. ``difference``: one written with the ends of its
interval. ``change``: a difference written like a mean. ``number``: a number with four significant digits. ``ratio``:
one with two decimals. ``p``: a probability. ``count``: a whole number. ``seconds``: a duration. ``cost``: a
:class:`Beside`, a number and how many times that of the reference it is.
"""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; NaN where there is none.

    Args:
        value: The number.
        low: Lower end of its interval.
        high: Upper end of its interval.
        mark: What stands behind the number and the caption explains, such as a dagger.
        bold: Whether it is set in bold, whatever its row.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    mark: str = ""
    bold: bool = False

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Beside:
    """A number and its ratio to that of the reference; NaN where there is none."""

    value: float
    ratio: float = math.nan


Value = str | bool | int | float | Estimate | Beside | None
"""A raw value; None and NaN are shown as a dash."""


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        header: Its heading.
        kind: What it holds.
        screen_only: Whether it stays out of files: timings differ from one machine and day to the next.
        is_name: Whether it only names what the ``level`` columns spell out.
        in_caption: Whether the caption says its value where all rows have the same.
    """

    header: str
    kind: Kind
    screen_only: bool = False
    is_name: bool = False
    in_caption: bool = False


@dataclass(frozen=True)
class Row:
    """A row.

    Args:
        values: One a column.
        bold: Whether its mean is set in bold.
    """

    values: tuple[Value, ...]
    bold: bool = False


def label_of(study: str, table: str = "") -> str:
    """An identifier for references to a table.

    Example:
        >>> label_of("a/b c"), label_of("demo", "main_effects")
        ('tab:ablate-a-b-c', 'tab:ablate-demo-main-effects')
    """
    return "-".join(["tab:ablate", *(part for part in (slug(study or "study"), slug(table)) if part)])


def slug(name: str) -> str:
    """A name as part of an identifier.

    Example:
        >>> slug("a/b_c")
        'a-b-c'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: Its columns.
        rows: Its rows, each with one value a column.
        caption: What the numbers are: estimand, n, interval, test.
        label: An identifier for references to it.
        notes: What a reader must know besides, a sentence each.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str
    label: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = [index for index, row in enumerate(self.rows) if len(row.values) != len(self.columns)]
        if wrong:
            raise ValueError(f"Rows {wrong} do not have {len(self.columns)} values, one a column.")

    def _repr_html_(self) -> str:
        from ablate.tables.html import html

        return html(self)

    @property
    def for_files(self) -> Table:
        """The table without the columns that are for the screen alone."""
        return self.only(lambda column: not column.screen_only)

    def only(self, wanted: Callable[[Column], bool]) -> Table:
        """The table with the columns for which ``wanted`` holds."""
        kept = [index for index, column in enumerate(self.columns) if wanted(column)]
        return replace(
            self,
            columns=tuple(self.columns[index] for index in kept),
            rows=tuple(replace(row, values=tuple(row.values[index] for index in kept)) for row in self.rows),
        )
