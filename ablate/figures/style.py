"""How figures look: embedded fonts of a paper's size, and text that is printed as it is."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib import font_manager

from ablate.characters import FONTS_OF_OTHER_SCRIPTS, printable

LINE_HEIGHT = 0.115
"""Inches that a line of small text takes."""

STYLE_SHEET = Path(__file__).with_name("paper.mplstyle")
"""The settings in which figures for files are drawn, but for their fonts; see :func:`font_family`."""


def font_family() -> list[str]:
    """The fonts of figures; matplotlib warns of each that is not installed, so none of these is."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in FONTS_OF_OTHER_SCRIPTS if name in installed)]


def direction_label(label: str, direction: str, gap: int = 6) -> str:
    """The label of an axis of a metric, with arrows to the side that is better and the one that is worse.

    Args:
        label: What the axis shows.
        direction: Of the metric, ``"max"`` or ``"min"``.
        gap: Blanks between the arrows.

    Example:
        >>> print(direction_label("loss", "min", 2))
        loss
        ← better  worse →
    """
    less, more = ("worse", "better") if direction == "max" else ("better", "worse")
    return f"{label}\n← {less}{' ' * gap}{more} →"


def readable_name(name: str) -> str:
    """The name of a metric or factor for reading.

    Example:
        >>> readable_name("val_accuracy")
        'val accuracy'
    """
    return literal_text(name.replace("_", " "))


def literal_text(text: str) -> str:
    r"""A text as matplotlib prints it literally: no formulas between dollar signs, no hidden legend entries.

    Control and invisible characters are written as escapes.

    Example:
        >>> literal_text("a$b$"), literal_text("_x")
        ('a\\$b\\$', ' _x')
    """
    escaped = printable(text).replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped


def wrapped(text: str, width: int) -> str:
    """A label on as many lines as it needs; see :func:`literal_text`.

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
    pieces = [piece for word in words for piece in (_pieces(word, width) if len(word.rstrip()) > width else [word])]
    lines = [""]
    for piece in pieces:
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(literal_text(line.rstrip()) for line in lines)


def _pieces(word: str, width: int) -> list[str]:
    pieces = re.findall(r"[^=_.]*[=_.]+|[^=_.]+", word)
    return [piece[start : start + width] for piece in pieces for start in range(0, len(piece), width)]
