"""Shapley values: how the total gain over the empty network is divided among the ingredients."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.cell_contrasts import CellContrasts
from ablate.analysis.estimates import Estimates, cell_at, estimate
from ablate.analysis.intervals import t_interval
from ablate.analysis.observations import Observations, blocks_of, varied
from ablate.analysis.strata import error_strata, is_incomplete
from ablate.analysis.verdict_words import About
from ablate.errors import AnalysisError
from ablate.formatting import listing, plural
from ablate.study import Cell, Plan, takes_away

_LISTED = 3
_MOST = 16

Present = frozenset[str]


def shapley(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """The Shapley value of every ingredient, computed in each seed and then summarised over seeds.

    The value of an ingredient is the mean of what it adds over all orders in which the network can be built up from
    nothing. An ingredient that means nothing without another one enters after it: only such orders count (the value
    of a game under precedence constraints). Source: U. Faigle and W. Kern, The Shapley value for cooperative games
    under precedence constraints, International Journal of Game Theory 21 (1992), 249-266. The values of a seed add up
    to the gain of the full cell over the one without any ingredient.

    Args:
        plan: The plan of a full factorial. Of a factor with several levels the last one stands for "taken away".
        values: The metric by cell label and seed. A seed counts if all cells have finished it.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        One row per ingredient and block: one column per block factor, ``factor`` and the level that the reference has,
        ``of`` which the value is, then
        :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS`; ``contribution`` is the value (positive is good) and
        ``difference`` with its interval the same in the sense "without minus with".

    Raises:
        AnalysisError: If cells that the value needs are not in the design.
    """
    factors = varied(plan)
    names = [factor.name for factor in factors]
    if len(names) > _MOST:
        raise AnalysisError(f"Shapley values of {len(names)} ingredients need 2^{len(names)} cells; at most {_MOST}.")
    if rule is None and (error_strata(plan, values) or is_incomplete(plan, values)):
        raise AnalysisError(
            f"Study '{plan.study.name}' has no Shapley values: seeds do not have all cells, or factors are not set "
            "anew in every run. Its main effects stand in tables of their own."
        )
    contrasts, notes = [], []
    references = {factor.name: factor.reference for factor in factors}
    about: dict[str, About] = {
        factor.name: "part" if takes_away(factor.reference, factor.removed.label) else "reference" for factor in factors
    }
    for block in blocks_of(plan):
        cells = _lattice(plan, block)
        make = CellContrasts(plan, counted_seeds(values, cells, plan), rule)
        weights = _weights(names, cells)
        # One set of seeds for all values of a block, or they would not add up to the gain.
        _, dropped = _seeds(values, cells)
        where = f" on {', '.join(block.values())}" if block else ""
        if dropped and plan.study.paired:
            notes.append(
                f"Left out{where}, because not all cells have finished them: seeds {', '.join(map(str, dropped))}."
            )
        for name in names:
            # "Without minus with", like every difference; contributions turn the sign by the metric's direction.
            shares = [(cells[present].label, -share) for present, share in weights[name].items()]
            contrasts.append(
                make.of({**block, "factor": name, "of": references[name]}, shares, about[name], tuple(block.values()))
            )
    notes += [
        f"{factor.name}: '{factor.removed.label}' stands for taken away; its other levels do not count."
        for factor in factors
        if len(factor.levels) > 2
    ]
    return estimate(
        "Shapley value: mean of what the ingredient adds over all orders of building the network up from the one "
        "without any, parents before what depends on them. The values add up to the total gain.",
        contrasts,
        plan.study,
        rule,
        notes,
    )


def counted_seeds(values: Observations, cells: Mapping[Present, Cell], plan: Plan) -> Observations:
    """The metric by cell and seed, for the seeds that all cells have finished; all where runs are unpaired.

    Args:
        values: The metric by cell label and seed.
        cells: The cells.
        plan: The plan.
    """
    if not plan.study.paired:
        return values
    shared, _ = _seeds(values, cells)
    labels = {cell.label for cell in cells.values()}
    return {
        label: {seed: by_seed[seed] for seed in shared} if label in labels else {} for label, by_seed in values.items()
    }


def ends_of_gain(plan: Plan, values: Observations, block: Mapping[str, str]) -> tuple[float, float] | None:
    """The two ends of the gain that Shapley values divide: mean metric without any ingredient, and of the full network.

    Args:
        plan: A plan for which :func:`shapley` has an answer.
        values: The metric by cell label and seed.
        block: Level by name of block factor, empty where the plan has none.

    Returns:
        Means over the seeds that all cells of the block have finished; None where there is none.
    """
    cells = _lattice(plan, block)
    shared, _ = _seeds(values, cells)
    if not shared:
        return None
    ends = (cells[frozenset()], cells[max(cells, key=len)])
    empty, full = (t_interval([values[cell.label][seed] for seed in shared]).mean for cell in ends)
    return empty, full


def _seeds(values: Observations, cells: Mapping[Present, Cell]) -> tuple[list[int], list[int]]:
    """The seeds that all cells have finished, and those that only some have."""
    finished = [set(values[cell.label]) for cell in cells.values()]
    shared = set.intersection(*finished)
    return sorted(shared), sorted(set.union(*finished) - shared)


def _lattice(plan: Plan, block: Mapping[str, str]) -> dict[Present, Cell]:
    """The cell of every set of present ingredients that can exist, in one block.

    A set in which an ingredient is present without what it depends on is left out: that ingredient is void there, so
    the network is the same as without it.
    """
    factors = varied(plan)
    cells: dict[Present, Cell] = {}
    missing: list[str] = []
    for size in range(len(factors), -1, -1):
        for chosen in itertools.combinations(factors, size):
            present = frozenset(factor.name for factor in chosen)
            levels = {f.name: f.reference if f.name in present else f.removed.label for f in factors}
            cell = cell_at(plan, {**levels, **block})
            if cell is None:
                missing.append(", ".join(sorted(present)) or "none")
            elif not present & set(cell.void):
                cells[present] = cell
    if missing:
        raise AnalysisError(
            f"The design '{plan.study.design}' cannot identify Shapley values: they need every combination of the "
            f"ingredients, and {plural(len(missing), 'is', 'are')} missing (present: "
            f"{listing(missing, _LISTED, '; ')}). Use the design 'factorial', without forbidden combinations."
        )
    full = frozenset(factor.name for factor in factors)
    if full not in cells:
        raise AnalysisError(
            f"The design '{plan.study.design}' cannot identify Shapley values: with everything at its reference some "
            "ingredients mean nothing."
        )
    return cells


def _weights(names: list[str], cells: Mapping[Present, Cell]) -> dict[str, dict[Present, float]]:
    """By ingredient, the weight of each cell in its Shapley value.

    An order of building the network up is a path from the empty set to the full one, along sets that exist. The edge
    that adds an ingredient to a set lies on (paths up to the set) times (paths on from the larger set) of them. Its
    share of all paths is added to the weight of the larger set and taken from that of the smaller one. So the orders,
    2e13 for sixteen ingredients, need not be listed.
    """
    by_size = sorted(cells, key=len)
    up: dict[Present, int] = {}
    for present in by_size:
        below = [present - {name} for name in present if present - {name} in cells]
        up[present] = sum(up[less] for less in below) if present else 1
    down: dict[Present, int] = {}
    for present in reversed(by_size):
        above = [present | {name} for name in names if name not in present and present | {name} in cells]
        down[present] = sum(down[more] for more in above) if len(present) < len(names) else 1
    total = up[frozenset(names)]
    weights: dict[str, dict[Present, float]] = {name: {} for name in names}
    for present in by_size:
        for name in present:
            less = present - {name}
            if less in cells:
                share = up[less] * down[present] / total
                weights[name][present] = weights[name].get(present, 0.0) + share
                weights[name][less] = weights[name].get(less, 0.0) - share
    return weights
