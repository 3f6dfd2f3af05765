"""Tables in LaTeX, with booktabs and siunitx."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from ablate.tables.cells import is_missing
from ablate.tables.numbers import bare, decimals, fixed, probability
from ablate.tables.table import Column, Estimate, Row, Table, Value
from ablate.tables.tex_text import escape_tex

__all__ = ["latex", "preamble"]

_PACKAGES = r"""\usepackage[T1]{fontenc}
\usepackage{textcomp,booktabs,graphicx,pifont,siunitx}
"""
_COMMANDS = r"""\providecommand{\cmark}{\ding{51}}
\providecommand{\xmark}{\ding{55}}
\providecommand{\ablunicode}[2]{\ifdefined\Umathcode#2\else\texttt{U+#1}\fi}
"""
_MISSING = "{--}"


def preamble() -> str:
    r"""What a document needs before ``\begin{document}`` to show the tables."""
    return _PACKAGES + _COMMANDS


def latex(table: Table, environment: Literal["table", "table*"] = "table") -> str:
    r"""The table as a LaTeX float: caption and label above, notes below.

    Check marks stand for the names of the cells; the heads of their columns are upright to save width. Bold means
    follow ``\bfseries``, which keeps the columns aligned.

    Args:
        table: The table.
        environment: ``"table"``, or ``"table*"`` for one that spans both columns of a page.

    Returns:
        Source that only needs the packages named in its first lines, see :func:`preamble`.
    """
    has_levels = any(column.kind == "level" for column in table.columns)
    shown = table.only(lambda column: not (column.is_name and has_levels))
    cells = [
        [word for index, column in enumerate(shown.columns) for word in _words(column, row, index)]
        for row in shown.rows
    ]
    formats = [
        form
        for index, column in enumerate(shown.columns)
        for form in _formats(column, [row.values[index] for row in shown.rows])
    ]
    heads = [head for column in shown.columns for head in _heads(column)]
    lines = [
        "% This table needs:",
        *(f"% {line}" for line in _PACKAGES.splitlines()),
        *_COMMANDS.splitlines(),
        f"\\begin{{{environment}}}",
        "  \\centering",
        f"  \\caption{{{escape_tex(table.caption)}}}",
        f"  \\label{{{table.label}}}",
        "  \\par\\smallskip\\footnotesize",
        "  \\setlength{\\tabcolsep}{4pt}",
        "  \\sisetup{separate-uncertainty, reset-text-series=false, text-series-to-math=true, group-digits=integer}",
        # Shrinks what is wider than the column and leaves the rest alone, without another package.
        "  \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"  \\begin{{tabular}}{{{' '.join(formats)}}}",
        "    \\toprule",
        f"    {' & '.join(heads)} \\\\",
        "    \\midrule",
        *(f"    {' & '.join(row)} \\\\" for row in cells),
        "    \\bottomrule",
        "  \\end{tabular}}",
        *_notes(table.notes),
        f"\\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n"


def _heads(column: Column) -> list[str]:
    text = escape_tex(column.header)
    if column.kind == "level":
        return [f"\\rotatebox{{90}}{{{text}}}"]
    if column.kind == "difference":
        return [f"\\multicolumn{{2}}{{c}}{{{text}}}"]
    return [f"{{{text}}}"]


def _formats(column: Column, values: Sequence[Value]) -> list[str]:
    if column.kind == "text":
        return ["l"]
    if column.kind == "level":
        return ["c"]
    if column.kind == "p":
        return ["r"]
    numbers = [number for value in values if not is_missing(value) and "e" not in (number := _number(column, value))]
    widest = [f"S[table-format={_format(numbers)}]"]
    return [*widest, "c"] if column.kind == "difference" else widest


def _format(numbers: Sequence[str]) -> str:
    """The ``table-format`` that reserves room for all numbers of a column, such as ``-1.3(2)``."""
    parts = [number.rstrip(")").partition("(") for number in numbers]
    places = [part[0].lstrip("-").partition(".") for part in parts]
    sign = "-" if any(number.startswith("-") for number in numbers) else ""
    whole = max((len(place[0]) for place in places), default=1)
    decimal = max((len(place[2]) for place in places), default=0)
    uncertain = max((len(part[2]) for part in parts), default=0)
    return f"{sign}{whole}.{decimal}" + (f"({uncertain})" if uncertain else "")


def _number(column: Column, value: Value) -> str:
    if isinstance(value, Estimate):
        places = decimals(value)
        number = fixed(value.value, places)
        if column.kind != "mean" or math.isnan(value.half):
            return number
        # siunitx counts the uncertainty in steps of the last digit: 0.972(13) is 0.972 ± 0.013.
        return f"{number}({fixed(value.half, places).replace('.', '').lstrip('0')})"
    if column.kind == "seconds" and isinstance(value, int | float):
        return fixed(value, 1)
    if column.kind in ("number", "ratio") and isinstance(value, int | float):
        return bare(column, value)
    return str(round(value)) if isinstance(value, int | float) else ""


def _words(column: Column, row: Row, index: int) -> list[str]:
    value = row.values[index]
    if column.kind == "difference":
        return [*([_MISSING] if is_missing(value) else [_number(column, value)]), _ends(value)]
    if is_missing(value):
        return [_MISSING]
    if isinstance(value, bool):
        return ["\\cmark" if value else "\\xmark"]
    if isinstance(value, str):
        return [escape_tex(value)]
    if column.kind == "p" and isinstance(value, float):
        return [f"${probability(value)}$"]
    number = _number(column, value)
    if "e" in number:
        return [f"{{\\num{{{number}}}}}"]
    return [f"\\bfseries {number}" if row.bold and column.kind == "mean" else number]


def _ends(value: Value) -> str:
    if not isinstance(value, Estimate) or math.isnan(value.half):
        return ""
    places = decimals(value)
    return f"{{[}}\\num{{{fixed(value.low, places)}}}, \\num{{{fixed(value.high, places)}}}{{]}}"


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    return ["  \\par\\smallskip", f"  {{\\raggedright {' '.join(escape_tex(note) for note in notes)}\\par}}"]
