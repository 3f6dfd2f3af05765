"""Waterfalls, the roadmap and Shapley values: steps from one level of a metric to another, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.estimates import cell_at
from ablate.analysis.shapley import ends_of_gain
from ablate.analysis.verdicts import ALPHA
from ablate.captions import inference_sentences
from ablate.figures.colours import BLACK, factor_colours
from ablate.figures.figure import Canvas
from ablate.figures.panels import panels_of
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.rows import ROW_GAP, annotate_columns, label_rows, row_heights, value_axis
from ablate.figures.style import LINE_HEIGHT, direction_label, readable_name, wrapped
from ablate.formatting import interval, seed_count, typographic
from ablate.study import takes_away
from ablate.study.cell import reference_label

_LABEL_WIDTH = 22
_SEVERAL_FACTORS = "#6B6B6B"


class Step(NamedTuple):
    """A step of a waterfall.

    Args:
        label: What is put in.
        end: Where the step ends, in units of the metric.
        n: Number of seeds.
        colour: Of its bar.
        start: Where it starts; NaN for a level of its own.
        change: ``end`` minus ``start``.
        low: Lower end of the interval of the change.
        high: Upper end of the interval of the change.
    """

    label: str
    end: float
    n: int
    colour: str
    start: float = math.nan
    change: float = math.nan
    low: float = math.nan
    high: float = math.nan


STEP_COLUMNS = ["block", "metric", "direction", *Step._fields]
"""The data of a waterfall: the fields of a :class:`Step`, its ``block`` (the data set, or empty), and the ``metric``
with its ``direction``."""


def steps_by_block(
    summary: Summary, question: str, steps: Callable[[dict[str, str], pd.DataFrame], Iterator[Step]]
) -> pd.DataFrame:
    """The data of a waterfall.

    Args:
        summary: The summary.
        question: The question whose estimates are the steps; see :data:`ablate.analysis.answers.QUESTIONS`.
        steps: From the levels of the blocks and the estimates there to steps.

    Returns:
        A row a step and block with the columns :data:`STEP_COLUMNS`; no rows where the study does not answer.
    """
    estimates = summary.answers.given.get(question)
    if estimates is None:
        return pd.DataFrame(columns=STEP_COLUMNS)
    names = [factor.name for factor in summary.plan.factors if factor.block]
    groups = estimates.table.groupby(names, sort=False) if names else [((), estimates.table)]
    rows = [
        (", ".join(map(str, key)), summary.study.metric, summary.study.direction, *step)
        for key, table in groups
        for step in steps(dict(zip(names, map(str, key), strict=True)), table)
    ]
    data = pd.DataFrame(rows, columns=STEP_COLUMNS)
    return data[data["end"].notna()].reset_index(drop=True)


def draw_steps(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one block on each of the axes.

    The axis need not begin at zero: where bars float, their length is the step and says nothing else.

    Args:
        axes: As many axes as the data have blocks, in their order, or one for a single block.
        data: The columns :data:`STEP_COLUMNS`.
    """
    for ax, _, group in panels_of(axes, data, ("block",), "blocks"):
        rows = group.to_dict("records")
        centres = label_rows(ax, _labels(group))
        thickness = 0.75 * (ROW_GAP + LINE_HEIGHT)
        for place, (y, row) in enumerate(zip(centres, rows, strict=True)):
            if np.isfinite(row["start"]):
                _draw_bar(ax, y, row, thickness)
            else:
                ax.plot([row["end"]] * 2, [y - thickness / 2, y + thickness / 2], color=BLACK, linewidth=2, zorder=4)
            if place + 1 < len(rows):
                ax.plot([row["end"]] * 2, [y, centres[place + 1]], color="0.6", linewidth=0.6, zorder=1)
        ax.use_sticky_edges = False
        value_axis(ax, direction_label(readable_name(rows[0]["metric"]), rows[0]["direction"]), margin=0.08)
        annotate_columns(ax, centres, _text_columns(group))


def _draw_bar(ax: Axes, y: float, row: Mapping[Hashable, Any], thickness: float) -> None:
    colour = row["colour"]
    ax.barh(
        y, row["change"], left=row["start"], height=thickness, color=colour, edgecolor=colour, linewidth=0.7, zorder=2
    )
    if np.isfinite(row["low"]):
        ends = [row["start"] + row["low"], row["start"] + row["high"]]
        ax.plot(ends, [y, y], color="0.15", linewidth=0.9, marker="|", markersize=4, zorder=3)


def _text_columns(group: pd.DataFrame) -> list[tuple[str, list[str]]]:
    rows = group.to_dict("records")
    texts = [
        interval(row["change"], row["low"], row["high"])
        if np.isfinite(row["start"])
        else typographic(f"{row['end']:.4g}")
        for row in rows
    ]
    counts = group.loc[group["start"].notna(), "n"]
    if counts.nunique() == 1:
        return [(f"step (n = {counts.iloc[0]})", texts)]
    return [("step", texts), *([("n", [str(row["n"]) for row in rows])] if counts.nunique() else [])]


def _labels(group: pd.DataFrame) -> list[str]:
    return [wrapped(str(label), _LABEL_WIDTH) for label in group["label"]]


