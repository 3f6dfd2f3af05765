"""The "w/o X" chart: what each cell loses or gains against the reference, with every seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.captions import inference_sentences, margin_sentence
from ablate.figures import rows
from ablate.figures.colours import mixed
from ablate.figures.figure import Canvas
from ablate.figures.lines import with_cell_styles
from ablate.figures.panels import ordered_rows
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import LINE_HEIGHT, direction_label, wrapped
from ablate.formatting import seed_count

_COLUMNS = "cell position colour seed value difference low high n verdict metric direction margin".split()
_LABEL_WIDTH = 36


def prepare(summary: Summary) -> pd.DataFrame:
    """The bars and their dots.

    Returns:
        A row for every cell and seed shared with its reference, within a block (a data set) the cells from the largest
        contribution down; of more than 45 cells, which no page holds, those with the largest differences. Columns:
        ``cell``, its ``position`` in the plan and ``colour``, ``seed``, that seed's ``value`` (cell minus reference, in
        units of the metric), and, the same in all rows of a cell, mean ``difference``, its interval ``low`` to
        ``high``, ``n``, ``verdict``, ``metric``, ``direction``, ``margin``.
    """
    study = summary.study
    pairs = summary.pairs[["cell", "seed", "difference"]].rename(columns={"difference": "value"})
    bars = summary.effects.loc[summary.effects["difference"].abs().nlargest(rows.MOST_ROWS).index]
    data = pairs.merge(bars[["cell", "difference", "low", "high", "contribution", "n", "verdict"]], on="cell")
    data = with_cell_styles(data, summary).assign(
        metric=study.metric, direction=study.direction, margin=np.nan if study.margin is None else study.margin
    )
    block = data.groupby("block")["position"].transform("min")
    return ordered_rows(data, _COLUMNS, block, -data["contribution"], data["position"], data["seed"])


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the chart: bars from a zero line, an interval on each, a dot a seed.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its cells.
    """
    rows.margin_band(ax, data)
    centres = rows.label_rows(ax, rows.counted_labels(data, "cell", ax.figure.bbox.width / ax.figure.dpi))
    thickness = 0.75 * (rows.ROW_GAP + LINE_HEIGHT)
    for y, (_, group) in zip(centres, data.groupby("cell", sort=False), strict=True):
        bar = group.iloc[0]
        colour = str(bar["colour"])
        face = colour if bar["verdict"] != "undecided" else mixed(colour, 0.3)
        ax.barh(y, bar["difference"], height=thickness, color=face, edgecolor=colour, linewidth=0.7, zorder=2)
        if np.isfinite(bar["low"]):
            ax.plot([bar["low"], bar["high"]], [y, y], color="0.15", linewidth=0.9, marker="|", markersize=4, zorder=3)
        spread = thickness * np.linspace(-0.3, 0.3, len(group)) if len(group) > 1 else np.zeros(1)
        ax.scatter(
            group["value"], y + spread, s=7, facecolor="white", edgecolor="0.15", linewidth=0.6, zorder=4, clip_on=False
        )
    ax.axvline(0, color="0.15", linewidth=0.7, zorder=5)
    metric = wrapped(f"difference in {data['metric'].iloc[0]}".replace("_", " "), _LABEL_WIDTH)
    rows.value_axis(ax, direction_label(metric, data["direction"].iloc[0]), bins=5, margin=0.05)


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The chart in one column of a page, or as wide as the text where there are many cells."""
    width = page.column if data["cell"].nunique() <= rows.MANY_ROWS else page.text
    canvas = Canvas(width, 0.62 + float(rows.row_heights(rows.counted_labels(data, "cell", width)).sum()))
    draw(canvas.subplots(), data)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the chart shows: estimand, n, interval, test."""
    study, effects = summary.study, summary.effects
    n = seed_count(effects.loc[effects["n"] > 0, "n"], summary.counted)
    sentences = [
        f"Effect on {study.metric} in the study {study.name} ({study.design}): difference of each cell to the "
        f"reference cell, where every factor is at its reference level, {summary.pairing} ({n}).",
        f"Bars: mean; dots: single {summary.counted}s.",
    ]
    if len(effects) > rows.MOST_ROWS:
        sentences.append(f"Only the {rows.MOST_ROWS} largest of {len(effects)} differences are shown.")
    stated = "Whiskers: {interval}. Pale bars: undecided by {test}."
    sentences.append(inference_sentences(summary, effects["low"], len(effects), stated))
    return " ".join([*sentences, *margin_sentence(summary)])


EFFECTS = Figure(prepare, draw, compose, caption, "no cell shares a finished seed with its reference")
