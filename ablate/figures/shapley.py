"""How the gain of the full network over the empty one is shared: a waterfall of Shapley values."""

from __future__ import annotations

import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.shapley import ends_of_gain
from ablate.analysis.verdicts import ALPHA
from ablate.figures.colours import BLACK, factor_colours
from ablate.figures.figure import Figure
from ablate.figures.panels import records
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.sheet import Sheet
from ablate.figures.waterfall import STEP_COLUMNS, by_block, draw_steps, steps_sheet
from ablate.figures.wording import refusal

__all__ = ["SHAPLEY", "caption", "compose", "draw", "prepare"]


def prepare(summary: Summary) -> pd.DataFrame:
    """The steps.

    Returns:
        For each block a row of the level without any ingredient, a row an ingredient (the largest value first), and a
        row of the level of the full network, with the columns :data:`ablate.figures.waterfall.STEP_COLUMNS`. All
        numbers are means over the seeds that all cells have finished, so the steps lead exactly from one to the other.
    """
    given = summary.answers.given.get("shapley")
    if given is None:
        return pd.DataFrame(columns=list(STEP_COLUMNS))
    plan, study = summary.plan, summary.study
    colours = factor_colours(plan)
    rows = []
    for where, shares in by_block(given.table, plan):
        ends = ends_of_gain(plan, summary.values, where)
        if ends is None:
            continue
        level, full = ends
        shared = {"block": ", ".join(where.values()), "metric": study.metric, "direction": study.direction}
        rows.append({**shared, "label": "none", "end": level, "n": shares["n"].max(), "colour": BLACK})
        for share in records(shares.sort_values("contribution", ascending=False, kind="stable")):
            # The table says "without minus with"; a waterfall puts the ingredient in.
            change = 0.0 - share["difference"]
            row = {"label": share["factor"], "start": level, "end": level + change, "change": change}
            ends_of_share = {"low": 0.0 - share["high"], "high": 0.0 - share["low"]}
            rows.append({**shared, **row, **ends_of_share, "n": share["n"], "colour": colours[share["factor"]]})
            level += change
        rows.append({**shared, "label": "full", "end": full, "n": shares["n"].max(), "colour": BLACK})
    return pd.DataFrame(rows, columns=list(STEP_COLUMNS))


draw = draw_steps


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """The waterfall in one column of a paper, blocks below each other."""
    return steps_sheet(data, paper)


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the waterfall shows: estimand, n, interval, test."""
    data = prepare(summary) if data is None else data
    steps = data[data["start"].notna()]
    table = summary.answers.given["shapley"].table
    sentences = [
        f"Shapley values of {summary.study.metric} in the study {summary.study.name}: the mean of what an ingredient "
        "adds over all orders of building the network up from the one without any. They share the whole gain of the "
        f"full network; each is computed in every seed ({seed_count(steps['n'])}). The axis need not begin at zero.",
    ]
    if steps["low"].notna().any():
        clear = list(dict.fromkeys(str(name) for name in table.loc[table["p_adjusted"] <= ALPHA, "factor"]))
        sentences.append(f"Whiskers: {LEVEL:.0%} t interval of the value, unadjusted.")
        sentences.append(
            f"By t tests over seeds, Holm-adjusted over {len(table)} values (α = {ALPHA:g}), "
            + (f"those that differ from zero are: {', '.join(clear)}." if clear else "none differs from zero.")
        )
    else:
        sentences.append("No interval or test: too few seeds, or no spread between them.")
    return " ".join(sentences)


def _absence(summary: Summary) -> str:
    return refusal(summary, "shapley")


SHAPLEY = Figure("shapley", prepare, draw, compose, caption, _absence)
