"""When an ingredient begins to matter: the paired difference of each cell to its reference by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.comparisons import comparisons
from ablate.analysis.curves import difference_curves, onsets, tracks
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.figures.figure import Figure
from ablate.figures.lines import counted_curves, draw_line, fit_means, outstanding, place_epochs, with_looks
from ablate.figures.panels import panels_of
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.sheet import Sheet
from ablate.figures.style import shown, spoken, wrapped
from ablate.figures.wording import sides

__all__ = ["DIFFERENCE_CURVES", "caption", "compose", "draw", "prepare"]

_COLUMNS = (
    *("cell", "position", "metric", "epoch", "n", "mean", "low", "high", "onset", "direction"),
    *("colour", "line", "marker"),
)
_MOST = 12
_PANEL_WIDTH, _PANEL_HEIGHT = 1.6, 1.15
_LETTER = 0.062


def prepare(summary: Summary) -> pd.DataFrame:
    """The lines and their bands, from runs finished with the same seeds in a cell and its reference.

    Returns:
        A row for every cell and epoch: ``cell``, its ``position`` in the plan, ``metric`` (a column of the curves),
        ``epoch``, ``n`` pairs, ``mean`` difference (cell minus reference) and its pointwise 95 % t interval ``low`` to
        ``high``, the ``onset`` (the epoch from which on the interval excludes zero to the end; NaN where it does
        not), ``direction`` of the metric, and the ``colour``, ``line`` and ``marker`` of the cell. In a study of many
        cells only some are there, see the caption.
    """
    curves = counted_curves(summary)
    watched = tracks(curves, summary.study.metric)
    if not watched:
        return pd.DataFrame(columns=list(_COLUMNS))
    column = watched[0].validation
    chosen = outstanding(summary, _MOST)
    partners = {pair.reference.label for pair in comparisons(summary.plan) if pair.cell.label in chosen}
    found = difference_curves(curves[curves["cell"].isin(chosen | partners)], summary.plan, column)
    found = found[found["cell"].isin(chosen)]
    begins = onsets(found)
    known = set(found["cell"])
    first = [cell.label for cell in summary.plan.cells if cell.label in known][:_MOST]
    found = found[found["cell"].isin(first)]
    data = with_looks(found, summary).assign(
        metric=column,
        onset=found["cell"].map(begins).astype(float),
        direction="min" if watched[0].is_loss else summary.study.direction,
    )
    return data.sort_values(["position", "epoch"], ignore_index=True)[list(_COLUMNS)]


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one cell on each of the axes.

    Args:
        axes: As many axes as the data have cells, in their order, or one for a single cell.
        data: What :func:`prepare` returned, or some of its cells.
    """
    for ax, (cell,), rows in panels_of(axes, data, ("cell",), "cells"):
        ax.axhline(0, color="0.15", linewidth=0.7, zorder=1.5)
        draw_line(ax, rows, shown(cell), band=0.2)
        onset = rows["onset"].iloc[0]
        if np.isfinite(onset):
            ax.axvline(onset, color=rows["colour"].iloc[0], linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
            ax.annotate(
                f"from {onset:.0f}",
                (onset, 1.0),
                xycoords=ax.get_xaxis_transform(),
                xytext=(2 if onset < rows["epoch"].mean() else -2, -1),
                textcoords="offset points",
                ha="left" if onset < rows["epoch"].mean() else "right",
                va="top",
                fontsize=6,
                color="0.25",
            )
        ax.set_title(wrapped(cell, 26), fontsize=6.5)
        place_epochs(ax)


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """A panel a cell, all on one scale, as wide as the text of a paper."""
    cells = list(dict.fromkeys(data["cell"]))
    width = paper.text if len(cells) > 1 else paper.column
    across = min(len(cells), max(1, int(width / _PANEL_WIDTH)), 3 if len(cells) in (3, 5, 6, 9) else 4)
    rows = -(-len(cells) // across)
    titles = max(wrapped(cell, 26).count("\n") for cell in cells)
    sheet = Sheet(width, (_PANEL_HEIGHT + 0.1 * titles) * rows + 0.45)
    grid = sheet.subplots(rows, across, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    draw(panels[: len(cells)], data)
    fit_means(panels[0], data, share=0.6)
    for ax in panels[len(cells) :]:
        ax.set_axis_off()
    for place in range(across):
        own = [row[place] for row in grid if row[place] in panels[: len(cells)]]
        own[-1].tick_params(labelbottom=True)
        own[-1].set_xlabel("epoch")
    less, more = sides(data["direction"].iloc[0])
    metric = spoken(data["metric"].iloc[0])
    sheet.supylabel(f"difference in {metric}\n← {less}   {more} →", fontsize=7, multialignment="center")
    return sheet


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the curves show: estimand, n, band, and what is marked."""
    data = prepare(summary) if data is None else data
    metric, count = data["metric"].iloc[0], data["cell"].nunique()
    sentences = [
        f"Difference in {metric} of each cell to the reference cell by epoch in the study {summary.study.name}, paired "
        f"by seed ({seed_count(data['n'])}).",
        "Lines: mean.",
    ]
    if count < len(summary.effects):
        sentences.append(
            f"{count} of {len(summary.effects)} cells are shown: those that differ in one factor, then those with the "
            "largest differences."
        )
    if data["low"].isna().all():
        return " ".join([*sentences, "No bands: one pair has no interval."])
    sentences.append(
        f"Bands: {LEVEL:.0%} t intervals, pointwise: by chance alone one in twenty epochs of a cell without effect "
        "excludes zero."
    )
    sentences.append(
        "Dashed: the epoch from which on every band to the last one excludes zero on the same side (tested from the "
        f"last epoch backwards, so that the error rate is {1 - LEVEL:.0%} a cell, not adjusted over cells)."
        if data["onset"].notna().any()
        else "For no cell the band excludes zero at the last epoch, so no epoch is marked from which on it matters."
    )
    if summary.rule is not None:
        sentences.append("The bands do not allow for the looks of the sequential rule.")
    return " ".join(sentences)


def _absence(summary: Summary) -> str:
    return "no cell and its reference both wrote curves with the same seed"


DIFFERENCE_CURVES = Figure("difference_curves", prepare, draw, compose, caption, _absence)
