"""Tables as comma-separated values, for spreadsheets."""

from __future__ import annotations

import csv as standard
import io
import math

from ablate.tables.cells import is_missing
from ablate.tables.numbers import decimals, fixed, significant
from ablate.tables.table import Beside, Column, Estimate, Table, Value

__all__ = ["csv"]


def csv(table: Table) -> str:
    """The table as CSV: numbers rounded like everywhere, but bare; caption and notes are left to the other formats.

    An estimate takes one column a number: mean and half, or difference, low and high. What is missing is empty.
    """
    text = io.StringIO()
    writer = standard.writer(text, lineterminator="\n")
    writer.writerow([name for column in table.columns for name in _headers(column)])
    for row in table.rows:
        pairs = zip(table.columns, row.values, strict=True)
        writer.writerow([word for column, value in pairs for word in _words(column, value)])
    return text.getvalue()


def _headers(column: Column) -> list[str]:
    if column.kind == "mean":
        return [column.header, "half"]
    if column.kind == "cost":
        return [column.header, f"{column.header} ratio"]
    return [column.header, "low", "high"] if column.kind == "difference" else [column.header]


def _words(column: Column, value: Value) -> list[str]:
    if is_missing(value):
        return [""] * len(_headers(column))
    if isinstance(value, Estimate):
        numbers = [value.value, value.half] if column.kind == "mean" else [value.value, value.low, value.high]
        return ["" if math.isnan(number) else fixed(number, decimals(value)) for number in numbers]
    if isinstance(value, Beside):
        return [_bare(value.value), "" if math.isnan(value.ratio) else significant(value.ratio, 4)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if column.kind in ("number", "ratio", "p") and isinstance(value, int | float):
        return [f"{value:.4g}"]
    if column.kind == "count" and isinstance(value, int | float):
        return [str(round(value))]
    return [str(value)]


def _bare(number: float) -> str:
    return str(round(number)) if number == round(number) else significant(number, 6)
