"""What every level of every factor does on average over the settings of the others: the plot of a factorial design."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.figures import forest
from ablate.figures.figure import Figure
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.sheet import Sheet
from ablate.figures.wording import change_label, contribution_ends, margin_words, refusal

__all__ = ["MAIN_EFFECTS", "caption", "compose", "draw", "prepare"]

_COLUMNS = ["block", "label", "pairs", "contribution", "low", "high", "n", "verdict", "metric", "margin"]


def prepare(summary: Summary) -> pd.DataFrame:
    """The rows of the plot.

    Returns:
        A row for every level that is not the reference, the largest contribution first: ``block`` (empty), the
        ``label`` of what contributes, number of ``pairs`` of cells averaged over, ``contribution`` (positive where
        the reference level is good) and its interval ``low`` to ``high``, ``n`` seeds, ``verdict``, ``metric``,
        ``margin``.
    """
    study = summary.study
    given = summary.answers.given.get("main_effects")
    if given is None:
        return pd.DataFrame(columns=_COLUMNS)
    found = given.table[given.table["n"] > 0]
    ends = contribution_ends(found, study.direction)
    factors = {factor.name: factor for factor in summary.plan.factors}
    changes = zip(found["factor"], found["level"], strict=True)
    data = found.assign(
        block="",
        label=[change_label(factors[name], level) for name, level in changes],
        low=ends[:, 0],
        high=ends[:, 1],
        metric=study.metric,
        margin=np.nan if study.margin is None else study.margin,
    )
    return data.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)[_COLUMNS]


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the plot; see :func:`ablate.figures.forest.draw`.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its rows.
    """
    forest.draw(ax, data)
    ax.set_xlabel("average " + ax.get_xlabel())


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """The plot in one column of a paper, or as wide as the text where there are many rows."""
    sheet = forest.compose(data, paper)
    sheet.axes[0].set_xlabel("average " + sheet.axes[0].get_xlabel())
    return sheet


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the plot shows: estimand, n, interval, test."""
    data = prepare(summary) if data is None else data
    sentences = [
        f"Main effects on {summary.study.metric} in the study {summary.study.name} ({summary.study.design}): what the "
        "reference level of a factor contributes, averaged over all settings of the other factors in which both cells "
        f"exist, paired by seed ({seed_count(data['n'])}). Under interaction this is not what the factor contributes "
        "to the full network."
    ]
    if data["low"].notna().any():
        sentences += [
            f"Markers: mean; lines: {LEVEL:.0%} t intervals, unadjusted.",
            f"Verdicts: t tests over seeds, Holm-adjusted over {len(data)} effects (α = {ALPHA:g}); hollow: undecided.",
        ]
    else:
        sentences.append("No interval, test or verdict: too few seeds, or no spread between them.")
    return " ".join([*sentences, *margin_words(summary)])


def _absence(summary: Summary) -> str:
    return refusal(summary, "main_effects")


MAIN_EFFECTS = Figure("main_effects", prepare, draw, compose, caption, _absence)
