"""The "w/o X" chart: what each cell loses or gains against the reference, with every seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Sheet

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.figures.figure import Figure
from ablate.figures.style import ONE_COLUMN, TWO_COLUMNS, cell_style, wrapped

__all__ = ["EFFECTS", "caption", "compose", "draw", "prepare"]

_LABEL_WIDTH = 24
_MANY = 12
_MANY_LABEL_WIDTH = 64
_MOST = 60
# In inches, which are the units of the vertical axis: so rows of one line and of several keep the same gap.
_LINE_HEIGHT = 0.115
_ROW_GAP = 0.085
_PALE = 0.3


def prepare(summary: Summary) -> pd.DataFrame:
    """The bars and their dots.

    Returns:
        A row for every cell and seed shared with its reference, the cells from the largest contribution down; of more
        than 60 cells, which no page holds, those with the largest differences. Columns:
        ``cell``, its ``position`` in the plan, ``seed``, that seed's ``value`` (cell minus reference, in units of the
        metric), and, the same in all rows of a cell, mean ``difference``, its interval ``low`` to ``high``, ``n``,
        ``verdict``, ``metric``, ``direction``, ``margin``.
    """
    study = summary.study
    position = {cell.label: index for index, cell in enumerate(summary.plan.cells)}
    pairs = summary.pairs[["cell", "seed", "difference"]].rename(columns={"difference": "value"})
    size = summary.effects["difference"].abs().sort_values(ascending=False, kind="stable")
    bars = summary.effects.loc[size.index[:_MOST]]
    data = pairs.merge(bars[["cell", "difference", "low", "high", "contribution", "n", "verdict"]], on="cell")
    data = data.assign(
        position=data["cell"].map(position).astype(int),
        metric=study.metric,
        direction=study.direction,
        margin=np.nan if study.margin is None else study.margin,
    )
    order = np.lexsort([data["seed"], data["position"], -data["contribution"]])
    return data.drop(columns="contribution").iloc[order].reset_index(drop=True)


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the chart: bars from a zero line, an interval on each, a dot a seed.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its cells.
    """
    cells = list(dict.fromkeys(data["cell"]))
    margin = float(data["margin"].iloc[0])
    if np.isfinite(margin):
        ax.axvspan(-margin, margin, color="0.92", linewidth=0, zorder=0)
    labels = [_label(data, cell) for cell in cells]
    heights = np.array([_ROW_GAP + _LINE_HEIGHT * (label.count("\n") + 1) for label in labels])
    centres = np.cumsum(heights) - heights / 2
    thickness = 0.75 * (_ROW_GAP + _LINE_HEIGHT)
    for y, cell in zip(centres, cells, strict=True):
        rows = data[data["cell"] == cell]
        bar = rows.iloc[0]
        colour = cell_style(int(bar["position"])).colour
        face = colour if bar["verdict"] != "undecided" else _paler(colour)
        ax.barh(y, bar["difference"], height=thickness, color=face, edgecolor=colour, linewidth=0.7, zorder=2)
        if np.isfinite(bar["low"]):
            ax.plot([bar["low"], bar["high"]], [y, y], color="0.15", linewidth=0.9, marker="|", markersize=4, zorder=3)
        spread = thickness * np.linspace(-0.3, 0.3, len(rows)) if len(rows) > 1 else np.zeros(1)
        ax.scatter(
            rows["value"], y + spread, s=7, facecolor="white", edgecolor="0.15", linewidth=0.6, zorder=4, clip_on=False
        )
    ax.axvline(0, color="0.15", linewidth=0.7, zorder=5)
    ax.set_yticks(centres, labels)
    ax.set_ylim(heights.sum(), 0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=5)
    worse, better = ("worse", "better") if data["direction"].iloc[0] == "max" else ("better", "worse")
    metric = wrapped(f"difference in {data['metric'].iloc[0]}".replace("_", " "), _LABEL_WIDTH + 12)
    ax.set_xlabel(f"{metric}\n← {worse}      {better} →")


def compose(data: pd.DataFrame) -> Sheet:
    """The chart as one column of a paper, or both where there are many cells, as high as its labels need."""
    cells = list(dict.fromkeys(data["cell"]))
    lines = sum(_label(data, cell).count("\n") + 1 for cell in cells)
    width = ONE_COLUMN if len(cells) <= _MANY else TWO_COLUMNS
    sheet = Sheet(figsize=(width, 0.55 + len(cells) * _ROW_GAP + lines * _LINE_HEIGHT), layout="constrained")
    draw(sheet.subplots(), data)
    return sheet


def caption(summary: Summary) -> str:
    """What the chart shows: estimand, n, interval, test."""
    study, found = summary.study, summary.effects
    n = seed_count(found.loc[found["n"] > 0, "n"])
    sentences = [
        f"Effect on {study.metric} in the study {study.name} ({study.design}): difference of each cell to the "
        f"reference cell, where every factor is at its reference level, paired by seed ({n}).",
        "Bars: mean; dots: single seeds.",
    ]
    if len(found) > _MOST:
        sentences.append(f"Only the {_MOST} largest of {len(found)} differences are shown.")
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


def _label(data: pd.DataFrame, cell: str) -> str:
    counts = data.groupby("cell")["n"].first()
    # Blanks that do not break keep the count in one piece.
    suffix = f" (n\u00a0=\u00a0{counts[cell]})" if counts.nunique() > 1 else ""
    return wrapped(cell + suffix, _LABEL_WIDTH if len(counts) <= _MANY else _MANY_LABEL_WIDTH)


def _paler(colour: str) -> tuple[float, ...]:
    return tuple(1 - _PALE * (1 - part) for part in to_rgb(colour))


EFFECTS = Figure("effects", prepare, draw, compose, caption, _absence)
