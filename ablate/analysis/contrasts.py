"""Main effects and interactions of factorial designs as averages over valid pairs of cells."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.cell_contrasts import CellContrasts
from ablate.analysis.estimates import OVER_DATA_SETS, Contrast, Estimates, estimate
from ablate.analysis.level_effects import level_effects, needs_model
from ablate.analysis.observations import Observations, blocks_of
from ablate.analysis.strata import error_strata, is_incomplete
from ablate.analysis.verdict_words import subject_of
from ablate.errors import AnalysisError
from ablate.study import Cell, Plan


def main_effects(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """The effect of each level of each factor, averaged over the settings of the other factors.

    It is the mean over all pairs of cells that differ in this factor alone. Pairs that constraints make impossible do
    not count: the effect of a factor that depends on another one is an average over the cells in which that one is
    there. In a full factorial of two levels this is the main effect of the textbooks (and the Banzhaf value). Designs
    without such pairs (fractions, screening, Latin squares, incomplete blocks, split plots) have it by least squares,
    see :func:`ablate.analysis.level_effects.level_effects`.

    Args:
        plan: The plan, of a factorial design, one that contains pairs, or a fraction.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        One row per level that is not the reference: ``factor``, ``level``, ``pairs`` averaged over (none by least
        squares), then :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS`. Over several data sets ``n`` counts these.

    Raises:
        AnalysisError: If no two cells differ in one factor at more than one setting of the others, and the design has
            no model either.
    """
    if rule is None and needs_model(plan, values):
        return level_effects(plan, values)
    contrasts, notes, counts = [], [], []
    make = CellContrasts(plan, values, rule)
    cells = _by_levels(plan)
    for place, factor in enumerate(plan.factors):
        for level in () if factor.block else factor.alternatives:
            pairs = _groups(cells, (place, factor.reference, level.label))
            if not pairs:
                notes.append(f"{factor.name}={level.label}: no pair of cells differs in it alone.")
                continue
            counts.append(len(pairs))
            keys = {"factor": factor.name, "level": level.label, "pairs": len(pairs)}
            contrasts.append(make.average(keys, pairs, (-1, 1), subject_of(factor.reference, level.label)))
    # One pair in each data set is still one setting of the ingredients.
    blocks = len(blocks_of(plan))
    if all(pairs <= blocks for pairs in counts):
        raise AnalysisError(
            f"The design '{plan.study.design}' has no main effects: it compares every factor at one setting of the "
            "others only. Use the design 'factorial', or read its effects as they are."
        )
    estimates = estimate(
        "Main effect: change of the metric when the factor leaves its reference level, averaged over all settings of "
        "the other factors in which both cells exist.",
        contrasts,
        make.study,
        rule,
        (*notes, *_missing_seed_notes(contrasts, make), *_replicate_notes(make)),
    )
    return over_data_sets(estimates, make)


def interactions(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """How much the effect of one factor changes when another one is changed, too.

    Args:
        plan: The plan, of a factorial design or of pairs.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        One row per pair of levels: ``factor`` (``a:b``), ``level``, the number of squares (four cells that cross the
        two levels) averaged over (``pairs``), then :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS` without verdict
        and contribution: an interaction is neither good nor bad. Over several data sets ``n`` counts these.

    Raises:
        AnalysisError: If the design has no four cells that cross two factors, or runs are not paired by seed alone.
    """
    if rule is None and (error_strata(plan, values) or is_incomplete(plan, values)):
        raise AnalysisError(
            f"The interactions of study '{plan.study.name}' stand in its analysis of variance: seeds do not have all "
            "cells, or factors are not set anew in every run."
        )
    contrasts = []
    make = CellContrasts(plan, values, rule)
    cells = _by_levels(plan)
    places = [(place, factor) for place, factor in enumerate(plan.factors) if not factor.block]
    for (i, one), (j, two) in itertools.combinations(places, 2):
        for a, b in itertools.product(one.alternatives, two.alternatives):
            squares = _groups(cells, (j, two.reference, b.label), (i, one.reference, a.label))
            if squares:
                keys = {"factor": f"{one.name}:{two.name}", "level": f"{a.label}:{b.label}", "pairs": len(squares)}
                contrasts.append(make.average(keys, squares, (1, -1, -1, 1), "part"))
    if not contrasts:
        raise AnalysisError(
            f"The design '{plan.study.design}' has no interactions: no four cells cross two factors. "
            "Use the design 'pairs' or 'factorial'."
        )
    estimates = estimate(
        "Interaction: effect of changing both factors beyond the sum of changing each alone, averaged over all "
        "settings of the others in which all four cells exist (twice the interaction effect of textbooks).",
        contrasts,
        replace(make.study, margin=None),  # an interaction has no verdict that a margin could bear on
        rule,
        (*_missing_seed_notes(contrasts, make), *_replicate_notes(make)),
    )
    estimates = over_data_sets(estimates, make)
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


def _missing_seed_notes(contrasts: Sequence[Contrast], make: CellContrasts) -> tuple[str, ...]:
    if make.is_over_data_sets or not make.plan.study.paired:
        return ()
    planned = len(make.plan.study.seeds)
    fewer = [str(contrast.keys["factor"]) for contrast in contrasts if len(contrast.values) < planned]
    if not fewer:
        return ()
    return (f"Only seeds that all cells of an average have finished count; fewer than planned for {', '.join(fewer)}.",)


def _replicate_notes(make: CellContrasts) -> tuple[str, ...]:
    if make.plan.study.paired or make.is_over_data_sets:
        return ()
    return ("Runs are not paired: the error is the variance within cells, taken as equal in all of them.",)


def over_data_sets(estimates: Estimates, make: CellContrasts) -> Estimates:
    """Estimates whose unit is the data set, said so; under the sequential rule without interval and test.

    Args:
        estimates: The estimates, one value per data set.
        make: What made their contrasts.
    """
    if not make.is_over_data_sets:
        return estimates if make.plan.study.paired else replace(estimates, counted="run")
    table, notes = estimates.table, [*estimates.notes]
    notes.append(
        "The unit is the data set, by its mean over seeds: intervals and verdicts are about data sets of which these "
        "are a sample. What holds on each of these data sets stands in the table of effects."
    )
    if make.rule is not None:
        table = table.assign(low=math.nan, high=math.nan, p=math.nan, p_adjusted=math.nan, verdict="undecided")
        notes.append(
            "Seeds were taken until verdicts stood, for which no interval or p value over data sets is known: none is "
            "given."
        )
    return replace(
        estimates,
        table=table,
        notes=tuple(notes),
        interval=OVER_DATA_SETS,
        test="t test over data sets",
        counted="data set",
    )
