"""Which cell is compared with which, and the seeds they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ablate.study import Cell, Plan

__all__ = ["Comparison", "block_of", "comparisons", "shared_pairs", "size_of"]

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


def block_of(cell: Cell, plan: Plan) -> tuple[str, ...]:
    """The levels of the plan's blocks (data sets) in a cell; empty where the plan has none."""
    return tuple(cell.levels[factor.name] for factor in plan.factors if factor.block)


def comparisons(plan: Plan) -> tuple[Comparison, ...]:
    """Every cell that is not a reference itself, with its reference, in the order of the plan.

    Factors that are blocks are never compared across: a cell's reference is the cell of the same block levels with
    everything else at its reference.
    """
    blocks = {factor.name for factor in plan.factors if factor.block}
    by_levels = {tuple(cell.levels.values()): cell for cell in plan.cells}
    found = []
    for cell in plan.cells:
        wanted = tuple(cell.levels[factor.name] if factor.block else factor.reference for factor in plan.factors)
        reference = by_levels.get(wanted)
        if reference is not None and reference is not cell:
            found.append(Comparison(cell, reference, tuple(name for name in cell.changed if name not in blocks)))
    return tuple(found)


def shared_pairs(reference: Mapping[int, float], cell: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """By seed, in order, the two numbers of the seeds that both have."""
    return {seed: (reference[seed], cell[seed]) for seed in sorted(reference.keys() & cell.keys())}


def size_of(pairs: Pairs) -> float:
    """Magnitude of the numbers in pairs, against which differences count as rounding noise."""
    return max((abs(value) for pair in pairs.values() for value in pair), default=0.0)
