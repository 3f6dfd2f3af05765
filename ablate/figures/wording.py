"""What all captions say alike: the interval, the test, the margin; and how an effect is called in a figure."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL, MeanInterval
from ablate.analysis.sentences import rounded
from ablate.analysis.verdicts import ALPHA
from ablate.study import Cell, Factor, Plan, cell_of

__all__ = [
    "block_label",
    "cell_label",
    "change_label",
    "contribution_ends",
    "ingredient_label",
    "interval_text",
    "interval_words",
    "margin_words",
    "refusal",
    "sides",
    "test_words",
]

# Numbers beyond these are written as powers of ten.
_LEAST, _MOST = 1e-4, 1e6


def interval_words(summary: Summary) -> str:
    """Which interval effects have, for a caption."""
    looks = "" if summary.rule is None else " of the sequential rule, which hold at every look"
    return f"{LEVEL:.0%} {summary.interval_name}s{looks}, unadjusted"


def test_words(summary: Summary, comparisons: int) -> str:
    """Which test a claim about an effect rests on, for a caption."""
    family = f"{comparisons} comparison{'' if comparisons == 1 else 's'}"
    return f"{summary.test_name}s, Holm-adjusted over {family} (α = {ALPHA:g})"


def margin_words(summary: Summary) -> Iterator[str]:
    """The sentence on the margin, where one was declared."""
    if summary.study.margin is not None:
        yield f"Grey band: the margin of ±{summary.study.margin:g}."


def sides(direction: str) -> tuple[str, str]:
    """What less and more of a metric mean."""
    return ("worse", "better") if direction == "max" else ("better", "worse")


def interval_text(mean: float, low: float, high: float) -> str:
    """An estimate with its interval, rounded by it.

    Example:
        >>> interval_text(-0.01234, -0.0207, -0.0040)
        '−0.0123 [−0.0207, −0.0040]'
        >>> interval_text(0.5, float("nan"), float("nan"))
        '+0.5'
    """
    if mean and not _LEAST <= max(abs(number) for number in (mean, low, high) if math.isfinite(number)) < _MOST:
        numbers = [f"{number:.1e}".replace("-", "−") for number in (mean, low, high) if math.isfinite(number)]
        return numbers[0] if len(numbers) == 1 else f"{numbers[0]} [{', '.join(numbers[1:])}]"
    if high - low > 0:
        value, *ends = rounded(MeanInterval(2, mean, (high - low) / 2, (high - low) / 2))
        return f"{value} [{', '.join(ends)}]"
    return f"{mean:+.3g}".replace("-", "−") if mean else "0"


def ingredient_label(cell: Cell, plan: Plan) -> str:
    """What a cell takes away, as the name of what contributes: ``residual``, ``no bias``, ``head: gap, not flatten``.

    Args:
        cell: A cell that is not a reference.
        plan: Its plan.
    """
    words = [
        change_label(factor, cell.levels[factor.name])
        for factor in plan.factors
        if not factor.block and cell.levels[factor.name] != factor.reference
    ]
    return " + ".join(words) or cell.label


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


def contribution_ends(found: pd.DataFrame, direction: str) -> NDArray[np.float64]:
    """The intervals of differences, seen as those of contributions.

    Args:
        found: Columns ``low`` and ``high`` of differences.
        direction: Of the metric.

    Returns:
        A row an effect: lower and upper end.
    """
    sign = -1.0 if direction == "max" else 1.0
    # 0 + x, as -0.0 would print a sign.
    ends: NDArray[np.float64] = np.sort(0.0 + sign * found[["low", "high"]].to_numpy(dtype=float), axis=1)
    return ends


def refusal(summary: Summary, question: str) -> str:
    """Why a study does not answer a question of :data:`ablate.analysis.answers.QUESTIONS`, as the end of a sentence."""
    words = summary.answers.refused.get(question, "no seed has finished what it needs")
    return f"{words[0].lower()}{words[1:]}".rstrip(".")


def cell_label(cell: Cell, plan: Plan) -> str:
    """What a cell is called within its block: its own label without the levels of blocks."""
    return cell_of(cell.levels, [factor for factor in plan.factors if not factor.block]).label


def block_label(cell: Cell, plan: Plan) -> str:
    """The levels of the plan's blocks (the data set) in a cell; empty where the plan has none."""
    return ", ".join(cell.levels[factor.name] for factor in plan.factors if factor.block)
