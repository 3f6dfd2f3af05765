"""Main effects and interactions of factorial designs as averages over valid pairs of cells, seed by seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.comparisons import block_of
from ablate.analysis.estimates import Contrast, Estimates, by_seed, estimate
from ablate.analysis.observations import Observations
from ablate.errors import AnalysisError
from ablate.study import Cell, Factor, Plan

__all__ = ["interactions", "main_effects"]


def main_effects(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """The effect of each level of each factor, averaged over what the other factors are at.

    In each seed it is the mean over all pairs of cells that differ in this factor alone; the seed is thereby a block.
    Pairs that constraints make impossible do not count: the effect of a factor that depends on another one is an
    average over the cells in which that one is there. In a full factorial of two levels this is the main effect of
    the textbooks (and the Banzhaf value).

    Args:
        plan: The plan, of a factorial design or one that contains pairs.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        A row a level that is not the reference: ``factor``, ``level``, ``pairs`` averaged over, then
        :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS`.

    Raises:
        AnalysisError: If no two cells differ in one factor at more than one setting of the others.
    """
    contrasts, notes, counts = [], [], []
    cells = _by_levels(plan)
    for factor in _varied(plan):
        for level in factor.alternatives:
            pairs = list(_pairs(plan, cells, factor, level.label))
            if not pairs:
                notes.append(f"{factor.name}={level.label}: no pair of cells differs in it alone.")
                continue
            counts.append(len(pairs))
            weights = [
                (cell.label, sign / len(pairs)) for pair in pairs for cell, sign in zip(pair, (-1, 1), strict=True)
            ]
            found, size = by_seed(values, weights)
            contrasts.append(Contrast({"factor": factor.name, "level": level.label, "pairs": len(pairs)}, found, size))
    # One pair in each data set is still one setting of the ingredients.
    blocks = len({block_of(cell, plan) for cell in plan.cells})
    if all(pairs <= blocks for pairs in counts):
        raise AnalysisError(
            f"The design '{plan.study.design}' has no main effects: it compares every factor at one setting of the "
            "others only. Use the design 'factorial', or read its effects as they are."
        )
    return Estimates(
        "Main effect: change of the metric when the factor leaves its reference level, averaged over all settings of "
        "the other factors in which both cells exist.",
        estimate(contrasts, plan.study, rule),
        (*notes, *_on_seeds(contrasts, plan)),
    ).under(rule)


def interactions(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """How much the effect of one factor changes when another one is changed, too.

    Args:
        plan: The plan, of a factorial design or of pairs.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        A row a pair of levels: ``factor`` (``a:b``), ``level``, number of squares of cells averaged over
        (``pairs``), then :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS` without verdict and contribution: an
        interaction is neither good nor bad.

    Raises:
        AnalysisError: If the design has no four cells that cross two factors.
    """
    contrasts = []
    cells = _by_levels(plan)
    for one, two in itertools.combinations(_varied(plan), 2):
        for a, b in itertools.product(one.alternatives, two.alternatives):
            squares = list(_squares(plan, cells, (one, a.label), (two, b.label)))
            if squares:
                signs = (1, -1, -1, 1)
                weights = [
                    (cell.label, sign / len(squares))
                    for square in squares
                    for cell, sign in zip(square, signs, strict=True)
                ]
                found, size = by_seed(values, weights)
                keys = {"factor": f"{one.name}:{two.name}", "level": f"{a.label}:{b.label}", "pairs": len(squares)}
                contrasts.append(Contrast(keys, found, size))
    if not contrasts:
        raise AnalysisError(
            f"The design '{plan.study.design}' has no interactions: no four cells cross two factors. "
            "Use the design 'pairs' or 'factorial'."
        )
    return Estimates(
        "Interaction: effect of changing both factors beyond the sum of changing each alone, averaged over all "
        "settings of the others in which all four cells exist (twice the interaction effect of textbooks).",
        estimate(contrasts, plan.study, rule).drop(columns=["contribution", "verdict"]),
        _on_seeds(contrasts, plan),
    ).under(rule)


def _varied(plan: Plan) -> list[Factor]:
    return [factor for factor in plan.factors if not factor.block]


Cells = Mapping[tuple[str, ...], Cell]
"""The cells of a plan by their levels, in the order of its factors."""


def _by_levels(plan: Plan) -> Cells:
    return {tuple(cell.levels[factor.name] for factor in plan.factors): cell for cell in plan.cells}


def _places(plan: Plan) -> dict[str, int]:
    return {factor.name: place for place, factor in enumerate(plan.factors)}


def _at(key: tuple[str, ...], place: int, level: str) -> tuple[str, ...]:
    return (*key[:place], level, *key[place + 1 :])


def _pairs(plan: Plan, cells: Cells, factor: Factor, level: str) -> Iterator[tuple[Cell, Cell]]:
    place = _places(plan)[factor.name]
    for key, cell in cells.items():
        if key[place] == factor.reference and factor.name not in cell.void:
            other = cells.get(_at(key, place, level))
            if other is not None:
                yield cell, other


def _squares(
    plan: Plan, cells: Cells, one: tuple[Factor, str], two: tuple[Factor, str]
) -> Iterator[tuple[Cell, Cell, Cell, Cell]]:
    places = _places(plan)
    (first, a), (second, b) = one, two
    i, j = places[first.name], places[second.name]
    for key, cell in cells.items():
        if key[i] == first.reference and key[j] == second.reference:
            changed = _at(key, i, a)
            others = [cells.get(other) for other in (changed, _at(key, j, b), _at(changed, j, b))]
            found = [other for other in others if other is not None]
            if len(found) == len(others):
                yield cell, found[0], found[1], found[2]


def _on_seeds(contrasts: list[Contrast], plan: Plan) -> tuple[str, ...]:
    short = [str(contrast.keys["factor"]) for contrast in contrasts if len(contrast.values) < len(plan.study.seeds)]
    if not short:
        return ()
    return (f"Only seeds that all cells of an average have finished count; fewer than planned for {', '.join(short)}.",)
