"""The "w/o X" chart: what each cell loses or gains against the reference, with every seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.figures.colours import cell_looks, paler
from ablate.figures.figure import Figure
from ablate.figures.panels import plain_numbers
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.rows import MANY_ROWS, MOST_ROWS, ROW_GAP, heights_of, label_width, put_labels
from ablate.figures.sheet import Sheet
from ablate.figures.style import LINE_HEIGHT, wrapped
from ablate.figures.wording import block_label, sides

__all__ = ["EFFECTS", "caption", "compose", "draw", "prepare"]

_LABEL_WIDTH = 24


def prepare(summary: Summary) -> pd.DataFrame:
    """The bars and their dots.

    Returns:
        A row for every cell and seed shared with its reference, within a block (a data set) the cells from the largest
        contribution down; of more than 45 cells, which no page holds, those with the largest differences. Columns:
        ``cell``, its ``position`` in the plan and ``colour``, ``seed``, that seed's ``value`` (cell minus reference, in
        units of the metric), and, the same in all rows of a cell, mean ``difference``, its interval ``low`` to
        ``high``, ``n``, ``verdict``, ``metric``, ``direction``, ``margin``.
    """
    study, looks = summary.study, cell_looks(summary.plan)
    position = {cell.label: index for index, cell in enumerate(summary.plan.cells)}
    blocks = {cell.label: block_label(cell, summary.plan) for cell in summary.plan.cells}
    pairs = summary.pairs[["cell", "seed", "difference"]].rename(columns={"difference": "value"})
    size = summary.effects["difference"].abs().sort_values(ascending=False, kind="stable")
    bars = summary.effects.loc[size.index[:MOST_ROWS]]
    data = pairs.merge(bars[["cell", "difference", "low", "high", "contribution", "n", "verdict"]], on="cell")
    data = data.assign(
        position=data["cell"].map(position).astype(int),
        colour=data["cell"].map({cell: look.colour for cell, look in looks.items()}),
        metric=study.metric,
        direction=study.direction,
        margin=np.nan if study.margin is None else study.margin,
    )
    places = {block: place for place, block in enumerate(dict.fromkeys(blocks.values()))}
    group = data["cell"].map(blocks).map(places)
    order = np.lexsort([data["seed"], data["position"], -data["contribution"], group])
    return data.drop(columns="contribution").iloc[order].reset_index(drop=True)


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the chart: bars from a zero line, an interval on each, a dot a seed.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its cells.
    """
    margin = float(data["margin"].iloc[0])
    if np.isfinite(margin):
        ax.axvspan(-margin, margin, color="0.92", linewidth=0, zorder=0)
    centres = put_labels(ax, _labels(data, ax.figure.bbox.width / ax.figure.dpi))
    thickness = 0.75 * (ROW_GAP + LINE_HEIGHT)
    for y, (_, rows) in zip(centres, data.groupby("cell", sort=False), strict=True):
        bar = rows.iloc[0]
        colour = str(bar["colour"])
        face = colour if bar["verdict"] != "undecided" else paler(colour)
        ax.barh(y, bar["difference"], height=thickness, color=face, edgecolor=colour, linewidth=0.7, zorder=2)
        if np.isfinite(bar["low"]):
            ax.plot([bar["low"], bar["high"]], [y, y], color="0.15", linewidth=0.9, marker="|", markersize=4, zorder=3)
        spread = thickness * np.linspace(-0.3, 0.3, len(rows)) if len(rows) > 1 else np.zeros(1)
        ax.scatter(
            rows["value"], y + spread, s=7, facecolor="white", edgecolor="0.15", linewidth=0.6, zorder=4, clip_on=False
        )
    ax.axvline(0, color="0.15", linewidth=0.7, zorder=5)
    ax.locator_params(axis="x", nbins=5)
    plain_numbers(ax.xaxis)
    less, more = sides(data["direction"].iloc[0])
    metric = wrapped(f"difference in {data['metric'].iloc[0]}".replace("_", " "), _LABEL_WIDTH + 12)
    ax.set_xlabel(f"{metric}\n← {less}      {more} →")


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """The chart in one column of a paper, or as wide as the text where there are many cells."""
    width = paper.column if data["cell"].nunique() <= MANY_ROWS else paper.text
    heights = heights_of(_labels(data, width))
    sheet = Sheet(width, 0.62 + float(heights.sum()))
    draw(sheet.subplots(), data)
    return sheet


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the chart shows: estimand, n, interval, test."""
    study, found = summary.study, summary.effects
    n = seed_count(found.loc[found["n"] > 0, "n"])
    sentences = [
        f"Effect on {study.metric} in the study {study.name} ({study.design}): difference of each cell to the "
        f"reference cell, where every factor is at its reference level, paired by seed ({n}).",
        "Bars: mean; dots: single seeds.",
    ]
    if len(found) > MOST_ROWS:
        sentences.append(f"Only the {MOST_ROWS} largest of {len(found)} differences are shown.")
    if found["low"].notna().any():
        sentences += [
            f"Whiskers: {LEVEL:.0%} {summary.interval_name}s, unadjusted.",
            f"Pale bars: undecided by {summary.test_name}s, Holm-adjusted over {len(found)} "
            f"comparison{'s' if len(found) > 1 else ''} (α = {ALPHA:g}).",
        ]
    else:
        sentences.append("No interval or test: too few seeds, or no spread between them.")
    if study.margin is not None:
        sentences.append(f"Grey band: the margin of ±{study.margin:g}.")
    return " ".join(sentences)


def _absence(summary: Summary) -> str:
    return "no cell shares a finished seed with its reference"


def _labels(data: pd.DataFrame, inches: float) -> list[str]:
    counts = data.groupby("cell", sort=False)["n"].first()
    width = label_width(len(counts), inches)
    # Blanks that do not break keep the count in one piece.
    suffixes = [f" (n\u00a0=\u00a0{n})" if counts.nunique() > 1 else "" for n in counts]
    return [wrapped(f"{cell}{suffix}", width) for cell, suffix in zip(counts.index, suffixes, strict=True)]


EFFECTS = Figure("effects", prepare, draw, compose, caption, _absence)
