"""What cells reach for what they cost: the metric against weights, operations and latency."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from ablate.analysis import Summary
from ablate.analysis.costs import pareto_front
from ablate.captions import CONFIDENCE, bounds_sentence
from ablate.figures import panels
from ablate.figures.figure import Canvas
from ablate.figures.lines import highlighted_cells, with_cell_styles
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import direction_label, literal_text, readable_name, wrapped
from ablate.formatting import seed_count

_COLUMNS = (
    "block measure cell label position cost mean low high n front metric direction batch highlighted colour marker"
).split()
_MEASURES = {
    "weights": ("weights", "number of weights"),
    "flops": (
        "floating-point operations an image",
        "floating-point operations of one image (multiplication and addition count as two)",
    ),
    "latency": ("latency", "measured latency of a forward pass"),
}
"""Columns of the costs, what an axis calls them, and what a caption."""
_HIGHLIGHTED = 9
_LOG_FROM = 4.0
_PANEL_HEIGHT = 1.75


def prepare(summary: Summary) -> pd.DataFrame:
    """The points.

    Returns:
        A row for every cell with a result and cost that was measured: ``block`` (the data set, or empty), ``measure``
        (``weights``, ``flops``, ``latency`` in seconds), ``cell``, its ``label`` within the block and ``position`` in
        the plan, ``cost``, ``mean`` of the metric with the 95% t interval ``low`` to ``high``, ``n``, whether it is on
        the Pareto ``front`` of the block, ``metric``, ``direction``, images a ``batch`` of the latency, whether the
        cell is ``highlighted`` (of many cells not all are), and its ``colour`` and ``marker``. A measure in which all
        cells are alike is left out.
    """
    study = summary.study
    measured = summary.costs if len(summary.costs) else summary.cells[["cell", "weights"]]
    groups = []
    for measure in _MEASURES:
        if measure not in measured or measured[measure].nunique() < 2:
            continue
        batch = measured["batch"] if "batch" in measured else np.nan
        rows = measured[["cell"]].assign(cost=measured[measure].astype(float), batch=batch)
        rows = rows.merge(summary.cells[["cell", "mean", "low", "high", "n"]], on="cell")
        rows = rows.dropna(subset=["cost", "mean"])
        for _, group in with_cell_styles(rows, summary).groupby("block", sort=False):
            front = pareto_front(list(group["cost"]), list(group["mean"]), study.direction)
            groups.append(group.assign(measure=measure, front=front))
    if not groups:
        return pd.DataFrame(columns=_COLUMNS)
    data = pd.concat(groups, ignore_index=True).assign(metric=study.metric, direction=study.direction)
    data["highlighted"] = data["cell"].isin(highlighted_cells(summary, _HIGHLIGHTED)) | data["front"]
    block = data.groupby("block")["position"].transform("min")
    return panels.ordered_rows(data, _COLUMNS, block, data["measure"].map(list(_MEASURES).index), data["position"])


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one measure of one block on each of the axes.

    Args:
        axes: As many axes as the data have pairs of block and measure, in their order, or one for a single pair.
        data: What :func:`prepare` returned, or some of its measures and cells.
    """
    for ax, (_, measure), rows in panels.panels_of(axes, data, ("block", "measure"), "panels"):
        _format_cost_axis(ax, rows, measure)
        _draw_front(ax, rows)
        for row in rows.to_dict("records"):
            _draw_cell(ax, row)
        panels.format_ticks(ax.yaxis)
        ax.set_ylabel(direction_label(readable_name(rows["metric"].iloc[0]), rows["direction"].iloc[0]))


def _draw_cell(ax: Axes, row: dict[Hashable, Any]) -> None:
    bright = bool(row["highlighted"])
    colour = row["colour"] if bright else "0.75"
    if np.isfinite(row["low"]):
        ax.plot([row["cost"]] * 2, [row["low"], row["high"]], color=colour, linewidth=0.7, alpha=0.6, zorder=2)
    marker, size, zorder = (row["marker"], 5, 4) if bright else (".", 3, 3)
    face, label = colour if row["front"] else "white", literal_text(str(row["cell"]))
    panels.draw_point(
        ax, row["cost"], row["mean"], marker, size, face, colour, zorder, markeredgewidth=0.9, label=label
    )


def _draw_front(ax: Axes, rows: pd.DataFrame) -> None:
    front = rows[rows["front"].astype(bool)].sort_values("cost")
    if len(front) > 1:
        dashed: dict[str, Any] = {"color": "0.6", "linewidth": 0.7, "linestyle": "--"}
        ax.plot(front["cost"], front["mean"], drawstyle="steps-post", zorder=1, label="_front", **dashed)


def _format_cost_axis(ax: Axes, rows: pd.DataFrame, measure: str) -> None:
    low, high = float(rows["cost"].min()), float(rows["cost"].max())
    if low > 0 and high / low >= _LOG_FROM:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.margins(x=0.1, y=0.08)
    label = _MEASURES[measure][0]
    if measure == "latency" and np.isfinite(rows["batch"].iloc[0]):
        label += f" of a batch of {rows['batch'].iloc[0]:.0f}"
    ax.xaxis.set_major_formatter(EngFormatter(unit="s" if measure == "latency" else "", sep="\u2009"))
    log = " (log scale)" if ax.get_xscale() == "log" else ""
    ax.set_xlabel(wrapped(f"{label}{log}", 26))


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """A panel a measure, a row a block; the names of the cells below."""
    measures = data["measure"].nunique()
    count = data.groupby(["block", "measure"]).ngroups
    across = measures if measures > 1 and count == measures * data["block"].nunique() else min(3, count)
    width = page.column if across == 1 else page.text
    entries = panels.cell_entries(data, lines=False)
    rows = -(-count // across)
    canvas = Canvas(width, min(_PANEL_HEIGHT, 8.5 / rows) * rows + 0.25 + panels.legend_height(entries, width))
    axes = panels.panel_grid(canvas, count, across)
    draw(list(axes.flat)[:count], data)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    panels.add_legend(canvas, entries)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the figure shows: the costs, the mean, its interval, the front."""
    study = summary.study
    costs = ", ".join(_MEASURES[measure][1] for measure in dict.fromkeys(data["measure"]))
    sentences = [
        f"{study.metric} of the cells of the study {study.name} against what they cost: {costs}.",
        f"Markers: mean over {seed_count(data['n'])}.",
    ]
    if data["low"].notna().any():
        sentences.append(f"Lines: its {CONFIDENCE} t interval.")
        sentences += bounds_sentence(data)
    sentences.append(
        "Filled, and joined by the dashed line: the Pareto front of the means, of which no other cell is as good for "
        "as little; neighbours on it need not differ significantly."
    )
    return " ".join(sentences)


COST = Figure(prepare, draw, compose, caption, "no cost was measured in which cells differ")
