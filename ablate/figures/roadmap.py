"""The roadmap: from the network without any ingredient to the full one, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.estimates import cell_at
from ablate.figures.colours import BLACK, factor_colours
from ablate.figures.registry import Figure
from ablate.figures.waterfall import Step, compose_steps, draw_steps, step_sentences, steps_by_block
from ablate.formatting import seed_count

_SEVERAL_FACTORS = "#6B6B6B"


def prepare(summary: Summary) -> pd.DataFrame:
    """The steps.

    Returns:
        A row a step and block with the columns :data:`ablate.figures.waterfall.STEP_COLUMNS`, and before the steps of
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


def caption(summary: Summary, data: pd.DataFrame) -> str:
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


ROADMAP = Figure(prepare, draw_steps, compose_steps, caption)
