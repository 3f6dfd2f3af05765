"""How figures look: embedded fonts of a paper's size, and text that is printed as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from matplotlib import font_manager

__all__ = ["LINE_HEIGHT", "rc_params", "shown", "spoken", "wrapped"]

LINE_HEIGHT = 0.115
"""Inches that a line of small text takes."""

# For names of factors and levels in scripts that the main font lacks.
_OTHER_SCRIPTS = ("Noto Sans CJK KR", "Noto Sans CJK JP", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")


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


def spoken(name: str) -> str:
    """The name of a metric or factor as it is said.

    Example:
        >>> spoken("val_accuracy")
        'val accuracy'
    """
    return shown(name.replace("_", " "))


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
