"""Tables in LaTeX, with booktabs and siunitx."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from ablate.tables.cells import is_bold, is_missing
from ablate.tables.numbers import bare, decimals, fixed, probability, significant
from ablate.tables.table import Beside, Column, Estimate, Row, Table, Value
from ablate.tables.tex_text import escape_tex

__all__ = ["COMMANDS", "latex", "preamble"]

_PACKAGES = r"""\usepackage[T1]{fontenc}
\usepackage{textcomp,booktabs,graphicx,pifont,siunitx}
"""
COMMANDS = r"""\providecommand{\cmark}{\ding{51}}
\providecommand{\xmark}{\ding{55}}
\providecommand{\ablunicode}[2]{\ifdefined\Umathcode#2\else\texttt{U+#1}\fi}
"""
_MISSING = "{--}"
_SETUP = "\\sisetup{separate-uncertainty, reset-text-series=false, text-series-to-math=true, group-digits=integer}"
_MOST_ROWS = 45
_LONG_TEXT = 44
_PARAGRAPH = ">{\\raggedright\\arraybackslash}p{18em}"

_LONG_HEAD = 24

# A narrow column takes about fifty letters of a note.
_LONG_WORD = 30


def preamble() -> str:
    r"""What a document needs before ``\begin{document}`` to show the tables and to use the numbers of a study."""
    return _PACKAGES + COMMANDS


def latex(table: Table, environment: Literal["table", "table*"] = "table") -> str:
    r"""The table as a LaTeX float: caption and label above, notes below.

    Check marks stand for the names of the cells; the heads of their columns are upright to save width. Bold means
    follow ``\bfseries``, which keeps the columns aligned. A table of more rows than a page holds becomes several
    floats of one number, each on a page of its own.

    Args:
        table: The table.
        environment: ``"table"``, or ``"table*"`` for one that spans both columns of a page.

    Returns:
        Source that only needs the packages named in its first lines, see :func:`preamble`.
    """
    has_levels = any(column.kind == "level" for column in table.columns)
    shown = table.only(lambda column: not (column.is_name and has_levels))
    columns = [(column, [row.values[index] for row in shown.rows]) for index, column in enumerate(shown.columns)]
    formats = [form for column, values in columns for form in _formats(column, values)]
    heads = [head for column, values in columns for head in _heads(column, values)]
    # Once a column, not once a cell: tables have a thousand rows.
    looks = [(_is_long(values), _is_marked(values)) for _, values in columns]
    rows = [
        [
            word
            for index, ((column, _), (long, marked)) in enumerate(zip(columns, looks, strict=True))
            for word in _words(column, row, index, long, marked)
        ]
        for row in shown.rows
    ]
    pages = [rows[start : start + _MOST_ROWS] for start in range(0, len(rows), _MOST_ROWS)] or [[]]
    lines = ["% This table needs:", *(f"% {line}" for line in _PACKAGES.splitlines()), *COMMANDS.splitlines()]
    for number, page in enumerate(pages):
        if number:
            lines += ["\\clearpage", "\\addtocounter{table}{-1}"]
        lines += [
            f"\\begin{{{environment}}}" + ("[p]" if len(pages) > 1 else ""),
            "  \\centering",
            f"  \\caption{{{escape_tex(table.caption)}}}" if not number else "  \\caption{(continued)}",
            *([f"  \\label{{{table.label}}}"] if not number else []),
            "  \\par\\smallskip\\footnotesize",
            "  \\setlength{\\tabcolsep}{4pt}",
            f"  {_SETUP}",
            # Shrinks what is wider than the column and leaves the rest alone, without another package.
            "  \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
            f"  \\begin{{tabular}}{{{' '.join(formats)}}}",
            "    \\toprule",
            f"    {' & '.join(heads)} \\\\",
            "    \\midrule",
            *(f"    {' & '.join(row)} \\\\" for row in page),
            "    \\bottomrule",
            "  \\end{tabular}}",
            *(_notes(table.notes) if number == len(pages) - 1 else []),
            f"\\end{{{environment}}}",
        ]
    return "\n".join(lines) + "\n"


def _heads(column: Column, values: Sequence[Value]) -> list[str]:
    text = escape_tex(column.header)
    if column.kind == "level":
        lines = [escape_tex(line) for line in _lines(column.header)]
        upright = lines[0] if len(lines) == 1 else "\\shortstack[l]{" + "\\\\".join(lines) + "}"
        return [f"\\rotatebox{{90}}{{{upright}}}"]
    width = len(_formats(column, values))
    return [f"\\multicolumn{{{width}}}{{c}}{{{text}}}" if width > 1 else f"{{{text}}}"]


def _lines(head: str) -> list[str]:
    """A head in lines of about equal length, broken behind what joins its words, or anywhere where nothing does."""
    count = max(1, -(-len(head) // _LONG_HEAD))
    most = -(-len(head) // count)
    lines = [""]
    for word in re.findall(r"[^\s_.:/-]*[\s_.:/-]?", head):
        for piece in (word[start : start + _LONG_HEAD] for start in range(0, len(word), _LONG_HEAD)):
            if lines[-1] and len(lines[-1]) + len(piece) / 2 > most:
                lines.append("")
            lines[-1] += piece
    return [line.strip() for line in lines if line.strip()] or [head]


def _formats(column: Column, values: Sequence[Value]) -> list[str]:
    if column.kind == "text":
        return [_PARAGRAPH if _is_long(values) else "l"]
    if column.kind == "level":
        return ["c"]
    if column.kind == "p":
        return ["r"]
    numbers = [_number(column, value) for value in values if not is_missing(value)]
    aligned = [number for number in numbers if number[0] != "{" and "e" not in number]
    widest = f"S[table-format={_format(aligned)}]"
    marks = ["@{}l"] if _is_marked(values) else []
    if column.kind == "cost":
        return [widest, "r"]
    return [widest, *marks, "c"] if column.kind == "difference" else [widest, *marks]


def _is_marked(values: Sequence[Value]) -> bool:
    return any(isinstance(value, Estimate) and value.mark for value in values)


def _is_long(values: Sequence[Value]) -> bool:
    return any(isinstance(value, str) and len(value) > _LONG_TEXT for value in values)


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
    number = value.value if isinstance(value, Estimate | Beside) else value
    if not isinstance(number, int | float):
        return ""
    if math.isinf(number):
        return "{$\\infty$}" if number > 0 else "{$-\\infty$}"
    if isinstance(value, Estimate):
        places = decimals(value)
        text = fixed(number, places)
        if column.kind not in ("mean", "change") or math.isnan(value.half):
            return text
        # siunitx counts the uncertainty in steps of the last digit: 0.972(13) is 0.972 ± 0.013.
        return f"{text}({fixed(value.half, places).replace('.', '').lstrip('0')})"
    if column.kind in ("number", "ratio"):
        return bare(column, number)
    if column.kind == "cost" and number != round(number):
        return significant(number)
    return fixed(number, 1) if column.kind == "seconds" else str(round(number))


def _words(column: Column, row: Row, index: int, long: bool, marked: bool) -> list[str]:
    value = row.values[index]
    if column.kind == "cost":
        if not isinstance(value, Beside) or is_missing(value):
            return [_MISSING, ""]
        return [_number(column, value), f"({significant(value.ratio)}\\,$\\times$)"]
    if isinstance(value, bool):
        return ["\\cmark" if value else "\\xmark"]
    if isinstance(value, str):
        text = escape_tex(value)
        return [_breakable(text) if column.kind == "text" and long else text]
    if column.kind == "p" and isinstance(value, float) and not is_missing(value):
        return [f"${probability(value)}$"]
    number = _MISSING if is_missing(value) else _number(column, value)
    if "e" in number:
        number = f"{{\\num{{{number}}}}}"
    words = [f"\\bfseries {number}" if is_bold(column, row, index) and number[0] != "{" else number]
    if column.kind not in ("text", "level") and marked:
        mark = value.mark if isinstance(value, Estimate) else ""
        words.append(f"\\textsuperscript{{{escape_tex(mark)}}}" if mark else "")
    return [*words, _ends(value)] if column.kind == "difference" else words


def _breakable(text: str) -> str:
    return text.replace("/", "/\\allowbreak{}").replace("\\_", "\\_\\allowbreak{}")


def _ends(value: Value) -> str:
    if not isinstance(value, Estimate) or math.isnan(value.half):
        return ""
    places = decimals(value)
    return f"{{[}}\\num{{{fixed(value.low, places)}}}, \\num{{{fixed(value.high, places)}}}{{]}}"


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    words = (
        _breakable(escape_tex(word)) if len(word) > _LONG_WORD else escape_tex(word)
        for note in notes
        for word in note.split(" ")
    )
    return ["  \\par\\smallskip", f"  {{\\raggedright {' '.join(words)}\\par}}"]
