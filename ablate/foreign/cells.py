"""Factors, cells, seeds and the reference cell of foreign runs."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ablate.errors import DesignError
from ablate.foreign.levels import ABSENT
from ablate.foreign.outcomes import CellRun
from ablate.formatting import listing
from ablate.study import Cell, Factor, Level, cell_of
from ablate.study.design import AS_FOUND

_LISTED = 8


def make_cells(
    keys: Mapping[str, str], named: Mapping[str, str], runs: Sequence[CellRun], blocks: Collection[str] = ()
) -> tuple[list[Factor], list[Cell], list[str]]:
    """Factors and cells, the reference cell first, and notes for the user on the reference.

    Args:
        keys: By the factor's name its key in the configurations.
        named: The levels of the reference cell that the user named, by factor.
        runs: The runs that count.
        blocks: Names of the factors within which cells are compared.

    Raises:
        DesignError: If no run with a result has all levels that were named.
    """
    reference = _reference(named, [run for run in runs if run.result.metrics] or runs)
    factors = []
    for name, key in keys.items():
        labels = _in_order(list(dict.fromkeys(run.levels[name] for run in runs)))
        levels = tuple(Level(label, (f"{key}={label}",)) for label in labels)
        factors.append(Factor(name, levels, reference[name], block=name in blocks))
    # In the order of the full grid, of which foreign runs may be a small part: it is never laid out.
    orders = [
        {
            label: place
            for place, label in enumerate([factor.reference, *(level.label for level in factor.alternatives)])
        }
        for factor in factors
    ]
    rows = sorted(
        {run.level_row for run in runs},
        key=lambda row: [order[label] for order, label in zip(orders, row, strict=True)],
    )
    levels_of_cells = [dict(zip(keys, row, strict=True)) for row in rows]
    cells = [
        cell_of(levels, factors, [name for name, label in levels.items() if label == ABSENT])
        for levels in levels_of_cells
    ]
    notes = []
    if named.keys() != keys.keys():
        assignments = ", ".join(f"{name}={level}" for name, level in reference.items())
        notes.append(f"The reference is {assignments}; reference.KEY=LEVEL sets another one.")
    return factors, cells, notes


def _reference(named: Mapping[str, str], runs: Sequence[CellRun]) -> dict[str, str]:
    """The level of each factor to compare with: the one that was named, or the most frequent; a run has all of them.

    Among levels that are as frequent, ``true`` counts as the full form, and otherwise the one met first.
    """
    preferred = []
    for name in runs[0].levels:
        counts = Counter(run.levels[name] for run in runs)
        most_frequent = max(counts, key=lambda label: (counts[label], label == "true"))
        preferred.append(named.get(name, most_frequent))
    eligible = [run for run in runs if named.items() <= run.levels.items()]
    if not eligible:
        levels = ", ".join(f"{name}={level}" for name, level in named.items())
        raise DesignError(f"No run with a result has {levels}, so nothing can be compared with it.")
    # Where no run has the preferred level of every factor: one that has most of them, the more frequent cell first.
    rows = Counter(run.level_row for run in eligible)
    row = max(rows, key=lambda row: (sum(a == b for a, b in zip(row, preferred, strict=True)), rows[row]))
    return dict(zip(runs[0].levels, row, strict=True))


def _in_order(labels: list[str]) -> list[str]:
    """Numbers by size, anything else as it was met."""
    try:
        return sorted(labels, key=float)
    except ValueError:
        return labels


def design_name(factors: Sequence[Factor], cells: Sequence[Cell]) -> str:
    """The design that the cells amount to; ``as found`` where they are none.

    Of two-level factors orthogonal to each other, a number of cells that is a power of two makes a regular fraction,
    another one a screening design; three factors or more of equally many levels, every two levels together once, a
    Latin square.
    """
    factors = [factor for factor in factors if not factor.block]
    rows = list(dict.fromkeys(tuple(cell.levels[factor.name] for factor in factors) for cell in cells))
    if len(rows) == math.prod(len(factor.levels) for factor in factors):
        return "factorial"
    reference = tuple(factor.reference for factor in factors)
    if all(sum(a != b for a, b in zip(row, reference, strict=True)) <= 1 for row in rows):
        return "one_factor_at_a_time"
    sizes = {len(factor.levels) for factor in factors}
    if len(factors) < 3 or len(sizes) > 1 or not _is_orthogonal(rows):
        return AS_FOUND
    size = sizes.pop()
    if size == 2:
        return "fractional" if len(rows) & (len(rows) - 1) == 0 and _is_regular(rows) else "screening"
    return "latin_square" if len(rows) == size**2 else AS_FOUND


Row = tuple[str, ...]


def _is_orthogonal(rows: Sequence[Row]) -> bool:
    """Whether every two columns have all combinations of their levels equally often."""
    for one, other in itertools.combinations(zip(*rows, strict=True), 2):
        counts = Counter(zip(one, other, strict=True))
        if len(counts) != len(set(one)) * len(set(other)) or len(set(counts.values())) > 1:
            return False
    return True


def _is_regular(rows: Sequence[Row]) -> bool:
    """Whether the product of any two columns of two levels is orthogonal to each column, or is that column."""
    columns = [[1 if label == column[0] else -1 for label in column] for column in zip(*rows, strict=True)]
    for one, two, three in itertools.combinations(columns, 3):
        if abs(sum(a * b * c for a, b, c in zip(one, two, three, strict=True))) not in (0, len(rows)):
            return False
    return True


def integer_seeds(labels: Sequence[str] | None, count: int, key: str | None) -> tuple[list[int], list[str]]:
    """The seed of every run as a whole number, and what a user should know about it.

    Args:
        labels: The seed of every run as its configuration has it, or None if there is none.
        count: How many runs there are.
        key: The key of the seed.
    """
    if labels is None:
        return [0] * count, ["No run says what its seed was; seed=KEY names the key."]
    distinct = list(dict.fromkeys(labels))
    are_whole = all(re.fullmatch(r"-?[0-9]{1,18}", label) for label in labels)
    numbers = {label: int(label) if are_whole else number for number, label in enumerate(distinct)}
    notes = []
    if len(distinct) == 1:
        notes.append(f"Every run says {key}: {distinct[0]}: one run a cell, so numbers and no inference.")
    elif not are_whole:
        counted = listing([f"{label} as {number}" for label, number in numbers.items()], _LISTED)
        notes.append(f"Seeds of '{key}' are no whole numbers and are counted: {counted}.")
    return [numbers[label] for label in labels], notes
