"""The words of a cell where nothing but plain text is possible: shared by markdown and the terminal."""

from __future__ import annotations

import math

from ablate.tables.numbers import DASH, bare, count, decimals, duration, fixed, probability, significant, typographic
from ablate.tables.table import Beside, Column, Estimate, Row, Value

__all__ = ["is_bold", "is_missing", "plain"]


def is_missing(value: Value) -> bool:
    """Whether there is nothing to show."""
    number = value.value if isinstance(value, Estimate | Beside) else value
    return number is None or (isinstance(number, float) and math.isnan(number))


def is_bold(column: Column, row: Row, index: int) -> bool:
    """Whether the value of a row in the column at a place is set in bold."""
    value = row.values[index]
    if is_missing(value):
        return False
    return (row.bold and column.kind == "mean") or (isinstance(value, Estimate) and value.bold)


def plain(column: Column, value: Value) -> str:
    """A value as unformatted text.

    Example:
        >>> plain(Column("score", "mean"), Estimate(0.97163, 0.9589, 0.9843))
        '0.972 ± 0.013'
        >>> plain(Column("difference", "difference"), Estimate(-0.0123, -0.0251, 0.0005))
        '−0.012 [−0.025, 0.000]'
        >>> plain(Column("residual", "level"), False), plain(Column("weights", "count"), None)
        ('✗', '–')
        >>> plain(Column("weights", "cost"), Beside(14090, 1.0)), plain(Column("step (ms)", "cost"), Beside(7.625, 0.8))
        ('14,090 (1.00 ×)', '7.62 (0.800 ×)')
    """
    if is_missing(value):
        return DASH
    if isinstance(value, Estimate):
        return _estimate(column, value)
    if isinstance(value, Beside):
        return f"{_grouped(value.value)} ({significant(value.ratio)} ×)"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, str) or value is None:
        return str(value)
    if column.kind == "p":
        return probability(value)
    if column.kind in ("number", "ratio"):
        return typographic(bare(column, value))
    return duration(value) if column.kind == "seconds" else count(value)


def _grouped(number: float) -> str:
    return count(number) if abs(number) >= 1000 or number == round(number) else significant(number)


def _estimate(column: Column, value: Estimate) -> str:
    places = decimals(value)
    number = typographic(fixed(value.value, places))
    if math.isnan(value.half):
        return f"{number}{value.mark}"
    if column.kind in ("mean", "change"):
        return f"{number} ± {fixed(value.half, places)}{value.mark}"
    return f"{number}{value.mark} [{typographic(fixed(value.low, places))}, {typographic(fixed(value.high, places))}]"
