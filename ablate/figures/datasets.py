"""The effects on every data set beside each other, and what they come to together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.figures.colours import BLACK, cell_looks
from ablate.figures.figure import Figure
from ablate.figures.legends import legend_height, put_legend
from ablate.figures.panels import plain_numbers, records
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.rows import zero_line
from ablate.figures.sheet import Sheet
from ablate.figures.style import spoken, wrapped
from ablate.figures.wording import (
    block_label,
    contribution_ends,
    ingredient_label,
    interval_words,
    margin_words,
)

__all__ = ["DATASETS", "POOLED", "caption", "compose", "draw", "prepare"]

POOLED = ""
"""The block of the pooled effect."""

_COLUMNS = ["label", "block", "contribution", "low", "high", "n", "pooled", "colour", "metric", "margin"]
_MARKERS = ("o", "s", "^", "v", "P", "X", "<", ">", "p", "h")
_MOST = 12
_STEP, _GAP = 0.105, 0.12
_LABEL_WIDTH = 22


def prepare(summary: Summary) -> pd.DataFrame:
    """The effects.

    Returns:
        For each ingredient (the largest mean contribution first) a row a data set and, where effects could be pooled, a
        row for all of them: ``label`` of the ingredient, ``block`` (the data set; empty for the pooled effect),
        ``contribution`` (positive where the ingredient is good) with its interval ``low`` to ``high``, ``n`` (seeds;
        data sets for the pooled effect), whether it is ``pooled``, ``colour``, ``metric``, ``margin``. Of more than 12
        ingredients those with the largest contributions.
    """
    plan, study = summary.plan, summary.study
    if not any(factor.block for factor in plan.factors):
        return pd.DataFrame(columns=_COLUMNS)
    cells = {cell.label: cell for cell in plan.cells}
    looks = cell_looks(plan)
    found = summary.effects[summary.effects["n"] > 0].reset_index(drop=True)
    ends = contribution_ends(found, study.direction)
    single = found.assign(
        label=[ingredient_label(cells[cell], plan) for cell in found["cell"]],
        block=[block_label(cells[cell], plan) for cell in found["cell"]],
        colour=[looks[cell].colour for cell in found["cell"]],
        low=ends[:, 0],
        high=ends[:, 1],
        pooled=False,
    )
    parts = [single]
    given = summary.answers.given.get("datasets")
    if given is not None:
        names = single.drop_duplicates(["factor", "level"])[["factor", "level", "label"]]
        ends = contribution_ends(given.table, study.direction)
        together = given.table.assign(low=ends[:, 0], high=ends[:, 1], n=given.table["blocks"])
        parts.append(together.merge(names, on=["factor", "level"]).assign(block=POOLED, pooled=True, colour=BLACK))
    data = pd.concat(parts, ignore_index=True).assign(
        metric=study.metric, margin=np.nan if study.margin is None else study.margin
    )
    means = single.groupby("label", sort=False)["contribution"].mean()
    kept = means.loc[means.abs().sort_values(ascending=False, kind="stable").index[:_MOST]]
    order = {label: place for place, label in enumerate(kept.sort_values(ascending=False, kind="stable").index)}
    data = data[data["label"].isin(list(order))]
    keys = [np.arange(len(data)), data["pooled"].to_numpy(dtype=bool), data["label"].map(order).to_numpy()]
    return data.iloc[np.lexsort(keys)].reset_index(drop=True)[_COLUMNS]


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw a group of rows an ingredient: a marker a data set, below them the pooled effect as a diamond.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its ingredients.
    """
    margin = float(data["margin"].iloc[0])
    if np.isfinite(margin):
        ax.axvspan(-margin, margin, color="0.92", linewidth=0, zorder=0)
    markers = _markers(data)
    ticks, labels = [], []
    y = 0.0
    for label, group in data.groupby("label", sort=False):
        y += _GAP / 2
        first = y
        for row in records(group):
            y += _STEP
            if np.isfinite(row["low"]):
                line = 1.8 if row["pooled"] else 0.9
                ax.plot([row["low"], row["high"]], [y, y], color=row["colour"], linewidth=line, zorder=2)
            ax.plot(
                [row["contribution"]],
                [y],
                marker="D" if row["pooled"] else markers[row["block"]],
                markersize=4.5 if row["pooled"] else 3.5,
                markerfacecolor=row["colour"] if row["pooled"] else "white",
                markeredgecolor=row["colour"],
                markeredgewidth=0.9,
                linestyle="none",
                zorder=3,
            )
        ticks.append((first + y + _STEP) / 2)
        labels.append(wrapped(str(label), _LABEL_WIDTH))
        y += _STEP + _GAP / 2
        ax.axhline(y, color="0.88", linewidth=0.5, zorder=0.5)
    ax.set_yticks(ticks, labels)
    ax.set_ylim(y, 0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    zero_line(ax)
    ax.margins(x=0.06)
    ax.locator_params(axis="x", nbins=4)
    plain_numbers(ax.xaxis)
    ax.set_xlabel(f"contribution to {spoken(data['metric'].iloc[0])}\n← hurts      helps →")


def _markers(data: pd.DataFrame) -> dict[str, str]:
    blocks = dict.fromkeys(data.loc[~data["pooled"].astype(bool), "block"])
    return {block: _MARKERS[place % len(_MARKERS)] for place, block in enumerate(blocks)}


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """The groups in one column of a paper, the names of the data sets below."""
    entries = [
        (Line2D([], [], marker=marker, color="0.3", markerfacecolor="white", linestyle="none"), wrapped(block, 40))
        for block, marker in _markers(data).items()
    ]
    if data["pooled"].any():
        entries.append((Line2D([], [], marker="D", color=BLACK, linestyle="none", markersize=4.5), "all together"))
    height = 0.65 + legend_height(entries, paper.column) + len(data) * _STEP + data["label"].nunique() * (_GAP + _STEP)
    sheet = Sheet(paper.column, height)
    draw(sheet.subplots(), data)
    put_legend(sheet, entries)
    return sheet


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the figure shows: estimand, n, interval, test, pooling."""
    study = summary.study
    data = prepare(summary) if data is None else data
    single, together = data[~data["pooled"].astype(bool)], data[data["pooled"].astype(bool)]
    sentences = [
        f"What each ingredient contributes to {study.metric} on each data set in the study {study.name}, compared "
        f"within the data set and paired by seed ({seed_count(single['n'])}), with the sign that makes a good "
        "ingredient positive."
    ]
    if single["low"].notna().any():
        sentences.append(f"Lines: {interval_words(summary)}.")
    if len(together):
        given = summary.answers.given["datasets"]
        counts = sorted(set(together["n"]))
        number = f"{counts[0]:.0f}" if len(counts) == 1 else f"{counts[0]:.0f} to {counts[-1]:.0f}"
        clear = given.table[given.table["p_adjusted"] <= ALPHA]
        sentences.append(
            f"Diamonds: mean over {number} data sets as a sample of others (random effects), with the {LEVEL:.0%} "
            f"interval of Hartung and Knapp. {len(clear)} of {len(given.table)} pooled effects differ from zero "
            f"(t tests, Holm-adjusted, α = {ALPHA:g})."
        )
        sentences += given.notes
    else:
        sentences.append("Nothing is pooled: that takes two data sets with two seeds or more, and spread between them.")
    return " ".join([*sentences, *margin_words(summary)])


def _absence(summary: Summary) -> str:
    if any(factor.block for factor in summary.plan.factors):
        return "no cell shares a finished seed with its reference"
    return "the study runs on one data set: no factor is a block"


DATASETS = Figure("datasets", prepare, draw, compose, caption, _absence)
