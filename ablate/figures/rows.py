"""Rows of estimates with intervals below each other, and columns of text beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ablate.figures.colours import BLACK
from ablate.figures.style import LINE_HEIGHT

__all__ = ["MANY_ROWS", "MOST_ROWS", "ROW_GAP", "beside", "heights_of", "label_width", "put_labels", "zero_line"]

ROW_GAP = 0.085
"""Inches between rows."""

MOST_ROWS = 45
"""Rows that a page holds."""

MANY_ROWS = 12
"""More rows than these have the width of the text, where it is wider than a column."""

_POINTS_A_LETTER = 3.6


def label_width(rows: int, inches: float) -> int:
    """How many letters a line of a label has: where there are many rows, more, so that a page holds them.

    Args:
        rows: How many rows there are.
        inches: How wide the whole figure is.
    """
    return 64 if rows > MANY_ROWS and inches > 4.5 else 24


def heights_of(labels: Sequence[str]) -> NDArray[np.float64]:
    """The height in inches of each row, by the number of lines of its label."""
    return np.array([ROW_GAP + LINE_HEIGHT * (label.count("\n") + 1) for label in labels])


def put_labels(ax: Axes, labels: Sequence[str]) -> NDArray[np.float64]:
    """Give the axes a row a label, from the top down, in inches: rows of one line and of several keep the same gap.

    Returns:
        The centre of each row.
    """
    heights = heights_of(labels)
    centres = np.cumsum(heights) - heights / 2
    ax.set_yticks(centres, labels)
    ax.set_ylim(float(heights.sum()), 0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return np.asarray(centres)


def beside(
    ax: Axes,
    centres: NDArray[np.float64],
    columns: Sequence[tuple[str, Sequence[str]]],
    colours: Sequence[str] | None = None,
) -> None:
    """Columns of text on the right of the axes.

    Args:
        ax: The axes.
        centres: The centre of each row.
        columns: Each with its head and a text a row.
        colours: A colour a row for the first column; black by default.
    """
    place = 7.0
    for index, (head, texts) in enumerate(columns):
        paint = colours if colours is not None and index == 0 else [BLACK] * len(texts)
        for y, text, colour in zip(centres, texts, paint, strict=True):
            _write(ax, place, y, text, color=colour, va="center_baseline")
        if head:
            _write(ax, place, ax.get_ylim()[1], head, color="0.35", va="bottom")
        place += _POINTS_A_LETTER * (2 + max(len(text) for text in (head, *texts)))


def _write(ax: Axes, points: float, y: float, text: str, **options: Any) -> None:
    ax.annotate(
        text,
        (1.0, y),
        xycoords=ax.get_yaxis_transform(),
        xytext=(points, 0),
        textcoords="offset points",
        fontsize=6.5,
        annotation_clip=False,
        **options,
    )


def zero_line(ax: Axes) -> None:
    """The line of no effect."""
    ax.axvline(0, color="0.15", linewidth=0.7, zorder=1.5)
