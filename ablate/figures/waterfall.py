"""Steps from one level of a metric to another: floating bars, each with the interval of its step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.figures.colours import BLACK
from ablate.figures.panels import panels_of, plain_numbers, records
from ablate.figures.paper import Paper
from ablate.figures.rows import ROW_GAP, beside, heights_of, put_labels
from ablate.figures.sheet import Sheet
from ablate.figures.style import LINE_HEIGHT, spoken, wrapped
from ablate.figures.wording import interval_text, sides
from ablate.study import Plan

__all__ = ["STEP_COLUMNS", "by_block", "draw_steps", "steps_sheet"]

STEP_COLUMNS = ("block", "label", "start", "end", "change", "low", "high", "n", "colour", "metric", "direction")
"""What a step is: ``block`` (the data set, or empty), ``label``, where it ``start``s and ``end``s in units of the
metric, its ``change`` (end minus start) with interval ``low`` to ``high``, ``n`` seeds, ``colour``, ``metric``,
``direction``. A row without ``start`` is a level of its own."""

_LABEL_WIDTH = 22
_MANY = 12


def by_block(table: pd.DataFrame, plan: Plan) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The rows of each block of a plan, with its level of every block factor; one part where the plan has none."""
    blocks = [factor.name for factor in plan.factors if factor.block]
    if not blocks:
        return [({}, table)]
    parts = table.groupby(blocks, sort=False)
    return [(dict(zip(blocks, map(str, key), strict=True)), rows) for key, rows in parts]


def draw_steps(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one block on each of the axes.

    The axis need not begin at zero: where bars float, their length is the step and says nothing else.

    Args:
        axes: As many axes as the data have blocks, in their order, or one for a single block.
        data: The columns :data:`STEP_COLUMNS`.
    """
    for ax, (block,), own in panels_of(axes, data, ("block",), "blocks"):
        rows = records(own)
        centres = put_labels(ax, _labels(own))
        thickness = 0.75 * (ROW_GAP + LINE_HEIGHT)
        for place, (y, row) in enumerate(zip(centres, rows, strict=True)):
            if np.isfinite(row["start"]):
                _bar(ax, y, row, thickness)
            else:
                ax.plot([row["end"]] * 2, [y - thickness / 2, y + thickness / 2], color=BLACK, linewidth=2, zorder=4)
            if place + 1 < len(rows):
                ax.plot([row["end"]] * 2, [y, centres[place + 1]], color="0.6", linewidth=0.6, zorder=1)
        ax.use_sticky_edges = False
        ax.margins(x=0.08)
        ax.locator_params(axis="x", nbins=4)
        plain_numbers(ax.xaxis)
        less, more = sides(rows[0]["direction"])
        ax.set_xlabel(f"{spoken(rows[0]['metric'])}\n← {less}      {more} →")
        if block:
            ax.set_title(spoken(block))
        beside(ax, centres, _columns(own))


def _bar(ax: Axes, y: float, row: Mapping[str, Any], thickness: float) -> None:
    ax.barh(
        y,
        row["change"],
        left=row["start"],
        height=thickness,
        color=row["colour"],
        edgecolor=row["colour"],
        linewidth=0.7,
        zorder=2,
    )
    if np.isfinite(row["low"]):
        ends = [row["start"] + row["low"], row["start"] + row["high"]]
        ax.plot(ends, [y, y], color="0.15", linewidth=0.9, marker="|", markersize=4, zorder=3)


def _columns(own: pd.DataFrame) -> list[tuple[str, list[str]]]:
    texts = [
        interval_text(row["change"], row["low"], row["high"])
        if np.isfinite(row["start"])
        else f"{row['end']:.4g}".replace("-", "−")
        for row in records(own)
    ]
    counts = own.loc[own["start"].notna(), "n"]
    head = "step" + (f" (n = {counts.iloc[0]})" if counts.nunique() == 1 else "")
    columns = [(head, texts)]
    if counts.nunique() > 1:
        columns.append(("n", [str(row["n"]) for row in records(own)]))
    return columns


def _labels(own: pd.DataFrame) -> list[str]:
    return [wrapped(str(label), _LABEL_WIDTH) for label in own["label"]]


def steps_sheet(data: pd.DataFrame, paper: Paper) -> Sheet:
    """The blocks below each other on a sheet in one column of a paper."""
    blocks = list(dict.fromkeys(data["block"]))
    heights = [float(heights_of(_labels(data[data["block"] == block])).sum()) for block in blocks]
    sheet = Sheet(paper.column, sum(heights) + (0.75 + 0.2 * (len(blocks) > 1)) * len(blocks))
    axes = sheet.subplots(len(blocks), 1, squeeze=False, height_ratios=heights)
    draw_steps(list(axes.flat), data)
    return sheet
