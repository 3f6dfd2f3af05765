"""The accuracy of each cell on each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.confusions import class_accuracies
from ablate.captions import CONFIDENCE, bounds_sentence
from ablate.figures.figure import Canvas
from ablate.figures.lines import highlighted_cells, omissions, with_cell_styles
from ablate.figures.panels import (
    add_legend,
    cell_entries,
    draw_point,
    legend_height,
    ordered_rows,
    panel_grid,
    panels_of,
)
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.rows import RowGroups
from ablate.formatting import seed_count

_COLUMNS = "block cell label position class accuracy low high images n classes highlighted colour line marker".split()
_HIGHLIGHTED = 7
_MOST_CLASSES = 30
"""Classes that are shown; of more, those on which the cells differ most."""
_STEP = 0.085
_HIGHEST = 7.5  # inches of panels in one column


def prepare(summary: Summary) -> pd.DataFrame:
    """The accuracies.

    Returns:
        A row for every cell and class, the classes with the lowest mean accuracy first: ``block`` (the data set, or
        empty), ``cell``, its ``label`` within the block and ``position``, ``class``, ``accuracy`` (mean over seeds)
        with its 95% t interval ``low`` to ``high`` (NaN for one seed), test ``images`` of the class, ``n`` seeds, how
        many ``classes`` there are, whether the cell is ``highlighted``, its ``colour``, ``line`` and ``marker``. Of
        more than 30 classes those on which the cells differ most.
    """
    table = class_accuracies(summary.confusions, summary.study.resplit)
    chosen = highlighted_cells(summary, _HIGHLIGHTED)
    table = table[table["cell"].isin(chosen)]
    if table.empty:
        return pd.DataFrame(columns=_COLUMNS)
    data = with_cell_styles(table, summary).assign(highlighted=True)
    parts = []
    for _, rows in data.groupby("block", sort=False):
        by_class = rows.groupby("class", sort=False)["accuracy"]
        classes = list(by_class.mean().index)
        if len(classes) > _MOST_CLASSES:
            spread = (by_class.max() - by_class.min()).sort_values(ascending=False, kind="stable")
            classes = list(spread.index[:_MOST_CLASSES])
        order = by_class.mean().loc[classes].sort_values(kind="stable").index
        ranks = {name: rank for rank, name in enumerate(order)}
        rows = rows[rows["class"].isin(classes)]
        parts.append(rows.assign(classes=by_class.ngroups, rank=rows["class"].map(ranks)))
    data = pd.concat(parts, ignore_index=True)
    block = data.groupby("block")["position"].transform("min")
    return ordered_rows(data, _COLUMNS, block, data["rank"], data["position"])


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one data set on each of the axes: a group of points for each class, one a cell.

    Args:
        axes: As many axes as the data have blocks, in their order, or one for a single block.
        data: What :func:`prepare` returned, or some of its classes.
    """
    for ax, _, rows in panels_of(axes, data, ("block",), "blocks"):
        groups = [group for _, group in rows.groupby("class", sort=False)]
        for group, places in zip(groups, _row_groups(rows).draw(ax), strict=True):
            for row, y in zip(group.to_dict("records"), places, strict=True):
                if np.isfinite(row["low"]):
                    ax.plot([row["low"], row["high"]], [y, y], color=row["colour"], linewidth=0.8, zorder=2)
                draw_point(ax, row["accuracy"], y, row["marker"] or "o", 3.2, row["colour"], row["colour"])
        ax.set_xlim(max(-0.02, float(rows[["accuracy", "low"]].min().min()) - 0.05), 1.02)
        ax.set_xlabel("share of the class's test images that are recognised")


def _row_groups(rows: pd.DataFrame) -> RowGroups:
    counts = rows.groupby("class", sort=False).size()
    return RowGroups([str(name) for name in counts.index], counts.tolist(), _STEP)


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """A panel for each data set, in one column of a page, or two beside each other where that would be too high."""
    blocks = [rows for _, rows in data.groupby("block", sort=False)]
    entries = cell_entries(data, lines=False)
    heights = [_row_groups(rows).height + 0.45 for rows in blocks]
    across = 2 if len(blocks) > 1 and sum(heights) > _HIGHEST else 1
    width = page.text if across > 1 else page.column
    rows = [max(heights[place : place + across]) for place in range(0, len(blocks), across)]
    canvas = Canvas(width, sum(rows) + 0.1 + legend_height(entries, width))
    axes = list(panel_grid(canvas, len(blocks), across, height_ratios=rows).flat)[: len(blocks)]
    draw(axes, data)
    for ax in axes[:-across]:
        ax.set_xlabel("")
    add_legend(canvas, entries)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the figure shows: shares, n, intervals."""
    sentences = [
        f"Test accuracy by class in the study {summary.study.name}: mean over {seed_count(data['n'])}, the class with "
        "the lowest mean first."
    ]
    if data["low"].notna().any():
        sentences.append(f"Lines: {CONFIDENCE} t intervals of the mean, unadjusted.")
        sentences += bounds_sentence(data.rename(columns={"accuracy": "mean"}))
    for block, rows in data.groupby("block", sort=False):
        shown, classes = rows["class"].nunique(), int(rows["classes"].iloc[0])
        if shown < classes:
            sentences.append(
                f"{f'{block!s}: ' if block else ''}the {shown} of {classes} classes on which the cells differ most."
            )
    drawn = data["cell"].nunique()
    return " ".join([*sentences, *omissions(summary, _HIGHLIGHTED, drawn, "row", "counts of its classes")])


CLASS_ACCURACY = Figure(
    prepare, draw, compose, caption, "no finished run says which classes it confuses (confusion.csv)"
)
