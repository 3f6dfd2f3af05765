"""Tables in LaTeX, with booktabs and siunitx."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ablate.formatting import fixed, probability, significant
from ablate.tables import cells
from ablate.tables.table import Table
from ablate.tables.tex_text import escape_tex

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
    printed = table.select(lambda column: not (column.is_name and has_levels))
    # Once a column, not once a cell: tables have a thousand rows.
    layouts = [_layout(column, [row[index] for row in printed.rows]) for index, column in enumerate(printed.columns)]
    formats = [form for layout in layouts for form in layout.formats]
    heads = [_head(layout) for layout in layouts]
    rows = [
        [source for layout, value in zip(layouts, row, strict=True) for source in _sources(layout, value)]
        for row in printed.rows
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


class _Layout(NamedTuple):
    """How a column is set: what it is, its formats, whether its texts are long, whether its numbers have marks."""

    column: cells.Column
    formats: list[str]
    is_long: bool
    is_marked: bool


def _layout(column: cells.Column, values: Sequence[cells.Value]) -> _Layout:
    is_long = any(isinstance(value, str) and len(value) > _LONG_TEXT for value in values)
    is_marked = any(isinstance(value, cells.Estimate) and value.mark for value in values)
    letters = {"text": _PARAGRAPH if is_long else "l", "level": "c", "p": "r"}
    if column.kind in letters:
        return _Layout(column, [letters[column.kind]], is_long, is_marked)
    numbers = [_number(column, value) for value in values if not cells.is_missing(value)]
    aligned = [number for number in numbers if number[0] != "{" and "e" not in number]
    formats = [f"S[table-format={_table_format(aligned)}]", *(["@{}l"] if is_marked else [])]
    formats += {"cost": ["r"], "difference": ["c"]}.get(column.kind, [])
    return _Layout(column, formats, is_long, is_marked)


def _head(layout: _Layout) -> str:
    text = escape_tex(layout.column.header)
    if layout.column.kind == "level":
        lines = [escape_tex(line) for line in _head_lines(layout.column.header)]
        upright = lines[0] if len(lines) == 1 else "\\shortstack[l]{" + "\\\\".join(lines) + "}"
        return f"\\rotatebox{{90}}{{{upright}}}"
    width = len(layout.formats)
    return f"\\multicolumn{{{width}}}{{c}}{{{text}}}" if width > 1 else f"{{{text}}}"


def _head_lines(head: str) -> list[str]:
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


def _table_format(numbers: Sequence[str]) -> str:
    """The ``table-format`` that reserves room for all numbers of a column, such as ``-1.3(2)``."""
    parts = [re.findall(r"(-?)(\d*)\.?(\d*)(?:\((\d+))?", number)[0] for number in numbers]
    signs, *digits = zip(*parts or [("", "0", "", "")], strict=True)
    integer, decimal, uncertain = (max(map(len, texts)) for texts in digits)
    return f"{max(signs)}{integer}.{decimal}" + (f"({uncertain})" if uncertain else "")


def _number(column: cells.Column, value: cells.Value) -> str:
    number = cells.number_of(value)
    if not isinstance(number, int | float):
        return ""
    if math.isinf(number):
        return "{$\\infty$}" if number > 0 else "{$-\\infty$}"
    if isinstance(value, cells.Estimate):
        text, low, high, half = cells.estimate_texts(value)
        if column.kind in ("mean", "change") and not value.is_symmetric:
            return f"{{{text} [{low}, {high}]}}"
        if column.kind not in ("mean", "change") or math.isnan(value.half):
            return text
        # siunitx counts the uncertainty in steps of the last digit: 0.972(13) is 0.972 ± 0.013.
        return f"{text}({half.replace('.', '').lstrip('0')})"
    if column.kind in ("number", "ratio"):
        return cells.number_text(column, number)
    if column.kind == "cost" and number != round(number):
        return significant(number)
    return fixed(number, 1) if column.kind == "seconds" else str(round(number))


def _sources(layout: _Layout, value: cells.Value) -> list[str]:
    """The source of a cell, for each format of its column."""
    column = layout.column
    if column.kind == "cost":
        if not isinstance(value, cells.RelativeValue) or cells.is_missing(value):
            return [_MISSING, ""]
        return [_number(column, value), f"({significant(value.ratio)}\\,$\\times$)"]
    if isinstance(value, bool):
        return ["\\cmark" if value else "\\xmark"]
    if isinstance(value, str):
        text = escape_tex(value)
        return [_breakable(text) if column.kind == "text" and layout.is_long else text]
    if column.kind == "p" and isinstance(value, float) and not cells.is_missing(value):
        return [f"${probability(value)}$"]
    number = _MISSING if cells.is_missing(value) else _number(column, value)
    if "e" in number:
        number = f"{{\\num{{{number}}}}}"
    sources = [_bold(number) if cells.is_bold(value) and number != _MISSING else number]
    if column.kind not in ("text", "level") and layout.is_marked:
        mark = value.mark if isinstance(value, cells.Estimate) else ""
        sources.append(f"\\textsuperscript{{{escape_tex(mark)}}}" if mark else "")
    return [*sources, _interval(value)] if column.kind == "difference" else sources


def _bold(number: str) -> str:
    return f"\\bfseries {number}" if number[0] != "{" else f"{{\\bfseries {number[1:]}" if " [" in number else number


def _breakable(text: str) -> str:
    return text.replace("/", "/\\allowbreak{}").replace("\\_", "\\_\\allowbreak{}")


def _interval(value: cells.Value) -> str:
    if not isinstance(value, cells.Estimate) or math.isnan(value.half):
        return ""
    _, low, high, _ = cells.estimate_texts(value)
    return f"{{[}}\\num{{{low}}}, \\num{{{high}}}{{]}}"


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    words = [word for note in notes for word in note.split(" ")]
    sources = [_breakable(escape_tex(word)) if len(word) > _LONG_WORD else escape_tex(word) for word in words]
    return ["  \\par\\smallskip", f"  {{\\raggedright {' '.join(sources)}\\par}}"]
