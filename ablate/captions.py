"""What figures and tables share: names of changes, contributions, and the interval and test that captions state.

A caption may claim no other interval or test than the one its numbers were computed with, so all of them take the
claim from :func:`inference`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from ablate.analysis import Estimates, Factorial, Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.verdicts import ALPHA, HOLM, adjusted_over
from ablate.formatting import better_direction, percent
from ablate.study import Cell, Factor, Plan, cell_of
from ablate.study.metric import metric_label

CONFIDENCE = percent(LEVEL)
"""The confidence level of all intervals, as it is written."""

_EXPLANATIONS = {
    "repeated confidence interval": " (valid at every look of the sequential rule)",
    "Hartung-Knapp interval": " (of a mean over data sets)",
}


class Inference(NamedTuple):
    """What a caption says about intervals and p values.

    Args:
        interval: Such as ``95% t intervals, unadjusted``.
        test: Such as ``paired t tests, Holm-adjusted over 3 comparisons (α = 0.05)``.
    """

    interval: str
    test: str


def inference(
    source: Summary | Estimates | Factorial, count: int, noun: str = "comparison", margin: float | None = None
) -> Inference:
    """The interval and the test of some numbers, for their caption.

    Args:
        source: Where the numbers come from: the effects of a summary, the estimates of a further question, or a
            least-squares fit, which is only tested where the number of seeds was fixed.
        count: Over how many of them p values are adjusted.
        noun: What one of them is.
        margin: The margin that verdicts took into account, if there are verdicts and a margin.
    """
    if isinstance(source, Summary):
        interval, test, correction = source.interval_name, source.test_name, source.correction
    elif isinstance(source, Estimates):
        interval, test, correction = source.interval, source.test, source.correction
    else:
        interval, test, correction = "t interval", "t test", HOLM
    bounds = f"α = {ALPHA:g}" + ("" if margin is None else f", margin {margin:g}")
    return Inference(
        f"{CONFIDENCE} {interval}s{_EXPLANATIONS.get(interval, '')}, unadjusted",
        f"{test}s, {adjusted_over(correction, count, noun)} ({bounds})",
    )


def inference_sentences(
    source: Summary | Estimates, ends: pd.Series, count: int, sentences: str, noun: str = "comparison"
) -> str:
    """What a caption says about the interval and the test, or that there is neither.

    Args:
        source: Where the numbers come from, see :func:`inference`.
        ends: Ends of the intervals that are drawn; NaN where there is none.
        count: Over how many numbers p values are adjusted.
        sentences: Where the interval is and what the test says, with ``{interval}`` and ``{test}`` in their places.
        noun: What one of the numbers is.
    """
    if not ends.notna().any():
        return "No interval or test: too few seeds, or no spread between them."
    stated = inference(source, count, noun)
    # Not str.format: names of factors may hold braces.
    return sentences.replace("{interval}", stated.interval, 1).replace("{test}", stated.test, 1)


def margin_sentence(summary: Summary) -> list[str]:
    """The sentence on the margin in the caption of a figure, where one was declared."""
    margin = summary.study.margin
    return [] if margin is None else [f"Grey band: the margin of ±{margin:g}."]


def contributions(effects: pd.DataFrame, summary: Summary) -> pd.DataFrame:
    """Effects with the intervals of their contributions instead of those of their differences.

    Args:
        effects: Columns ``low`` and ``high`` of differences, in units of the metric.
        summary: Of their study, whose metric's name and margin (NaN without one) become columns.
    """
    study = summary.study
    sign = -1.0 if study.direction == "max" else 1.0
    # 0 + x, as -0.0 would print a sign.
    ends = np.sort(0.0 + sign * effects[["low", "high"]].to_numpy(dtype=float), axis=1)
    margin = np.nan if study.margin is None else study.margin
    return effects.assign(low=ends[:, 0], high=ends[:, 1], quantity="contribution", metric=study.metric, margin=margin)


def metric_direction(summary: Summary) -> str:
    """The metric and which way is good, such as ``test_loss (lower is better)``."""
    return f"{metric_label(summary.study.metric)} ({better_direction(summary.study.direction)})"


def cell_label(cell: Cell, plan: Plan) -> str:
    """What a cell is called within its block: its own label without the levels of blocks."""
    return cell_of(cell.levels, [factor for factor in plan.factors if not factor.block]).label


def block_label(cell: Cell, plan: Plan) -> str:
    """The levels of the plan's blocks (the data set) in a cell; empty where the plan has none."""
    return ", ".join(cell.levels[factor.name] for factor in plan.factors if factor.block)


def contribution_label(cell: Cell, plan: Plan) -> str:
    """What a cell takes away, as the name of what contributes: ``residual``, ``no bias``, ``head: gap, not flatten``.

    Args:
        cell: A cell that is not a reference.
        plan: Its plan.
    """
    changes = [
        change_label(factor, cell.levels[factor.name])
        for factor in plan.factors
        if not factor.block and cell.levels[factor.name] != factor.reference
    ]
    return " + ".join(changes) or cell.label


def change_label(factor: Factor, level: str) -> str:
    """What the reference level of a factor is called as a contribution, against another level of it.

    Example:
        >>> from ablate.study import Level
        >>> change_label(Factor("head", (Level("gap"), Level("flatten")), "gap"), "flatten")
        'head: gap, not flatten'
    """
    if (factor.reference, level) == ("true", "false"):
        return factor.name
    if (factor.reference, level) == ("false", "true"):
        return f"no {factor.name}"
    return f"{factor.name}: {factor.reference}, not {level}"
