"""Factors, cells, seeds and the reference cell of foreign runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ablate.errors import DesignError, suggestion
from ablate.foreign.duplicates import CellRun
from ablate.foreign.levels import ABSENT, FactorLevels
from ablate.foreign.request import AdoptSettings
from ablate.formatting import listing
from ablate.study import Cell, Factor, Level, cell_of

_LISTED = 8


def make_cells(
    factors: FactorLevels, runs: Sequence[CellRun], settings: AdoptSettings
) -> tuple[list[Factor], list[Cell], list[str]]:
    """Factors and cells, the reference cell first, and what a user should know about the reference.

    Args:
        factors: The factors of all runs.
        runs: The runs that count.
        settings: They may name levels of the reference.

    Raises:
        DesignError: If a named level is none, or no run with a result has all of them.
    """
    names = list(factors.levels)
    finished = [run for run in runs if run.result.metrics] or list(runs)
    named = _named_reference(factors, settings)
    reference = _reference(names, finished, named)
    made = []
    for name in names:
        labels = _in_order(list(dict.fromkeys(run.levels[name] for run in runs)))
        levels = tuple(Level(label, (f"{factors.keys[name]}={label}",)) for label in labels)
        made.append(Factor(name, levels, reference[name]))
    # In the order of the full grid, of which foreign runs may be a small part: it is never laid out.
    ranks = [
        {label: rank for rank, label in enumerate([one.reference, *(level.label for level in one.alternatives)])}
        for one in made
    ]
    rows = sorted(
        {run.level_row for run in runs},
        key=lambda row: [rank[label] for rank, label in zip(ranks, row, strict=True)],
    )
    levels_of_cells = [dict(zip(names, row, strict=True)) for row in rows]
    cells = [
        cell_of(levels, made, [name for name, label in levels.items() if label == ABSENT]) for levels in levels_of_cells
    ]
    shown = ", ".join(f"{name}={level}" for name, level in reference.items())
    is_guess = named.keys() != set(names)
    notes = [f"The reference is {shown}; reference.KEY=LEVEL sets another one."] if is_guess else []
    return made, cells, notes


def _named_reference(factors: FactorLevels, settings: AdoptSettings) -> dict[str, str]:
    """The levels of the reference that the settings name, by factor."""
    named = {}
    for word, level in settings.reference.items():
        matches = [name for name, key in factors.keys.items() if word in (name, key) or key.endswith(f".{word}")]
        if len(matches) != 1:
            names = list(factors.levels)
            raise DesignError(
                f"reference.{word}: no such factor. Factors: {', '.join(names)}.{suggestion(word, names)}"
            )
        (name,) = matches
        labels = _in_order(list(dict.fromkeys(factors.levels[name])))
        if level not in labels:
            raise DesignError(
                f"reference.{word}={level}: '{name}' has the levels {', '.join(labels)}.{suggestion(level, labels)}"
            )
        named[name] = level
    return named


def _reference(names: Sequence[str], runs: Sequence[CellRun], named: Mapping[str, str]) -> dict[str, str]:
    """The level of each factor to compare with: the one that was named, or the most frequent; a run has all of them.

    Among levels that are as frequent, ``true`` counts as the full form, and otherwise the one met first.
    """
    preferred = {}
    for name in names:
        counts = Counter(run.levels[name] for run in runs)
        most = max(counts.values())
        ties = [label for label in counts if counts[label] == most]  # a counter keeps the order of first sight
        preferred[name] = named.get(name, "true" if "true" in ties else ties[0])
    rows = Counter(run.level_row for run in runs)
    preferred_row = tuple(preferred.values())
    if preferred_row in rows:
        return preferred
    # No run has the most frequent level of every factor: the row that shares most of them, the more frequent first.
    eligible = [row for row in rows if named.items() <= dict(zip(names, row, strict=True)).items()]
    if not eligible:
        levels = ", ".join(f"{name}={level}" for name, level in named.items())
        raise DesignError(f"No run with a result has {levels}, so nothing can be compared with it.")
    best = max(eligible, key=lambda row: (sum(a == b for a, b in zip(row, preferred_row, strict=True)), rows[row]))
    return dict(zip(names, best, strict=True))


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
    are_whole = all(label.lstrip("-").isdigit() for label in labels)
    distinct = list(dict.fromkeys(labels))
    if len(distinct) == 1:
        seed = int(distinct[0]) if are_whole else 0
        return [seed] * count, [f"Every run says {key}: {distinct[0]}: one run a cell, so numbers and no inference."]
    if are_whole:
        return [int(label) for label in labels], []
    numbers = {label: number for number, label in enumerate(distinct)}
    counted = listing([f"{label} as {number}" for label, number in numbers.items()], _LISTED)
    return [numbers[label] for label in labels], [f"Seeds of '{key}' are no whole numbers and are counted: {counted}."]
