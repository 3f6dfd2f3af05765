"""The effects on every data set, and their mean over data sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ablate.analysis import Summary
from ablate.analysis.verdicts import ALPHA
from ablate.captions import contributions, inference, margin_sentence
from ablate.figures.colours import BLACK, cell_styles
from ablate.figures.figure import Canvas
from ablate.figures.panels import add_legend, draw_point, legend_height, ordered_rows
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.rows import RowGroups, cell_contributions, contribution_axis, margin_band
from ablate.figures.style import wrapped
from ablate.formatting import seed_count

POOLED = ""
"""The block of the pooled effect."""

_COLUMNS = "label block is_part contribution low high n pooled colour quantity metric margin".split()
_MARKERS = ("o", "s", "^", "v", "P", "X", "<", ">", "p", "h")
_MOST = 12
_STEP = 0.105
_LABEL_WIDTH = 22


def prepare(summary: Summary) -> pd.DataFrame:
    """The effects.

    Returns:
        For each ingredient (the largest mean contribution first) a row a data set and, where effects could be pooled, a
        row for all of them: ``label`` of the ingredient, ``block`` (the data set; empty for the pooled effect),
        ``is_part`` (or else a level), ``contribution`` or gain (positive where it is good) with its interval ``low`` to
        ``high``, ``n`` (seeds; data sets for the pooled effect), ``pooled`` or not, ``colour``, ``metric``, ``margin``.
        Of more than 12
        ingredients those with the largest contributions.
    """
    plan = summary.plan
    if not any(factor.block for factor in plan.factors):
        return pd.DataFrame(columns=_COLUMNS)
    styles = cell_styles(plan)
    single = cell_contributions(summary).assign(
        colour=lambda rows: [styles[cell].colour for cell in rows["cell"]], pooled=False
    )
    frames = [single]
    estimates = summary.answers.given.get("datasets")
    if estimates is not None:
        names = single.drop_duplicates(["factor", "level"])[["factor", "level", "label", "is_part"]]
        table = estimates.table.merge(names, on=["factor", "level"])
        pooled = contributions(table, summary, table["is_part"].tolist()).assign(n=table["blocks"])
        frames.append(pooled.assign(block=POOLED, pooled=True, colour=BLACK))
    data = pd.concat(frames, ignore_index=True)
    means = single.groupby("label", sort=False)["contribution"].mean()
    largest = means.loc[means.abs().nlargest(_MOST).index]
    order = {label: rank for rank, label in enumerate(largest.sort_values(ascending=False, kind="stable").index)}
    data = data[data["label"].isin(list(order))]
    return ordered_rows(data, _COLUMNS, data["label"].map(order), data["pooled"].astype(bool), np.arange(len(data)))


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw a group of rows an ingredient: a marker a data set, below them the pooled effect as a diamond.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its ingredients.
    """
    margin_band(ax, data)
    markers = _markers(data)
    groups = [group for _, group in data.groupby("label", sort=False)]
    for group, places in zip(groups, _row_groups(data).draw(ax), strict=True):
        for row, y in zip(group.to_dict("records"), places, strict=True):
            colour, pooled = row["colour"], row["pooled"]
            marker, size, line, face = ("D", 4.5, 1.8, colour) if pooled else (markers[row["block"]], 3.5, 0.9, "white")
            if np.isfinite(row["low"]):
                ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=line, zorder=2)
            draw_point(ax, row["contribution"], y, marker, size, face, colour, markeredgewidth=0.9)
    ax.spines["left"].set_visible(False)
    contribution_axis(ax, data)


def _row_groups(data: pd.DataFrame) -> RowGroups:
    counts = data.groupby("label", sort=False).size()
    return RowGroups([str(label) for label in counts.index], counts.tolist(), _STEP, _LABEL_WIDTH)


def _markers(data: pd.DataFrame) -> dict[str, str]:
    blocks = dict.fromkeys(data.loc[~data["pooled"].astype(bool), "block"])
    return {block: _MARKERS[place % len(_MARKERS)] for place, block in enumerate(blocks)}


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The groups in one column of a page, the names of the data sets below."""
    entries = [
        (Line2D([], [], marker=marker, color="0.3", markerfacecolor="white", linestyle="none"), wrapped(block, 40))
        for block, marker in _markers(data).items()
    ]
    if data["pooled"].any():
        entries.append((Line2D([], [], marker="D", color=BLACK, linestyle="none", markersize=4.5), "all together"))
    height = 0.65 + legend_height(entries, page.column) + _row_groups(data).height
    canvas = Canvas(page.column, height)
    draw(canvas.subplots(), data)
    add_legend(canvas, entries)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the figure shows: estimand, n, interval, test, pooling."""
    study = summary.study
    is_pooled = data["pooled"].astype(bool)
    single, pooled = data[~is_pooled], data[is_pooled]
    sentences = [
        f"What each ingredient contributes to {study.metric} on each data set in the study {study.name}, compared "
        f"within the data set and paired by seed ({seed_count(single['n'])}), with the sign that makes a good "
        "ingredient positive."
    ]
    if single["low"].notna().any():
        sentences.append(f"Lines: {inference(summary, len(summary.effects)).interval}.")
    estimates = summary.answers.given.get("datasets")
    if estimates is not None and len(pooled):
        counts = sorted({int(n) for n in pooled["n"]})
        number = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        sentences.append(f"Diamonds: mean over {number} data sets as a sample of others, each with the same weight.")
        if pooled["low"].notna().any():
            stated = inference(estimates, len(estimates.table), "pooled effect")
            clear = int((estimates.table["p_adjusted"] <= ALPHA).sum())
            sentences.append(f"Their lines: {stated.interval}. {clear} differ from zero by {stated.test}.")
        sentences += estimates.notes
    else:
        sentences.append("Nothing is pooled: that takes two data sets with two seeds or more, and spread between them.")
    return " ".join([*sentences, *margin_sentence(summary)])


DATASETS = Figure(prepare, draw, compose, caption, "no cell shares a finished seed with its reference")
