"""How far seeds spread: every run of every cell, the runs of one seed joined by a faint line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from ablate.analysis import Summary
from ablate.captions import CONFIDENCE, bounds_sentence
from ablate.figures.figure import Canvas
from ablate.figures.lines import with_cell_styles
from ablate.figures.panels import ordered_rows, panel_grid, panels_of
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.rows import MANY_ROWS, MOST_ROWS, counted_labels, label_rows, row_heights, value_axis
from ablate.figures.style import direction_label, readable_name
from ablate.formatting import seed_count

_COLUMNS = "is_paired block cell label position seed value mean low high n metric direction colour marker".split()


def prepare(summary: Summary) -> pd.DataFrame:
    """The runs.

    Returns:
        A row for every cell and seed with a result, in the order of the plan (of more than 45 cells in a block, which
        no page holds, the reference and those with the largest differences): ``is_paired`` (whether runs of one seed
        belong together), ``block`` (the data set, or empty),
        ``cell``, its ``label`` within the block, its ``position`` in the plan, ``seed``, ``value`` of the metric, and,
        the same in all rows of a cell, its ``mean`` with the 95% t interval ``low`` to ``high``, ``n``, ``metric``,
        ``direction``, and the ``colour`` and ``marker`` of the cell.
    """
    plan = summary.plan
    rows = [(cell, seed, value) for cell, by_seed in summary.values.items() for seed, value in by_seed.items()]
    data = pd.DataFrame(rows, columns=["cell", "seed", "value"])
    data = data.merge(summary.cells[["cell", "mean", "low", "high", "n"]], on="cell")
    data = with_cell_styles(data, summary).assign(metric=plan.study.metric, direction=plan.study.direction)
    data = data.assign(is_paired=plan.study.paired)
    size = dict(zip(summary.effects["cell"], summary.effects["difference"].abs(), strict=True))
    largest: set[str] = set()
    for _, group in data.groupby("block"):
        # What has no effect is a reference, or cannot be compared: the former comes first.
        cells = sorted(dict.fromkeys(group["cell"]), key=lambda cell: -np.nan_to_num(size.get(cell, np.inf), nan=0.0))
        largest |= set(cells[:MOST_ROWS])
    data = data[data["cell"].isin(largest)]
    return ordered_rows(data, _COLUMNS, data["position"], data["seed"])


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one block on each of the axes: a row a cell, a dot a seed, the mean as a tick.

    Args:
        axes: As many axes as the data have blocks, in their order, or one for a single block.
        data: What :func:`prepare` returned, or some of its cells.
    """
    for ax, _, rows in panels_of(axes, data, ("block",), "blocks"):
        cells = rows.drop_duplicates("cell")
        labels = counted_labels(rows, "label", ax.figure.bbox.width / ax.figure.dpi)
        centres = dict(zip(cells["cell"], label_rows(ax, labels), strict=True))
        heights = rows["cell"].map(centres)
        points = np.column_stack([rows["value"], heights])
        seeds = [points[indices] for indices in rows.groupby("seed").indices.values()]
        if rows["is_paired"].iloc[0]:
            ax.add_collection(LineCollection(seeds, colors="0.75", linewidths=0.5, zorder=1, label="_seeds"))
        for row in cells.to_dict("records"):
            y = centres[row["cell"]]
            if np.isfinite(row["low"]):
                ax.plot([row["low"], row["high"]], [y, y], color=row["colour"], linewidth=3.5, alpha=0.22, zorder=1.5)
            ax.plot([row["mean"]], [y], color=row["colour"], marker="|", markersize=9, markeredgewidth=1.6, zorder=3)
        values, edges = rows["value"], rows["colour"]
        ax.scatter(values, heights, s=9, facecolor="white", edgecolor=edges, linewidth=0.8, zorder=4, label="_runs")
        value_axis(ax, direction_label(readable_name(rows["metric"].iloc[0]), rows["direction"].iloc[0]))


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """A panel a block beside each other, as wide as they need."""
    groups = [group for _, group in data.groupby("block", sort=False)]
    across = min(len(groups), 3)
    width = page.text if across > 1 or data["cell"].nunique() > MANY_ROWS else page.column
    height = max(float(row_heights(counted_labels(group, "label", width)).sum()) for group in groups)
    canvas = Canvas(width, (0.55 + height + 0.2 * (len(groups) > 1)) * -(-len(groups) // across))
    axes = panel_grid(canvas, len(groups), across)
    draw(list(axes.flat)[: len(groups)], data)
    if len({tuple(dict.fromkeys(group["label"])) for group in groups}) == 1:
        # The same rows in all panels: the labels of the first one in a line are enough.
        for ax in list(axes[:, 1:].flat):
            ax.tick_params(labelleft=False)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the figure shows: every run, the mean, its interval."""
    study = summary.study
    sentences = [
        f"{study.metric} of every run of the study {study.name} ({seed_count(data['n'], summary.counted)} a cell).",
        "Dots: single seeds; faint lines join the runs of one seed, which see the same data in the same order: the "
        "more alike they run, the more pairing gains."
        if study.paired
        else "Dots: single runs, which form no pairs.",
    ]
    trained = sum(bool(by_seed) for by_seed in summary.values.values())
    if (shown := data["cell"].nunique()) < trained:
        each = " on each data set" if data["block"].nunique() > 1 else ""
        sentences.append(
            f"{shown} of {trained} cells are shown{each}: the reference and those with the largest differences to it."
        )
    if data["low"].notna().any():
        sentences.append(
            f"Ticks: mean; bars behind: its {CONFIDENCE} t interval. Intervals of single cells do not show whether two "
            "cells differ: that is what paired differences are for."
        )
        sentences += bounds_sentence(data)
    else:
        sentences.append("Ticks: mean. No intervals: one seed has none.")
    return " ".join(sentences)


SEEDS = Figure(prepare, draw, compose, caption, "no run has finished with a result")
