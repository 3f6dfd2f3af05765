"""Which cell is compared with which, the seeds they share, and which cells are best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ablate.analysis.intervals import t_interval
from ablate.analysis.observations import Observations, block_of
from ablate.analysis.unpaired import welch_interval
from ablate.analysis.verdicts import ALPHA, evidence, holm
from ablate.study import Cell, Plan

Pairs = Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class Comparison:
    """A cell and the one it is compared with.

    Args:
        cell: The cell.
        reference: The cell with all ingredients at their reference, in the same block.
        changed: Names of the ingredients in which the two differ.
    """

    cell: Cell
    reference: Cell
    changed: tuple[str, ...]


def comparisons(plan: Plan) -> tuple[Comparison, ...]:
    """Every cell that is not a reference itself, with its reference, in the order of the plan.

    Factors that are blocks are never compared across: a cell's reference is the cell of the same block levels with
    everything else at its reference.
    """
    blocks = {factor.name for factor in plan.factors if factor.block}
    by_levels = {tuple(cell.levels.values()): cell for cell in plan.cells}
    pairs = []
    for cell in plan.cells:
        levels = tuple(cell.levels[factor.name] if factor.block else factor.reference for factor in plan.factors)
        reference = by_levels.get(levels)
        if reference is not None and reference is not cell:
            pairs.append(Comparison(cell, reference, tuple(name for name in cell.changed if name not in blocks)))
    return tuple(pairs)


def shared_pairs(reference: Mapping[int, float], cell: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """By seed, in order, the two numbers of the seeds that both have."""
    return {seed: (reference[seed], cell[seed]) for seed in sorted(reference.keys() & cell.keys())}


def size_of(pairs: Pairs) -> float:
    """Magnitude of the numbers in pairs, against which differences count as rounding noise."""
    return max((abs(value) for pair in pairs.values() for value in pair), default=0.0)


def best_cells(values: Observations, plan: Plan) -> frozenset[str]:
    """Labels of the best cell of every block and of all cells that the data do not separate from it.

    The best cell has the best mean. Another one counts as separated when the paired t test of the two, adjusted by
    Holm over all comparisons with the best cell, has a p value of at most :data:`~ablate.analysis.verdicts.ALPHA`.

    Args:
        values: The metric by cell label and seed.
        plan: The plan.

    Returns:
        No label for a block whose best cell has fewer than two seeds: then nothing could have been separated.
    """
    sign = 1 if plan.study.direction == "max" else -1
    by_block: dict[tuple[str, ...], list[str]] = {}
    for cell in plan.cells:
        if values[cell.label]:
            by_block.setdefault(block_of(cell, plan), []).append(cell.label)
    best: set[str] = set()
    for labels in by_block.values():
        top = max(labels, key=lambda label: sign * t_interval(list(values[label].values())).mean)
        if len(values[top]) < 2:
            continue
        others = [label for label in labels if label != top]
        p_values = holm([_p_value(values[top], values[label], plan.study.paired) for label in others])
        # Not "p > ALPHA": without a p value (NaN) a cell counts as not separated.
        best |= {top, *(label for label, p in zip(others, p_values, strict=True) if not p <= ALPHA)}
    return frozenset(best)


def _p_value(one: Mapping[int, float], other: Mapping[int, float], paired: bool) -> float:
    if not paired:
        difference = welch_interval(sorted(one.values()), sorted(other.values()))
        return evidence(difference, margin=None).difference
    pairs = shared_pairs(one, other)
    return evidence(t_interval([b - a for a, b in pairs.values()], scale=size_of(pairs)), margin=None).difference
