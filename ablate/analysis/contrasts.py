"""Main effects and interactions of factorial designs as averages over valid pairs of cells, seed by seed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.estimates import Contrast, Estimates, estimate, weighted_sums
from ablate.analysis.observations import Observations, blocks_of
from ablate.errors import AnalysisError
from ablate.study import Cell, Plan


def main_effects(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """The effect of each level of each factor, averaged over the settings of the other factors.

    In each seed it is the mean over all pairs of cells that differ in this factor alone; the seed is thereby a block.
    Pairs that constraints make impossible do not count: the effect of a factor that depends on another one is an
    average over the cells in which that one is there. In a full factorial of two levels this is the main effect of
    the textbooks (and the Banzhaf value).

    Args:
        plan: The plan, of a factorial design or one that contains pairs.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        One row per level that is not the reference: ``factor``, ``level``, ``pairs`` averaged over, then
        :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS`.

    Raises:
        AnalysisError: If no two cells differ in one factor at more than one setting of the others.
    """
    contrasts, notes, counts = [], [], []
    cells = _by_levels(plan)
    for place, factor in enumerate(plan.factors):
        for level in () if factor.block else factor.alternatives:
            pairs = _groups(cells, (place, factor.reference, level.label))
            if not pairs:
                notes.append(f"{factor.name}={level.label}: no pair of cells differs in it alone.")
                continue
            counts.append(len(pairs))
            keys = {"factor": factor.name, "level": level.label, "pairs": len(pairs)}
            contrasts.append(Contrast(keys, *_average(values, pairs, (-1, 1))))
    # One pair in each data set is still one setting of the ingredients.
    blocks = len(blocks_of(plan))
    if all(pairs <= blocks for pairs in counts):
        raise AnalysisError(
            f"The design '{plan.study.design}' has no main effects: it compares every factor at one setting of the "
            "others only. Use the design 'factorial', or read its effects as they are."
        )
    return estimate(
        "Main effect: change of the metric when the factor leaves its reference level, averaged over all settings of "
        "the other factors in which both cells exist.",
        contrasts,
        plan.study,
        rule,
        (*notes, *_missing_seed_notes(contrasts, plan)),
    )


def interactions(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """How much the effect of one factor changes when another one is changed, too.

    Args:
        plan: The plan, of a factorial design or of pairs.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        One row per pair of levels: ``factor`` (``a:b``), ``level``, the number of squares (four cells that cross the
        two levels) averaged over (``pairs``), then :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS` without verdict
        and contribution: an interaction is neither good nor bad.

    Raises:
        AnalysisError: If the design has no four cells that cross two factors.
    """
    contrasts = []
    cells = _by_levels(plan)
    places = [(place, factor) for place, factor in enumerate(plan.factors) if not factor.block]
    for (i, one), (j, two) in itertools.combinations(places, 2):
        for a, b in itertools.product(one.alternatives, two.alternatives):
            squares = _groups(cells, (j, two.reference, b.label), (i, one.reference, a.label))
            if squares:
                keys = {"factor": f"{one.name}:{two.name}", "level": f"{a.label}:{b.label}", "pairs": len(squares)}
                contrasts.append(Contrast(keys, *_average(values, squares, (1, -1, -1, 1))))
    if not contrasts:
        raise AnalysisError(
            f"The design '{plan.study.design}' has no interactions: no four cells cross two factors. "
            "Use the design 'pairs' or 'factorial'."
        )
    estimates = estimate(
        "Interaction: effect of changing both factors beyond the sum of changing each alone, averaged over all "
        "settings of the others in which all four cells exist (twice the interaction effect of textbooks).",
        contrasts,
        replace(plan.study, margin=None),  # an interaction has no verdict that a margin could bear on
        rule,
        _missing_seed_notes(contrasts, plan),
    )
    return replace(estimates, table=estimates.table.drop(columns=["contribution", "verdict"]))


Cells = Mapping[tuple[str, ...], Cell]
"""The cells of a plan by their levels, in the order of its factors."""


def _by_levels(plan: Plan) -> Cells:
    return {tuple(cell.levels[factor.name] for factor in plan.factors): cell for cell in plan.cells}


def _groups(cells: Cells, *changes: tuple[int, str, str]) -> list[list[Cell]]:
    """For each cell that has the old levels: the cells with every subset of the changes, from none of them to all.

    Args:
        cells: The cells.
        changes: Position of a factor, its level before and after. Of the subsets, the last change alone comes before
            the first alone.
    """
    groups = []
    for key in cells:
        if all(key[place] == before for place, before, _ in changes):
            corners = []
            for chosen in itertools.product((False, True), repeat=len(changes)):
                levels = list(key)
                for place, _, after in itertools.compress(changes, chosen):
                    levels[place] = after
                corners.append(cells.get(tuple(levels)))
            existing = [cell for cell in corners if cell is not None]
            if len(existing) == len(corners):
                groups.append(existing)
    return groups


def _average(
    values: Observations, groups: Sequence[Sequence[Cell]], signs: tuple[int, ...]
) -> tuple[dict[int, float], float]:
    """By seed, the mean over groups of cells of their signed sum; and the largest magnitude among the values."""
    return weighted_sums(
        values,
        [(cell.label, sign / len(groups)) for group in groups for cell, sign in zip(group, signs, strict=True)],
    )


def _missing_seed_notes(contrasts: Sequence[Contrast], plan: Plan) -> tuple[str, ...]:
    fewer = [str(contrast.keys["factor"]) for contrast in contrasts if len(contrast.values) < len(plan.study.seeds)]
    if not fewer:
        return ()
    return (f"Only seeds that all cells of an average have finished count; fewer than planned for {', '.join(fewer)}.",)
