"""The analysis of variance of a study: factorial designs and their fractions, with the seed as block."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from ablate.analysis.aliases import aliases
from ablate.analysis.boundary import SequentialRule
from ablate.analysis.factorial import Factorial, analyse_factorial, factorial_table
from ablate.analysis.intervals import ROUNDING
from ablate.analysis.observations import Observations
from ablate.errors import AnalysisError
from ablate.study import Plan

__all__ = ["anova"]

_ORDERS = {"factorial": 9, "fractional": 2, "screening": 1, "optimal": 1}
_MOST_FOR_ALL = 5
"""Up to so many factors a full factorial has all its interactions in the table."""

_LISTED = 12


def anova(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Factorial:
    """Fit main effects, and as many interactions as the design is made for.

    A full factorial has all interactions (of more than five factors those of two), a fraction those of two, screening
    and optimal designs main effects alone. The block is the seed, or the seed within a data set.

    Args:
        plan: The plan, of a design with ``factorial``, ``fractional``, ``screening`` or ``optimal`` in it.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None. With it there are no tests or intervals:
            they would hold for a number of seeds fixed in advance.

    Raises:
        AnalysisError: If the design is none of these, has fewer than two ingredients, or no run has finished.

    Example:
        >>> from ablate.study import Factor, Level, Study, make_plan
        >>> factors = [Factor(name, (Level("true"), Level("false")), "true") for name in "ab"]
        >>> plan = make_plan(Study("demo", "factorial", (0, 1), "score"), factors)
        >>> scores = {"full": 0.9, "w/o a": 0.7, "w/o b": 0.8, "w/o a, w/o b": 0.6}
        >>> values = {cell: {0: score, 1: score + 0.01} for cell, score in scores.items()}
        >>> anova(plan, values).effects[["term", "effect"]].round(3).values.tolist()
        [['a', -0.2], ['b', -0.1], ['a:b', 0.0]]
    """
    parts = set(plan.study.design.split("+")) & _ORDERS.keys()
    factors = [factor for factor in plan.factors if not factor.block]
    if not parts or len(factors) < 2:
        raise AnalysisError(
            f"The design '{plan.study.design}' with {len(factors)} ingredient{'s' if len(factors) > 1 else ''} has no "
            f"analysis of variance: it takes two or more, and one of {', '.join(_ORDERS)}."
        )
    order = max(_ORDERS[part] for part in parts)
    if len(factors) > _MOST_FOR_ALL:
        order = min(order, 2)
    table, levels = factorial_table(plan, values)
    blocks = [factor.name for factor in plan.factors if factor.block]
    table["seed"] = table[[*blocks, "seed"]].astype(str).agg("/".join, axis=1) if len(table) else table["seed"]
    varied = {factor.name: levels[factor.name] for factor in factors}
    found = analyse_factorial(table, plan.study.metric, varied, block="seed", order=order)
    notes = [*found.notes, *(_partly_mixed(plan, varied) if order == 1 else [])]
    if rule is not None:
        notes.append(
            "Seeds were taken until verdicts stood: F tests and t intervals would hold for a number fixed in advance, "
            "so none is given."
        )
    elif _has_spread(found, table[plan.study.metric]):
        return replace(found, notes=tuple(notes))
    else:
        notes.append("What remains is no more than rounding: without spread no F tests and no intervals.")
    noise = ROUNDING * float(table[plan.study.metric].abs().max())
    effect = found.effects["effect"].where(found.effects["effect"].abs() > noise, 0.0)
    return replace(
        found,
        anova=found.anova.assign(F=math.nan, p=math.nan),
        effects=found.effects.assign(effect=effect, error=math.nan, low=math.nan, high=math.nan, p=math.nan),
        notes=tuple(notes),
    )


def _has_spread(found: Factorial, values: pd.Series) -> bool:
    """Whether the residual is more than the rounding of the numbers behind it; without a residual there is no test."""
    residual = float(found.anova.loc[found.anova["term"] == "Residual", "ms"].iloc[0])
    return not residual <= (ROUNDING * float(values.abs().max())) ** 2


def _partly_mixed(plan: Plan, levels: dict[str, tuple[str, ...]]) -> list[str]:
    """What main effects are mixed with although only they are fitted."""
    cells = pd.DataFrame([{name: cell.levels[name] for name in levels} for cell in plan.cells]).drop_duplicates()
    found = aliases(cells, levels)
    found = found[~found["term"].str.contains(":") & found["other"].str.contains(":")]
    full = found[found["correlation"] >= 1]
    partly = found[found["correlation"] < 1].sort_values("correlation", ascending=False, kind="stable")
    notes = []
    if len(full):
        listed = [f"{row.term} with {row.other}" for row in full.head(_LISTED).itertuples()]
        more = f"; and {len(full) - _LISTED} more" if len(full) > _LISTED else ""
        notes.append(f"Main effects that cannot be told apart from interactions: {'; '.join(listed)}{more}.")
    if len(partly):
        top = partly.iloc[0]
        notes.append(
            f"Main effects are partly mixed with {partly['other'].nunique()} interactions of two, {top['term']} with "
            f"{top['other']} the most (correlation {top['correlation']:.2f}): they hold as far as these are small."
        )
    return notes
