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
from ablate.captions import CONFIDENCE
from ablate.figures.figure import Canvas
from ablate.figures.lines import draw_line, epoch_axis, fit_means, highlighted_cells, with_cell_styles
from ablate.figures.panels import ordered_rows, panel_grid, panels_of
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import direction_label, literal_text, readable_name, wrapped
from ablate.formatting import percent, seed_count

_COLUMNS = "cell position metric epoch n mean low high onset direction colour line marker".split()
_MOST = 12
_PANEL_WIDTH, _PANEL_HEIGHT = 1.6, 1.15


def prepare(summary: Summary) -> pd.DataFrame:
    """The lines and their bands, from runs finished with the same seeds in a cell and its reference.

    Returns:
        A row for every cell and epoch: ``cell``, its ``position`` in the plan, ``metric`` (a column of the curves),
        ``epoch``, ``n`` pairs, ``mean`` difference (cell minus reference) and its pointwise 95% t interval ``low`` to
        ``high``, the ``onset`` (the epoch from which on the interval excludes zero to the end; NaN where it does
        not), ``direction`` of the metric, and the ``colour``, ``line`` and ``marker`` of the cell. In a study of many
        cells only some are there, see the caption.
    """
    curves = summary.counted_curves
    known_tracks = tracks(curves, summary.study.metric)
    if not known_tracks:
        return pd.DataFrame(columns=_COLUMNS)
    track = known_tracks[0]
    chosen = highlighted_cells(summary, _MOST)
    references = {pair.reference.label for pair in comparisons(summary.plan) if pair.cell.label in chosen}
    used = curves[curves["cell"].isin(chosen | references)]
    differences = difference_curves(used, summary.plan, track.validation)
    differences = differences[differences["cell"].isin(chosen)]
    compared = set(differences["cell"])
    first = [cell.label for cell in summary.plan.cells if cell.label in compared][:_MOST]
    differences = differences.assign(onset=differences["cell"].map(onsets(differences)).astype(float))
    data = with_cell_styles(differences[differences["cell"].isin(first)], summary).assign(
        metric=track.validation, direction="min" if track.is_loss else summary.study.direction
    )
    return ordered_rows(data, _COLUMNS, data["position"], data["epoch"])


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one cell on each of the axes.

    Args:
        axes: As many axes as the data have cells, in their order, or one for a single cell.
        data: What :func:`prepare` returned, or some of its cells.
    """
    for ax, (cell,), rows in panels_of(axes, data, ("cell",), "cells"):
        ax.axhline(0, color="0.15", linewidth=0.7, zorder=1.5)
        draw_line(ax, rows, literal_text(cell), band=0.2)
        onset = rows["onset"].iloc[0]
        if np.isfinite(onset):
            is_early = onset < rows["epoch"].mean()
            ax.axvline(onset, color=rows["colour"].iloc[0], linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
            ax.annotate(
                f"from {onset:.0f}",
                (onset, 1.0),
                xycoords=ax.get_xaxis_transform(),
                xytext=(2 if is_early else -2, -1),
                textcoords="offset points",
                ha="left" if is_early else "right",
                va="top",
                fontsize=6,
                color="0.25",
            )
        ax.set_title(wrapped(cell, 26), fontsize=6.5)
        epoch_axis(ax)


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """A panel a cell, all on one scale, as wide as the text of a page."""
    cells = list(dict.fromkeys(data["cell"]))
    width = page.text if len(cells) > 1 else page.column
    across = min(len(cells), max(1, int(width / _PANEL_WIDTH)), 3 if len(cells) in (3, 5, 6, 9) else 4)
    titles = max(wrapped(cell, 26).count("\n") for cell in cells)
    canvas = Canvas(width, (_PANEL_HEIGHT + 0.1 * titles) * -(-len(cells) // across) + 0.45)
    axes = panel_grid(canvas, len(cells), across, sharex=True, sharey=True)
    panels = list(axes.flat)[: len(cells)]
    draw(panels, data)
    fit_means(panels[0], data, share=0.6)
    for ax in panels[-across:]:
        # The lowest panel of each column: below it there may be an empty place.
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("epoch")
    metric = readable_name(data["metric"].iloc[0])
    label = direction_label(f"difference in {metric}", data["direction"].iloc[0], gap=3)
    canvas.supylabel(label, fontsize=7, multialignment="center")
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the curves show: estimand, n, band, and what is marked."""
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
        f"Bands: {CONFIDENCE} t intervals, pointwise: by chance alone one in twenty epochs of a cell without effect "
        "excludes zero."
    )
    sentences.append(
        "Dashed: the epoch from which on every band to the last one excludes zero on the same side (tested from the "
        f"last epoch backwards, so that the error rate is {percent(1 - LEVEL)} a cell, not adjusted over cells)."
        if data["onset"].notna().any()
        else "For no cell the band excludes zero at the last epoch, so no epoch is marked from which on it matters."
    )
    if summary.rule is not None:
        sentences.append("The bands do not allow for the looks of the sequential rule.")
    return " ".join(sentences)


DIFFERENCE_CURVES = Figure(
    prepare, draw, compose, caption, "no cell and its reference both wrote curves with the same seed"
)
