"""A roadmap: from the empty network one ingredient after the other is put back, each step with its effect."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.cell_contrasts import CellContrasts
from ablate.analysis.estimates import Contrast, Estimates, cell_at, estimate, weighted_sums
from ablate.analysis.intervals import t_interval
from ablate.analysis.observations import Observations, blocks_of, varied
from ablate.errors import AnalysisError
from ablate.study import Cell, Plan


def roadmap(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """The effect of every step of a cumulative design, paired by seed.

    Args:
        plan: A plan that contains the design ``cumulative``.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        One row per step and block, from the empty network to the full one: one column per block factor, ``step`` from
        1, ``cell`` that it reaches, factors ``added``, ``mean`` of the metric there, then
        :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS` with ``difference`` from the cell before. In a roadmap a
        positive ``contribution`` means that the step was good.

    Raises:
        AnalysisError: If a cell on the way is not in the plan.
    """
    contrasts = []
    for block in blocks_of(plan):
        for step, ((before, _), (after, added)) in enumerate(itertools.pairwise(_chain(plan, block)), start=1):
            mean = t_interval(list(values[after.label].values())).mean
            keys = {**block, "step": step, "cell": after.label, "added": "+".join(added), "mean": mean}
            steps = [(before.label, -1.0), (after.label, 1.0)]
            if plan.study.paired:
                contrasts.append(Contrast(keys, *weighted_sums(values, steps)))
            else:
                contrasts.append(CellContrasts(plan, values, rule).of(keys, steps, "part", tuple(block.values())))
    names = ", ".join(factor.name for factor in varied(plan))
    estimates = estimate(
        f"Step of a roadmap: what an ingredient adds to those before it, in the one order {names}. Another order may "
        "share the same total gain differently.",
        contrasts,
        plan.study,
        rule,
    )
    # Elsewhere a contribution is positive if taking the ingredient away harms; a step adds it, so the sign is turned.
    table = estimates.table.assign(contribution=0.0 - estimates.table["contribution"])
    return replace(estimates, table=table.drop(columns=["verdict"]))


def _chain(plan: Plan, block: Mapping[str, str]) -> list[tuple[Cell, list[str]]]:
    """The cells on the way, each with the ingredients put back since the one before."""
    factors = varied(plan)
    chain: list[tuple[Cell, list[str]]] = []
    waiting: list[str] = []
    for step in range(len(factors) + 1):
        levels = {
            factor.name: factor.reference if position < step else factor.removed.label
            for position, factor in enumerate(factors)
        }
        cell = cell_at(plan, {**levels, **block})
        if cell is None:
            without = ", ".join(factor.name for factor in factors[step:]) or "nothing"
            raise AnalysisError(
                f"The design '{plan.study.design}' has no roadmap: the cell without {without} is missing. "
                "Use the design 'cumulative'."
            )
        waiting += [factor.name for factor in factors[step - 1 : step]] if step else []
        # An ingredient put back before what it depends on changes nothing yet: it counts with the next step.
        if not chain or cell is not chain[-1][0]:
            chain.append((cell, waiting))
            waiting = []
    return chain
