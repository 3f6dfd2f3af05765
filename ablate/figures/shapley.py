"""Shapley values as a waterfall: how the gain of the full network is shared among its ingredients."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.shapley import ends_of_gain
from ablate.figures.colours import BLACK, factor_colours
from ablate.figures.registry import Figure
from ablate.figures.waterfall import Step, compose_steps, draw_steps, step_sentences, steps_by_block
from ablate.formatting import seed_count


def prepare(summary: Summary) -> pd.DataFrame:
    """The steps.

    Args:
        summary: The summary of a study whose design answers the question.

    Returns:
        For each block a row of the level without any ingredient, a row an ingredient (the largest value first), and a
        row of the level of the full network, with the columns :data:`ablate.figures.waterfall.STEP_COLUMNS`. All
        numbers are means over the seeds that all cells have finished, so the steps lead exactly from one to the other.
    """
    colours = factor_colours(summary.plan)

    def steps(where: dict[str, str], table: pd.DataFrame) -> Iterator[Step]:
        ends = ends_of_gain(summary.plan, summary.values, where)
        if ends is None:
            return
        level, full = ends
        yield Step("none", level, table["n"].max(), BLACK)
        for row in table.sort_values("contribution", ascending=False, kind="stable").to_dict("records"):
            # The table says "without minus with"; a waterfall puts the ingredient in. 0 - x, as -0.0 has a sign.
            change = 0.0 - row["difference"]
            name, low, high = row["factor"], 0.0 - row["high"], 0.0 - row["low"]
            yield Step(name, level + change, row["n"], colours[name], level, change, low, high)
            level += change
        yield Step("full", full, table["n"].max(), BLACK)

    return steps_by_block(summary, "shapley", steps)


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the waterfall shows: estimand, n, interval, test.

    Args:
        summary: The summary that the data come from.
        data: What :func:`prepare` returned, with at least one row.

    Returns:
        Sentences in plain text, without the name of the figure.
    """
    n = seed_count(data.loc[data["start"].notna(), "n"])
    return (
        f"Shapley values of {summary.study.metric} in the study {summary.study.name}: the mean of what an ingredient "
        "adds over all orders of building the network up from the one without any. They share the whole gain of the "
        f"full network; each is computed in every seed ({n}). The axis need not begin at zero. "
        + step_sentences(summary, "shapley", data, "factor", "value")
    )


SHAPLEY = Figure(prepare, draw_steps, compose_steps, caption)
