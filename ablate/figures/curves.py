"""Learning curves: training and validation by epoch, a mean line and a band a cell, and where overfitting begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ablate.analysis import Summary
from ablate.analysis.curves import end_window, mean_curves, overfitting, tracks
from ablate.captions import CONFIDENCE, bounds_sentence
from ablate.figures.figure import Canvas
from ablate.figures.lines import draw_line, epoch_axis, fit_means, highlighted_cells, with_cell_styles
from ablate.figures.panels import add_legend, cell_entries, legend_height, ordered_rows, panels_of
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import literal_text, readable_name
from ablate.formatting import seed_count

_COLUMNS = "block metric split cell label position epoch n mean low high onset highlighted colour line marker".split()
_HIGHLIGHTED = 7
_PANEL_HEIGHT = 1.5
_TALLEST = 7.5
_LOWEST = 0.9
_MOST_LINES = 40
_FAINTEST, _STRONGEST = 0.06, 0.15
_RING: dict[str, Any] = {"marker": "o", "markersize": 8.5, "markerfacecolor": "none", "markeredgewidth": 1.1}


def prepare(summary: Summary) -> pd.DataFrame:
    """The lines and their bands, from the finished runs.

    Returns:
        A row for every block, metric, cell and epoch: ``block`` (the data set, or empty), ``metric`` (a column of the
        curves), ``split`` (``training`` or ``validation``), ``cell``, its ``label`` within the block and ``position``
        in the plan, ``epoch``, ``n`` runs, ``mean``, its 95% t interval ``low`` to ``high`` (NaN for one run), the
        ``onset`` of overfitting of the cell (an epoch; NaN where none is shown, and for all that is no validation
        loss), whether the cell is ``highlighted`` (of many cells not all are), and its ``colour``, ``line`` and
        ``marker``.
    """
    curves, resplit = summary.counted_curves, summary.study.resplit
    chosen = highlighted_cells(summary, _HIGHLIGHTED)
    means = []
    for track in tracks(curves, summary.study.metric):
        for split, column in (("training", track.training), ("validation", track.validation)):
            if column is not None:
                lines = mean_curves(curves, column, resplit=resplit)
                means.append(lines.assign(metric=column, split=split, onset=np.nan))
        if track.is_loss and track.training is not None:
            rises = overfitting(curves[curves["cell"].isin(chosen)], track.validation, track.training, resplit)
            onsets = rises[rises["shown"].astype(bool)].set_index("cell")["epoch"]
            means[-1]["onset"] = means[-1]["cell"].map(onsets).astype(float)
    means = [frame for frame in means if len(frame)]
    if not means:
        return pd.DataFrame(columns=_COLUMNS)
    data = with_cell_styles(pd.concat(means, ignore_index=True), summary)
    data["highlighted"] = data["cell"].isin(chosen)
    block = data.groupby("block")["position"].transform("min")
    return ordered_rows(data, _COLUMNS, block, pd.factorize(data["metric"])[0], data["position"], data["epoch"])


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one metric of one block on each of the axes.

    Args:
        axes: As many axes as the data have pairs of block and metric, in their order, or one for a single pair.
        data: What :func:`prepare` returned, or some of its metrics and cells.
    """
    for ax, (_, metric), rows in panels_of(axes, data, ("block", "metric"), "panels"):
        _draw_other_cells(ax, rows[~rows["highlighted"].astype(bool)])
        bright = rows[rows["highlighted"].astype(bool)]
        # The more bands lie over each other, the fainter each must be.
        band = max(_FAINTEST, min(_STRONGEST, 0.5 / max(1, bright["cell"].nunique())))
        for _, line in bright.groupby("position"):
            first = line.iloc[0]
            draw_line(ax, line, literal_text(str(first["cell"])), stagger=int(first["position"]), band=band)
            if np.isfinite(first["onset"]):
                lowest = float(line.loc[line["epoch"] == first["onset"], "mean"].iloc[0])
                ring = _RING | {"markeredgecolor": first["colour"], "linestyle": "none"}
                ax.plot([first["onset"]], [lowest], label="_onset", zorder=6, **ring)
        fit_means(ax, rows, bounded=True)
        ax.set_ylabel(readable_name(metric))
        epoch_axis(ax)
        ax.set_xlabel("epoch")


