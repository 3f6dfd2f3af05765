"""How far seeds spread: every run of every cell, the runs of one seed joined by a faint line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.figures.figure import Figure
from ablate.figures.lines import with_looks
from ablate.figures.panels import panels_of, plain_numbers, records
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.rows import MANY_ROWS, MOST_ROWS, heights_of, label_width, put_labels
from ablate.figures.sheet import Sheet
from ablate.figures.style import spoken, wrapped
from ablate.figures.wording import sides

__all__ = ["SEEDS", "caption", "compose", "draw", "prepare"]

_COLUMNS = (
    *("block", "cell", "label", "position", "seed", "value", "mean", "low", "high", "n", "metric", "direction"),
    *("colour", "marker"),
)


def prepare(summary: Summary) -> pd.DataFrame:
    """The runs.

    Returns:
        A row for every cell and seed with a result, in the order of the plan (of more than 45 cells in a block, which
        no page holds, the reference and those with the largest differences): ``block`` (the data set, or empty),
        ``cell``, its ``label`` within the block, its ``position`` in the plan, ``seed``, ``value`` of the metric, and,
        the same in all rows of a cell, its ``mean`` with the 95 % t interval ``low`` to ``high``, ``n``, ``metric``,
        ``direction``, and the ``colour`` and ``marker`` of the cell.
    """
    plan = summary.plan
    rows = [(cell, seed, value) for cell, found in summary.values.items() for seed, value in found.items()]
    data = pd.DataFrame(rows, columns=["cell", "seed", "value"])
    data = data.merge(summary.cells[["cell", "mean", "low", "high", "n"]], on="cell")
    data = with_looks(data, summary).assign(metric=plan.study.metric, direction=plan.study.direction)
    size = dict(zip(summary.effects["cell"], summary.effects["difference"].abs(), strict=True))
    kept: set[str] = set()
    for _, own in data.groupby("block"):
        # What has no effect is a reference, or cannot be compared: the former comes first.
        cells = sorted(dict.fromkeys(own["cell"]), key=lambda cell: -np.nan_to_num(size.get(cell, np.inf), nan=0.0))
        kept |= set(cells[:MOST_ROWS])
    data = data[data["cell"].isin(kept)]
    return data.sort_values(["position", "seed"], ignore_index=True)[list(_COLUMNS)]


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one block on each of the axes: a row a cell, a dot a seed, the mean as a tick.

    Args:
        axes: As many axes as the data have blocks, in their order, or one for a single block.
        data: What :func:`prepare` returned, or some of its cells.
    """
    for ax, (block,), own in panels_of(axes, data, ("block",), "blocks"):
        cells = own.drop_duplicates("cell")
        labels = _labels(own, ax.figure.bbox.width / ax.figure.dpi)
        centres = dict(zip(cells["cell"], put_labels(ax, labels), strict=True))
        heights = own["cell"].map(centres)
        points = np.column_stack([own["value"], heights])
        joined = [points[places] for places in own.groupby("seed").indices.values()]
        ax.add_collection(LineCollection(joined, colors="0.75", linewidths=0.5, zorder=1, label="_seeds"))
        for row in records(cells):
            y = centres[row["cell"]]
            if np.isfinite(row["low"]):
                ax.plot([row["low"], row["high"]], [y, y], color=row["colour"], linewidth=3.5, alpha=0.22, zorder=1.5)
            ax.plot([row["mean"]], [y], color=row["colour"], marker="|", markersize=9, markeredgewidth=1.6, zorder=3)
        ax.scatter(
            own["value"],
            heights,
            s=9,
            facecolor="white",
            edgecolor=own["colour"],
            linewidth=0.8,
            zorder=4,
            label="_runs",
        )
        if block:
            ax.set_title(spoken(block))
        less, more = sides(own["direction"].iloc[0])
        ax.margins(x=0.06)
        ax.locator_params(axis="x", nbins=4)
        plain_numbers(ax.xaxis)
        ax.set_xlabel(f"{spoken(own['metric'].iloc[0])}\n← {less}      {more} →")


def _labels(own: pd.DataFrame, inches: float) -> list[str]:
    cells = own.drop_duplicates("cell")
    counts = cells["n"].nunique() > 1
    names = [
        f"{label} (n\u00a0=\u00a0{n})" if counts else str(label)
        for label, n in zip(cells["label"], cells["n"], strict=True)
    ]
    return [wrapped(name, label_width(len(names), inches)) for name in names]


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """A panel a block beside each other, as wide as they need."""
    blocks = list(dict.fromkeys(data["block"]))
    across = min(len(blocks), 3)
    rows = -(-len(blocks) // across)
    width = paper.text if across > 1 or data["cell"].nunique() > MANY_ROWS else paper.column
    height = max(float(heights_of(_labels(data[data["block"] == block], width)).sum()) for block in blocks)
    sheet = Sheet(width, (0.55 + height + 0.2 * (len(blocks) > 1)) * rows)
    panels = list(np.ravel(sheet.subplots(rows, across, squeeze=False)))
    draw(panels[: len(blocks)], data)
    alike = len({tuple(dict.fromkeys(data.loc[data["block"] == block, "label"])) for block in blocks}) == 1
    for place, ax in enumerate(panels):
        if place >= len(blocks):
            ax.set_axis_off()
        elif alike and place % across:
            ax.tick_params(labelleft=False)
    return sheet


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the figure shows: every run, the mean, its interval."""
    study = summary.study
    data = prepare(summary) if data is None else data
    sentences = [
        f"{study.metric} of every run of the study {study.name} ({seed_count(data['n'])} a cell).",
        "Dots: single seeds; faint lines join the runs of one seed, which see the same data in the same order: the "
        "more alike they run, the more pairing gains.",
    ]
    ran = [cell for cell, found in summary.values.items() if found]
    if (shown := data["cell"].nunique()) < len(ran):
        each = " on each data set" if data["block"].nunique() > 1 else ""
        sentences.append(
            f"{shown} of {len(ran)} cells are shown{each}: the reference and those with the largest differences to it."
        )
    if data["low"].notna().any():
        sentences.append(
            f"Ticks: mean; bars behind: its {LEVEL:.0%} t interval. Intervals of single cells do not show whether two "
            "cells differ: that is what paired differences are for."
        )
    else:
        sentences.append("Ticks: mean. No intervals: one seed has none.")
    return " ".join(sentences)


def _absence(summary: Summary) -> str:
    return f"no run has finished with a {summary.study.metric}"


SEEDS = Figure("seeds", prepare, draw, compose, caption, _absence)
