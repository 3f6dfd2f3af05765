"""What figures and tables share: names of changes, contributions, and the interval and test that captions state.

A caption may claim no other interval or test than the one its numbers were computed with, so all of them take the
claim from :func:`inference`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablate.analysis import Estimates, Factorial, Summary
from ablate.analysis.effects import only_takes_away
from ablate.analysis.estimates import several
from ablate.analysis.intervals import LEVEL
from ablate.analysis.verdicts import ALPHA, HOLM, adjusted_over
from ablate.formatting import better_direction, percent
from ablate.study import Cell, Factor, Plan, cell_of, takes_away
from ablate.study.metric import metric_label

CONFIDENCE = percent(LEVEL)
"""The confidence level of all intervals, as it is written."""

VERDICT_SUBJECT = "a part that the reference has helps or hurts, another level is better or worse than the reference"
"""What verdicts are about, in words."""

_EXPLANATIONS = {
    "repeated confidence interval": " (valid at every look of the sequential rule)",
    "t interval over data sets": " (the data set is the unit)",
}


class Inference(NamedTuple):
    """What a caption says about intervals and p values.

    Args:
        interval: Such as ``95% t intervals, unadjusted``.
        test: Such as ``paired t tests, Holm-adjusted over 3 comparisons (α = 0.05), on this test set``.
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
        interval, test, correction = source.interval, source.test, HOLM
    bounds = f"α = {ALPHA:g}" + ("" if margin is None else f", margin {margin:g}")
    return Inference(
        f"{CONFIDENCE} {several(interval)}{_EXPLANATIONS.get(interval, '')}, unadjusted",
        f"{several(test)}, {adjusted_over(correction, count, noun)} ({bounds})"
        + (f",{source.scope}" if source.scope else ""),
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


def bounds_sentence(means: pd.DataFrame) -> list[str]:
    """What to say where the interval of a mean of shares ends at a bound, which no mean can pass.

    Args:
        means: Columns ``mean`` with the ends ``low`` and ``high``.
    """
    below, above = means["mean"] - means["low"], means["high"] - means["mean"]
    if not bool(((below - above).abs() > 1e-9 * (below + above)).any()):
        return []
    return ["Where an interval would pass a bound of the metric, it ends there."]


def margin_sentence(summary: Summary) -> list[str]:
    """The sentence on the margin in the caption of a figure, where one was declared."""
    margin = summary.study.margin
    return [] if margin is None else [f"Grey band: the margin of ±{margin:g}."]


def contributions(effects: pd.DataFrame, summary: Summary, are_parts: Sequence[bool] | None = None) -> pd.DataFrame:
    """Effects as what the thing that each is about is good for, with the intervals of that instead of the differences.

    A part that is taken away contributes what is lost without it. A level that takes the place of another one gains
    what the metric is better with it. Positive is good in both cases.

    Args:
        effects: Columns ``contribution``, and ``low`` and ``high`` of differences, in units of the metric.
        summary: Of their study, whose metric's name and margin (NaN without one) become columns.
        are_parts: By row, whether it is about a part; None where all are about what the reference has.

    Returns:
        The effects, with ``contribution``, ``low`` and ``high`` so turned, and a column ``is_part``.
    """
    study = summary.study
    sign = -1.0 if study.direction == "max" else 1.0
    parts = np.ones(len(effects), dtype=bool) if are_parts is None else np.asarray(are_parts, dtype=bool)
    turn = np.where(parts, 1.0, -1.0)
    # 0 + x, as -0.0 would print a sign.
    ends = np.sort(0.0 + (sign * turn)[:, np.newaxis] * effects[["low", "high"]].to_numpy(dtype=float), axis=1)
    margin = np.nan if study.margin is None else study.margin
    return effects.assign(
        contribution=0.0 + turn * effects["contribution"].to_numpy(dtype=float),
        low=ends[:, 0],
        high=ends[:, 1],
        is_part=parts,
        quantity=quantity_name(parts),
        metric=study.metric,
        margin=margin,
    )


def quantity_name(are_parts: Iterable[bool]) -> str:
    """What the numbers of :func:`contributions` are called: of parts contributions, of levels gains.

    Example:
        >>> quantity_name([True]), quantity_name([False]), quantity_name([True, False])
        ('contribution', 'gain', 'contribution or gain')
    """
    kinds = set(map(bool, are_parts))
    return " or ".join(
        [*(["contribution"] if True in kinds or not kinds else []), *(["gain"] if False in kinds else [])]
    )


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
    """What an effect is about: ``residual`` where that is taken away, ``head: flatten, not gap`` where it is set.

    Args:
        cell: A cell that is not a reference.
        plan: Its plan.
    """
    changed = [factor for factor in plan.factors if not factor.block and cell.levels[factor.name] != factor.reference]
    if takes_only_parts(cell, plan):
        return " + ".join(change_label(factor, cell.levels[factor.name]) for factor in changed) or cell.label
    if len(changed) == 1:
        return change_label(changed[0], cell.levels[changed[0].name])
    return cell_label(cell, plan)


def takes_only_parts(cell: Cell, plan: Plan) -> bool:
    """Whether a cell only takes parts of its reference away, so that its effect is what these contribute."""
    return only_takes_away(cell, [name for name in cell.changed if not _factor(plan, name).block], plan)


def _factor(plan: Plan, name: str) -> Factor:
    return next(factor for factor in plan.factors if factor.name == name)


def change_label(factor: Factor, level: str) -> str:
    """What the effect of a level is about: the part that it takes away, or the level itself.

    Example:
        >>> from ablate.study import Level
        >>> change_label(Factor("head", (Level("gap"), Level("flatten")), "gap"), "flatten")
        'head: flatten, not gap'
    """
    if (factor.reference, level) == ("true", "false"):
        return factor.name
    if (factor.reference, level) == ("false", "true"):
        return f"with {factor.name}"
    if takes_away(factor.reference, level):
        return f"{factor.name} {factor.reference}"
    return f"{factor.name}: {level}, not {factor.reference}"