def _draw_other_cells(ax: Axes, pale: pd.DataFrame) -> None:
    """The cells that are not highlighted: a line each, or of very many, which would cover each other, the range."""
    if pale["cell"].nunique() > _MOST_LINES:
        means = pale.groupby("epoch")["mean"]
        low, high = means.min(), means.max()
        ax.fill_between(low.index, low, high, color="0.88", linewidth=0, zorder=1, label="_others")
        return
    for _, line in pale.groupby("position"):
        ax.plot(line["epoch"], line["mean"], color="0.82", linewidth=0.6, zorder=1, label="_other")


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The curves as wide as the text of a page: training left, validation right, a row a metric and block.

    Without training curves the panels stand below each other in one column. Where there are more data sets than a page
    holds, only the first metric is drawn.
    """
    blocks = data["block"].nunique()
    if blocks * data["metric"].nunique() * _LOWEST > 2 * _TALLEST:
        first = data["metric"].iloc[0].partition("_")[2] or data["metric"].iloc[0]
        data = data[data["metric"].str.endswith(first)]
    panels = list(dict.fromkeys(zip(data["block"], data["metric"], data["split"], strict=True)))
    across = 2 if [split for _, _, split in panels] == ["training", "validation"] * (len(panels) // 2) else 1
    rows = len(panels) // across
    width = page.text if across == 2 else page.column
    entries = cell_entries(data)
    if data["onset"].notna().any():
        entries.append((Line2D([], [], markeredgecolor="0.2", linestyle="none", **_RING), "overfitting begins"))
    height = min(_PANEL_HEIGHT, _TALLEST / rows) + (0.15 if blocks > 1 else 0)
    canvas = Canvas(width, height * rows + 0.35 + legend_height(entries, width))
    axes = canvas.subplots(rows, across, sharex=True, squeeze=False)
    draw(list(axes.flat), data)
    for row in axes:
        # Training and validation of one metric on one scale.
        limits = [ax.get_ylim() for ax in row]
        for ax in row:
            ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    add_legend(canvas, entries)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the curves show: whose mean, n, band, and what is marked."""
    metrics = ", ".join(dict.fromkeys(data["metric"]))
    sentences = [
        f"Learning curves of the study {summary.study.name}: {metrics} by epoch.",
        f"Lines: mean over {seed_count(data['n'])}.",
    ]
    if data["low"].notna().any():
        sentences.append(f"Bands: pointwise {CONFIDENCE} t intervals of the mean, cut off at the edge of the axes.")
        sentences += bounds_sentence(data)
    else:
        sentences.append("No bands: one seed has no interval.")
    lengths = data.groupby("cell")["epoch"].max()
    if lengths.nunique() > 1:
        sentences.append("A line ends where the first run of its cell ends.")
    if not data["highlighted"].all():
        shown = int(data.loc[data["highlighted"].astype(bool), "cell"].nunique())
        sentences.append(
            f"Coloured: {shown} of {data['cell'].nunique()} cells: references, cells that differ in one factor, then "
            "those with the largest differences."
        )
        if data["cell"].nunique() - shown > _MOST_LINES:
            sentences.append("Grey: the range of the means of the others.")
    return " ".join([*sentences, *_overfitting_sentences(summary, data)])


def _overfitting_sentences(summary: Summary, data: pd.DataFrame) -> list[str]:
    losses = [track for track in tracks(summary.curves, summary.study.metric) if track.is_loss and track.training]
    if not losses:
        return []
    if data["n"].max() < 2:
        return ["Overfitting is not marked: in one seed a rise cannot be told from noise."]
    window = end_window(int(data["epoch"].max()))
    rule = (
        f"the lowest mean {losses[0].validation}, where from there to the mean of the last {window} epochs it rises "
        f"({CONFIDENCE} t interval over seeds, each measured from the epoch that is lowest in the others) while "
        f"{losses[0].training} falls"
    )
    if data["onset"].isna().all():
        return [f"No cell is shown to overfit; marked would be {rule}."]
    return [f"Rings, where overfitting begins: {rule}."]


CURVES = Figure(prepare, draw, compose, caption, "no finished run wrote curves")
