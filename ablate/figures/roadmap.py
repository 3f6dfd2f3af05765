"""The roadmap of a cumulative design: from the empty network one ingredient after the other."""

from __future__ import annotations

import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.estimates import cell_at
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.figures.colours import factor_colours
from ablate.figures.figure import Figure
from ablate.figures.panels import records
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.sheet import Sheet
from ablate.figures.waterfall import STEP_COLUMNS, by_block, draw_steps, steps_sheet
from ablate.figures.wording import refusal

__all__ = ["ROADMAP", "caption", "compose", "draw", "prepare"]

_SEVERAL = "#6B6B6B"


def prepare(summary: Summary) -> pd.DataFrame:
    """The steps.

    Returns:
        A row a step and block with the columns :data:`ablate.figures.waterfall.STEP_COLUMNS`, and before the steps of
        a block the level of the empty network. A step's interval is that of its effect, paired by seed; where seeds
        are missing, steps need not end where the next begins.
    """
    given = summary.answers.given.get("roadmap")
    if given is None:
        return pd.DataFrame(columns=list(STEP_COLUMNS))
    plan, study = summary.plan, summary.study
    varied = [factor for factor in plan.factors if not factor.block]
    colours = factor_colours(plan)
    means = dict(zip(summary.cells["cell"], summary.cells["mean"], strict=True))
    counts = dict(zip(summary.cells["cell"], summary.cells["n"], strict=True))
    rows = []
    for where, steps in by_block(given.table, plan):
        empty = cell_at(plan, {**{factor.name: factor.removed.label for factor in varied}, **where})
        name = ", ".join(where.values())
        if empty is None:
            continue
        shared = {"block": name, "metric": study.metric, "direction": study.direction}
        start = {"label": "none", "end": means[empty.label], "n": counts[empty.label], "colour": "#000000"}
        rows.append({**shared, **start})
        before = means[empty.label]
        for step in records(steps):
            added = str(step["added"])
            rows.append(
                {
                    **shared,
                    "label": f"+ {added.replace('+', ' + ') if added not in colours else added}",
                    "start": before,
                    "end": step["mean"],
                    "change": step["difference"],
                    "low": step["low"],
                    "high": step["high"],
                    "n": step["n"],
                    "colour": colours.get(added, _SEVERAL),
                }
            )
            before = step["mean"]
    data = pd.DataFrame(rows, columns=list(STEP_COLUMNS))
    return data[data["end"].notna()].reset_index(drop=True)


draw = draw_steps


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """The steps in one column of a paper, blocks below each other."""
    return steps_sheet(data, paper)


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the roadmap shows: estimand, n, interval, test."""
    data = prepare(summary) if data is None else data
    steps = data[data["start"].notna()]
    order = ", ".join(factor.name for factor in summary.plan.factors if not factor.block)
    sentences = [
        f"Roadmap of {summary.study.metric} in the study {summary.study.name}: from the network without any ingredient "
        f"to the full one, in the one order {order}. Each step is the effect of an ingredient on top of those before "
        f"it, paired by seed ({seed_count(steps['n'])}); another order may share the same total differently.",
        "Bars begin and end at the means of the cells, on an axis that need not begin at zero.",
    ]
    if steps["low"].notna().any():
        clear = _significant(summary)
        sentences.append(f"Whiskers: {LEVEL:.0%} t interval of the step, unadjusted.")
        sentences.append(
            f"By t tests over seeds, Holm-adjusted over {len(steps)} steps (α = {ALPHA:g}), "
            + (f"the steps that differ from zero are: {', '.join(clear)}." if clear else "no step differs from zero.")
        )
    else:
        sentences.append("No interval or test: too few seeds, or no spread between them.")
    return " ".join(sentences)


def _significant(summary: Summary) -> list[str]:
    table = summary.answers.given["roadmap"].table
    return list(dict.fromkeys(str(name) for name in table.loc[table["p_adjusted"] <= ALPHA, "added"]))


def _absence(summary: Summary) -> str:
    return refusal(summary, "roadmap")


ROADMAP = Figure("roadmap", prepare, draw, compose, caption, _absence)