def compose_steps(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The steps in one column of a page, blocks below each other."""
    heights = [float(row_heights(_labels(group)).sum()) for _, group in data.groupby("block", sort=False)]
    canvas = Canvas(page.column, sum(heights) + (0.75 + 0.2 * (len(heights) > 1)) * len(heights))
    axes = canvas.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    draw_steps(list(axes.flat), data)
    return canvas


def step_sentences(summary: Summary, question: str, data: pd.DataFrame, column: str, noun: str) -> str:
    """What a caption says about interval and test of the steps, and which of them differ from zero.

    Args:
        summary: The summary.
        question: The question whose estimates are the steps.
        data: The data that are drawn.
        column: Of the estimates, which names a step.
        noun: What a step is.
    """
    estimates = summary.answers.given[question]
    table = estimates.table
    clear = list(dict.fromkeys(str(name) for name in table.loc[table["p_adjusted"] <= ALPHA, column]))
    which = f"the {noun}s that differ from zero are: {', '.join(clear)}" if clear else f"no {noun} differs from zero"
    stated = f"Whiskers: {{interval}}. By {{test}}, {which}."
    return inference_sentences(estimates, data["low"], len(table), stated, noun)


def roadmap_steps(summary: Summary) -> pd.DataFrame:
    """The steps of the roadmap: from the network without any ingredient to the full one.

    Returns:
        A row a step and block with the columns :data:`STEP_COLUMNS`, and before the steps of
        a block the level of the empty network. A step's interval is that of its effect, paired by seed; where seeds
        are missing, steps need not end where the next begins.
    """
    plan = summary.plan
    colours = factor_colours(plan)
    removed = {factor.name: factor.removed.label for factor in plan.factors if not factor.block}
    cells = {row["cell"]: row for row in summary.cells.to_dict("records")}

    def steps(where: dict[str, str], table: pd.DataFrame) -> Iterator[Step]:
        empty = cell_at(plan, {**removed, **where})
        if empty is None:
            return
        level = cells[empty.label]["mean"]
        yield Step("none", level, cells[empty.label]["n"], BLACK)
        for row in table.to_dict("records"):
            added = str(row["added"])
            label = f"+ {added if added in colours else added.replace('+', ' + ')}"
            colour = colours.get(added, _SEVERAL_FACTORS)
            yield Step(label, row["mean"], row["n"], colour, level, row["difference"], row["low"], row["high"])
            level = row["mean"]

    return steps_by_block(summary, "roadmap", steps)


def roadmap_caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the roadmap shows: estimand, n, interval, test."""
    n = seed_count(data.loc[data["start"].notna(), "n"])
    order = ", ".join(factor.name for factor in summary.plan.factors if not factor.block)
    return (
        f"Roadmap of {summary.study.metric} in the study {summary.study.name}: from the network without any ingredient "
        f"to the full one, in the one order {order}. Each step is the effect of an ingredient on top of those before "
        f"it, paired by seed ({n}); another order may share the same total differently. Bars begin and end at the "
        "means of the cells, on an axis that need not begin at zero. "
        + step_sentences(summary, "roadmap", data, "added", "step")
    )


ROADMAP = Figure(roadmap_steps, draw_steps, compose_steps, roadmap_caption)


def shapley_steps(summary: Summary) -> pd.DataFrame:
    """The steps of Shapley values: how the gain of the full network is shared among its ingredients.

    Returns:
        For each block a row of the level without any ingredient, a row an ingredient (the largest value first), and a
        row of the level of the full network, with the columns :data:`STEP_COLUMNS`. All
        numbers are means over the seeds that all cells have finished, so the steps lead exactly from one to the other.
    """
    colours = factor_colours(summary.plan)

    def steps(where: dict[str, str], table: pd.DataFrame) -> Iterator[Step]:
        ends = ends_of_gain(summary.plan, summary.values, where)
        if ends is None:
            return
        level, full = ends
        varied = [factor for factor in summary.plan.factors if not factor.block]
        parts = {factor.name for factor in varied if takes_away(factor.reference, factor.removed.label)}
        yield Step("none", level, table["n"].max(), BLACK)
        for row in table.sort_values("contribution", ascending=False, kind="stable").to_dict("records"):
            # The table says "without minus with"; a waterfall puts the ingredient in. 0 - x, as -0.0 has a sign.
            change = 0.0 - row["difference"]
            name, low, high = row["factor"], 0.0 - row["high"], 0.0 - row["low"]
            label = name if name in parts else f"{name}={row['of']}"
            yield Step(label, level + change, row["n"], colours[name], level, change, low, high)
            level += change
        yield Step(reference_label(varied), full, table["n"].max(), BLACK)

    return steps_by_block(summary, "shapley", steps)


def shapley_caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the Shapley values show: estimand, n, interval, test."""
    n = seed_count(data.loc[data["start"].notna(), "n"])
    return (
        f"Shapley values of {summary.study.metric} in the study {summary.study.name}: the mean of what an ingredient "
        "adds over all orders of building the network up from the one without any. They share the whole gain of the "
        f"full network; each is computed in every seed ({n}). The axis need not begin at zero. "
        + step_sentences(summary, "shapley", data, "factor", "value")
    )


SHAPLEY = Figure(shapley_steps, draw_steps, compose_steps, shapley_caption)
