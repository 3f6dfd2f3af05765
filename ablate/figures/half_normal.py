"""The half-normal plot of a design without replicates: effects that are more than noise stand off the line."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary, anova
from ablate.analysis.lenth import TEST, half_normal_quantiles
from ablate.analysis.verdicts import ALPHA, holm
from ablate.errors import AnalysisError
from ablate.figures.colours import VERDICT_STYLES
from ablate.figures.figure import Canvas
from ablate.figures.panels import ordered_rows
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import literal_text, readable_name, wrapped

_COLUMNS = "term effect size quantile pseudo_error margin_of_error p p_adjusted metric".split()
_LABELLED = 5
"""How many of the largest effects have their names beside them, at least."""


def prepare(summary: Summary) -> pd.DataFrame:
    """The effects of a two-level design with one run a cell.

    Returns:
        A row an effect, the smallest first: its ``term``, the ``effect``, its ``size`` without the sign, the
        ``quantile`` of the half-normal distribution that belongs to its rank, Lenth's ``pseudo_error`` and
        ``margin_of_error``, ``p``, ``p_adjusted`` (Holm), ``metric``; without error and tests where the runs split one
        data set anew. No rows where runs are replicated.
    """
    empty = pd.DataFrame(columns=_COLUMNS)
    try:
        fitted = anova(summary.plan, summary.values, summary.rule)
    except AnalysisError:
        return empty
    if fitted.test != TEST:
        return empty
    data = fitted.effects.assign(size=fitted.effects["effect"].abs(), p_adjusted=holm(fitted.effects["p"].tolist()))
    data = data.sort_values(["size", "term"], kind="stable", ignore_index=True)
    data = data.assign(
        quantile=half_normal_quantiles(len(data)),
        pseudo_error=data["error"],
        margin_of_error=(data["high"] - data["low"]) / 2,
        metric=summary.study.metric,
    )
    return ordered_rows(data, _COLUMNS, np.arange(len(data)))


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the plot: sizes of effects against half-normal quantiles, the line of noise, the margin of error.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned.
    """
    clear = data["p_adjusted"].to_numpy(dtype=float) <= ALPHA
    colour, other = VERDICT_STYLES["helps"].colour, VERDICT_STYLES["undecided"].colour
    error, margin = float(data["pseudo_error"].iloc[0]), float(data["margin_of_error"].iloc[0])
    top = float(data["quantile"].max()) * 1.12
    if math.isfinite(error):
        ax.plot([0, top * error], [0, top], color="0.6", linewidth=0.8, zorder=1)
        ax.axvline(margin, color="0.6", linewidth=0.8, linestyle="--", zorder=1)
    for is_clear in (True, False):
        rows = data[clear == is_clear]
        face = colour if is_clear else "white"
        edge = colour if is_clear else other
        ax.scatter(rows["size"], rows["quantile"], s=16, facecolor=face, edgecolor=edge, linewidth=0.8, zorder=3)
    labelled = max(_LABELLED, int(clear.sum()))
    largest = float(data["size"].max())
    for row in data.tail(labelled).to_dict("records"):
        is_right = row["size"] > 0.6 * largest
        ax.annotate(
            literal_text(str(row["term"])),
            (row["size"], row["quantile"]),
            xytext=(-5 if is_right else 5, 0),
            textcoords="offset points",
            ha="right" if is_right else "left",
            va="center",
            fontsize=6.5,
        )
    ax.set_xlim(0, float(np.nanmax([largest, margin])) * 1.08)
    ax.set_ylim(0, top)
    ax.set_xlabel(wrapped(f"size of the effect on {readable_name(str(data['metric'].iloc[0]))}", 44))
    ax.set_ylabel("half-normal quantile")


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The plot in one column of a page."""
    canvas = Canvas(page.column, 2.6)
    draw(canvas.subplots(), data)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the plot shows: effects, line, margin, test."""
    begin = (
        f"Half-normal plot of the {len(data)} effects on {summary.study.metric} in the study {summary.study.name} "
        f"({summary.study.design}), one run a cell."
    )
    if data["p"].isna().all():
        return (
            f"{begin} No line of noise and no test: the runs split one data set anew, which no method allows for here."
        )
    clear = data.loc[data["p_adjusted"] <= ALPHA, "term"].tolist()
    which = f"clear: {', '.join(map(str, reversed(clear)))}" if clear else "none is clear"
    error, margin = float(data["pseudo_error"].iloc[0]), float(data["margin_of_error"].iloc[0])
    freedom = math.floor(10 * len(data) / 3) / 10
    return (
        f"{begin} Line: effects that are noise, by Lenth's pseudo standard error of {error:.3g}; dashed: its 95% "
        f"margin of error of {margin:.3g} on {freedom:g} degrees of freedom. Filled: p ≤ {ALPHA:g}, Holm-adjusted over "
        f"{len(data)} effects; {which}."
    )


HALF_NORMAL = Figure(prepare, draw, compose, caption, "it is for designs of two levels with as many effects as runs")
