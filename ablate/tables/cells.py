"""What the cells of a table hold, and their text where only unformatted text is possible."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ablate import formatting
from ablate.characters import printable

Kind = Literal["text", "level", "mean", "difference", "change", "number", "ratio", "p", "count", "seconds", "cost"]
"""What a column holds, and so how a renderer writes it.

``text``: words. ``level``: True and False as check mark and cross, None for a level without meaning, else its label.
``mean``: an :class:`Estimate` written with ± half its interval, or with its ends where a bound of shares cut one off.
``difference``: one written with the ends of its interval. ``change``: a difference written like a mean. ``number``: a
number with four significant digits. ``ratio``: one with two decimals. ``p``: a probability. ``count``: a whole number.
``seconds``: a duration. ``cost``: a :class:`RelativeValue`, a number and how many times that of the reference it is.
"""

_SIGNIFICANT = 4  # digits that a number without an interval keeps
_UNCERTAIN = 2  # digits that half the width of an interval keeps
_SMALLEST, _LARGEST = 1e-6, 1e6  # beyond these a number without an interval has an exponent


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; NaN where there is none.

    Args:
        value: The number.
        low: Lower end of its interval.
        high: Upper end of its interval.
        mark: What stands behind the number and the caption explains, such as a dagger.
        bold: Whether it is set in bold.
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

    @property
    def is_symmetric(self) -> bool:
        """Whether the interval reaches as far up as down, so that ± half of it says where it ends."""
        return not abs((self.high - self.value) - (self.value - self.low)) > 1e-9 * self.half


@dataclass(frozen=True)
class RelativeValue:
    """A number and its ratio to that of the reference; NaN where there is none."""

    value: float
    ratio: float = math.nan


Value = str | bool | int | float | Estimate | RelativeValue | None
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


def number_of(value: Value) -> str | bool | int | float | None:
    """A value without its interval or ratio."""
    return value.value if isinstance(value, Estimate | RelativeValue) else value


def is_missing(value: Value) -> bool:
    """Whether there is nothing to show."""
    number = number_of(value)
    return number is None or (isinstance(number, float) and math.isnan(number))


def is_bold(value: Value) -> bool:
    """Whether a value is set in bold."""
    return isinstance(value, Estimate) and value.bold and not is_missing(value)


def estimate_places(estimate: Estimate) -> int:
    """The number of decimals of an estimate: two significant digits of half its interval.

    Args:
        estimate: A number with its interval, or without: then it keeps four significant digits.

    Returns:
        Digits after the decimal point; negative where tens, hundreds, ... are to be rounded away.

    Example:
        >>> [estimate_places(each) for each in (Estimate(0.9716, 0.9589, 0.9843), Estimate(9), Estimate(9, -50, 190))]
        [3, 3, -1]
    """
    if math.isfinite(estimate.half) and estimate.half > 0:
        return formatting.decimal_places(estimate.half, _UNCERTAIN)
    return max(0, formatting.decimal_places(estimate.value, _SIGNIFICANT))


def estimate_texts(estimate: Estimate) -> list[str]:
    """An estimate, the ends of its interval and half its width, all with as many decimals.

    Example:
        >>> estimate_texts(Estimate(0.9716, 0.9589, 0.9843))
        ['0.972', '0.959', '0.984', '0.013']
    """
    places = estimate_places(estimate)
    numbers = (estimate.value, estimate.low, estimate.high, estimate.half)
    return [formatting.fixed(number, places) for number in numbers]


def number_text(column: Column, value: float) -> str:
    """A number without an interval, with an ASCII minus; very large and very small ones with an exponent.

    Example:
        >>> number_text(Column("F", "number"), 130.04), number_text(Column("correlation", "ratio"), -0.9966)
        ('130.0', '-1.00')
        >>> number_text(Column("SS", "number"), 1.53e-8)
        '1.530e-8'
    """
    if column.kind == "ratio":
        return formatting.fixed(value, 2)
    if value == 0 or not math.isfinite(value) or _SMALLEST <= abs(value) < _LARGEST:
        return formatting.fixed(value, estimate_places(Estimate(value)))
    return formatting.exponent_form(value)


def cell_text(column: Column, value: Value) -> str:
    """A value as unformatted text, with control and invisible characters as escapes.

    Example:
        >>> cell_text(Column("score", "mean"), Estimate(0.9716, 0.9589, 0.9843))
        '0.972 ± 0.013'
        >>> cell_text(Column("difference", "difference"), Estimate(-0.0123, -0.0251, 0.0005))
        '−0.012 [−0.025, 0.000]'
        >>> cell_text(Column("residual", "level"), False), cell_text(Column("weights", "count"), None)
        ('✗', '–')
        >>> cell_text(Column("accuracy", "mean"), Estimate(0.99, 0.968, 1.0))
        '0.990 [0.968, 1.000]'
        >>> cell_text(Column("latency (ms)", "cost"), RelativeValue(7.625, 0.8))
        '7.62 (0.800 ×)'
    """
    if is_missing(value):
        return formatting.DASH
    if isinstance(value, Estimate):
        return _estimate_text(column, value)
    if isinstance(value, RelativeValue):
        is_count = abs(value.value) >= 1000 or value.value == round(value.value)
        number = formatting.count(value.value) if is_count else formatting.significant(value.value)
        return f"{number} ({formatting.significant(value.ratio)} ×)"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, str) or value is None:
        return printable(str(value))
    if column.kind == "p":
        return formatting.probability(value)
    if column.kind in ("number", "ratio"):
        return formatting.typographic(number_text(column, value))
    return formatting.duration(value) if column.kind == "seconds" else formatting.count(value)


def _estimate_text(column: Column, value: Estimate) -> str:
    number, low, high, half = map(formatting.typographic, estimate_texts(value))
    if math.isnan(value.half):
        return f"{number}{value.mark}"
    if column.kind in ("mean", "change") and value.is_symmetric:
        return f"{number} ± {half}{value.mark}"
    return f"{number}{value.mark} [{low}, {high}]"
