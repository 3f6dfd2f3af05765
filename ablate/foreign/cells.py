"""Factors, cells, seeds and the reference cell of foreign runs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ablate.errors import DesignError
from ablate.foreign.levels import ABSENT
from ablate.foreign.outcomes import CellRun
from ablate.formatting import listing
from ablate.study import Cell, Factor, Level, cell_of

_LISTED = 8


def make_cells(
    keys: Mapping[str, str], named: Mapping[str, str], runs: Sequence[CellRun]
) -> tuple[list[Factor], list[Cell], list[str]]:
    """Factors and cells, the reference cell first, and notes for the user on the reference.

    Args:
        keys: By the factor's name its key in the configurations.
        named: The levels of the reference cell that the user named, by factor.
        runs: The runs that count.

    Raises:
        DesignError: If no run with a result has all levels that were named.
    """
    reference = _reference(named, [run for run in runs if run.result.metrics] or runs)
    factors = []
    for name, key in keys.items():
        labels = _in_order(list(dict.fromkeys(run.levels[name] for run in runs)))
        levels = tuple(Level(label, (f"{key}={label}",)) for label in labels)
        factors.append(Factor(name, levels, reference[name]))
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
    """The design that the cells amount to; ``as found`` where they are none."""
    if len(cells) == math.prod(len(factor.levels) for factor in factors):
        return "factorial"
    if all(len(cell.changed) <= 1 for cell in cells):
        return "one_factor_at_a_time"
    return "as found"


def integer_seeds(labels: Sequence[str] | None, count: int, key: str | None) -> tuple[list[int], list[str]]:
    """The seed of every run as a whole number, and what a user should know about it.

    Args:
        labels: The seed of every run as its configuration has it, or None if there is none.
        count: How many runs there are.
        key: The key of the seed.
    """
    if labels is None:
        return [0] * count, [
            "No run says what its seed was: one run a cell, so numbers and no inference. seed=KEY names the key."
        ]
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
