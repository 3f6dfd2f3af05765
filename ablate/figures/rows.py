"""Rows from the top down, each as high as its label needs, and the horizontal axis of values below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ablate.analysis import Summary
from ablate.captions import block_label, contribution_label, contributions, takes_only_parts
from ablate.figures.colours import BLACK
from ablate.figures.panels import format_ticks
from ablate.figures.style import LINE_HEIGHT, readable_name, wrapped

ROW_GAP = 0.085
"""Inches between rows."""

MOST_ROWS = 45
"""Rows that a page holds."""

MANY_ROWS = 12
"""More rows than these have the width of the text, where it is wider than a column."""

_POINTS_A_LETTER = 3.6


def cell_contributions(summary: Summary) -> pd.DataFrame:
    """Contributions and gains of all cells with an effect, each with its ``block`` and ``label``.

    See :func:`ablate.captions.contributions`.
    """
    effects = summary.effects[summary.effects["n"] > 0]
    cells = {cell.label: cell for cell in summary.plan.cells}
    are_parts = [takes_only_parts(cells[cell], summary.plan) for cell in effects["cell"]]
    return contributions(effects, summary, are_parts).assign(
        block=[block_label(cells[cell], summary.plan) for cell in effects["cell"]],
        label=[contribution_label(cells[cell], summary.plan) for cell in effects["cell"]],
    )


def counted_labels(data: pd.DataFrame, column: str, inches: float) -> list[str]:
    """The labels of cells on as many lines as they need, each with its number of seeds where these numbers differ.

    Args:
        data: Columns ``cell`` and ``n``, and that of the labels.
        column: The column of the labels.
        inches: How wide the whole figure is.
    """
    cells = data.drop_duplicates("cell")
    # Where there are many rows, their labels have longer lines, so that a page holds them.
    width = 64 if len(cells) > MANY_ROWS and inches > 4.5 else 24
    labels = cells[column]
    if cells["n"].nunique() > 1:
        # Blanks that do not break keep the count in one piece.
        labels = labels + " (n\u00a0=\u00a0" + cells["n"].astype(str) + ")"
    return [wrapped(label, width) for label in labels]


def row_heights(labels: Sequence[str]) -> NDArray[np.float64]:
    """The height in inches of each row, by the number of lines of its label."""
    return np.array([ROW_GAP + LINE_HEIGHT * (label.count("\n") + 1) for label in labels])


def label_rows(ax: Axes, labels: Sequence[str]) -> NDArray[np.float64]:
    """Give the axes a row a label, from the top down, in inches: rows of one line and of several keep the same gap.

    Returns:
        The centre of each row.
    """
    heights = row_heights(labels)
    centres = np.cumsum(heights) - heights / 2
    ax.set_yticks(centres, labels)
    ax.set_ylim(float(heights.sum()), 0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return np.asarray(centres)


@dataclass(frozen=True)
class RowGroups:
    """Groups of rows under one label each, from the top down, in inches.

    Args:
        labels: A label a group.
        counts: How many rows each group has.
        step: From one row to the next.
        width: Letters of a label on a line.
    """

    labels: Sequence[str]
    counts: Sequence[int]
    step: float = 0.095
    width: int = 24

    @property
    def height(self) -> float:
        """Of all groups together."""
        return float(sum(self._heights))

    @property
    def _texts(self) -> list[str]:
        return [wrapped(label, self.width) for label in self.labels]

    @property
    def _heights(self) -> list[float]:
        """A row's distance above the first row and below the last, unless the label needs more."""
        return [
            max((count + 1) * self.step + ROW_GAP, LINE_HEIGHT * (text.count("\n") + 1) + ROW_GAP)
            for text, count in zip(self._texts, self.counts, strict=True)
        ]

    def draw(self, ax: Axes) -> Iterator[NDArray[np.float64]]:
        """Give the axes the groups, with a line below each.

        Yields:
            For each group, where its rows are.
        """
        heights = np.array(self._heights)
        ends = np.cumsum(heights)
        centres = ends - heights / 2
        ax.set_yticks(centres, self._texts)
        ax.set_ylim(float(ends[-1]), 0)
        ax.tick_params(axis="y", length=0)
        for end, centre, count in zip(ends, centres, self.counts, strict=True):
            ax.axhline(end, color="0.9", linewidth=0.5, zorder=0.5)
            yield centre + self.step * (np.arange(count) - (count - 1) / 2)


def annotate_columns(
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
    offset = 7.0
    for index, (head, texts) in enumerate(columns):
        text_colours = colours if colours is not None and index == 0 else [BLACK] * len(texts)
        for y, text, colour in zip(centres, texts, text_colours, strict=True):
            _annotate(ax, offset, y, text, color=colour, va="center_baseline")
        if head:
            _annotate(ax, offset, ax.get_ylim()[1], head, color="0.35", va="bottom")
        offset += _POINTS_A_LETTER * (2 + max(len(text) for text in (head, *texts)))


def _annotate(ax: Axes, points: float, y: float, text: str, **options: Any) -> None:
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


def margin_band(ax: Axes, data: pd.DataFrame) -> None:
    """A grey band from minus the margin to the margin, where one was declared."""
    margin = float(data["margin"].iloc[0])
    if np.isfinite(margin):
        ax.axvspan(-margin, margin, color="0.92", linewidth=0, zorder=0)


def value_axis(ax: Axes, label: str, bins: int = 4, margin: float = 0.06) -> None:
    """Finish the horizontal axis: room on both sides, few ticks, numbers in full.

    Args:
        ax: The axes, with everything drawn.
        label: Of the axis.
        bins: Spaces between ticks, at most.
        margin: Room on either side, as a share of what the data span.
    """
    ax.margins(x=margin)
    ax.locator_params(axis="x", nbins=bins)
    format_ticks(ax.xaxis)
    ax.set_xlabel(label)


def contribution_axis(ax: Axes, data: pd.DataFrame, bins: int = 4) -> None:
    """The horizontal axis of contributions, with the line of no effect."""
    ax.axvline(0, color="0.15", linewidth=0.7, zorder=1.5)
    quantity, metric = data[["quantity", "metric"]].iloc[0]
    kinds = set(map(bool, data["is_part"]))
    below, above = (
        ", ".join(word for word, is_part in words if is_part in kinds)
        for words in ((("hurts", True), ("worse", False)), (("helps", True), ("better", False)))
    )
    value_axis(
        ax, f"{quantity} {'to' if kinds == {True} else 'in'} {readable_name(metric)}\n← {below}      {above} →", bins
    )
