"""How figures look: sizes of a paper, embedded fonts, colours that everybody can tell apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib import font_manager

__all__ = ["ONE_COLUMN", "TWO_COLUMNS", "CellStyle", "cell_style", "rc_params", "shown", "wrapped"]

ONE_COLUMN = 3.35
"""Width in inches that fits one column of the usual venues (IEEE 3.5, ACM 3.33, ICML 3.25, Elsevier 3.54)."""

TWO_COLUMNS = 6.75
"""Width in inches that fits the full text width of the same venues (6.75 to 7.2)."""

# The palette of M. Okabe and K. Ito, Color Universal Design (2008), without its yellow, which vanishes on white paper;
# black is the reference's.
_COLOURS = ("#D55E00", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
_LINES: tuple[Any, ...] = ("--", "-.", (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = ("s", "^", "D", "v", "P", "X", "*")

# For names of factors and levels in scripts that the main font lacks.
_OTHER_SCRIPTS = ("Noto Sans CJK KR", "Noto Sans CJK JP", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")


@dataclass(frozen=True)
class CellStyle:
    """Colour, line and marker of a cell; any one of the three tells cells apart, so grey prints stay readable."""

    colour: str
    line: Any
    marker: str


def cell_style(position: int) -> CellStyle:
    """The style of a cell, whatever other cells are drawn beside it.

    Args:
        position: Position of the cell in the plan; 0 is the reference, black and solid.

    Example:
        >>> cell_style(0)
        CellStyle(colour='#000000', line='-', marker='o')
    """
    if position == 0:
        return CellStyle("#000000", "-", "o")
    # The three lists have lengths without a common divisor: 210 cells pass before a combination returns.
    index = position - 1
    return CellStyle(_COLOURS[index % 6], _LINES[index % 5], _MARKERS[index % 7])


def rc_params() -> Mapping[str, Any]:
    """The settings in which figures for files are drawn."""
    installed = set(font_manager.get_font_names())
    return {
        "font.family": ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)],
        "font.size": 7.0,
        "axes.labelsize": 7.0,
        "axes.titlesize": 7.5,
        "xtick.labelsize": 6.5,
        "ytick.labelsize": 6.5,
        "legend.fontsize": 6.5,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.2,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "legend.handlelength": 2.8,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        # Text stays text: searchable, editable, set in an embedded TrueType font.
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.fonttype": "none",
        # Identifiers inside an SVG are random without it.
        "svg.hashsalt": "ablate",
    }


def shown(text: str) -> str:
    r"""A text as matplotlib prints it literally: no formulas between dollar signs, no hidden legend entries.

    Example:
        >>> shown("a$b$"), shown("_x")
        ('a\\$b\\$', ' _x')
    """
    escaped = text.replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped


def wrapped(text: str, width: int) -> str:
    """A label on as many lines as it needs; see :func:`shown`.

    Lines break between words, but not within "w/o residual"; only a word that is wider than a line breaks inside, after
    one of ``= _ .`` where it can.

    Example:
        >>> print(wrapped("w/o residual, w/o batch_norm, schedule=cosine_with_restarts", 20))
        w/o residual,
        w/o batch_norm,
        schedule=cosine_
        with_restarts
    """
    words = re.findall(r"(?:(?:w/o|with) )?[^ ]+ ?", text)
    pieces = [piece for word in words for piece in (_broken(word, width) if len(word.rstrip()) > width else [word])]
    lines = [""]
    for piece in pieces:
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(shown(line.rstrip()) for line in lines)


def _broken(word: str, width: int) -> list[str]:
    parts = re.findall(r"[^=_.]*[=_.]+|[^=_.]+", word)
    return [part[start : start + width] for part in parts for start in range(0, len(part), width)]
