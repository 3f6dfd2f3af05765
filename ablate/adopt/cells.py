"""Factors, cells, seeds and the reference cell of foreign runs."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ablate.adopt.levels import ABSENT, Varied
from ablate.adopt.repeats import Placed
from ablate.adopt.request import Request
from ablate.errors import DesignError, suggestion
from ablate.study import Cell, Factor, Level, cell_of

__all__ = ["design_of", "lay_out", "number_seeds"]

_LISTED = 8
_LARGEST_GRID = 100_000


def lay_out(varied: Varied, kept: Sequence[Placed], request: Request) -> tuple[list[Factor], list[Cell], list[str]]:
    """Factors and cells, the reference cell first, from the runs that count."""
    asked = _asked_reference(varied, request)
    names = list(varied.levels)
    finished = [one for one in kept if one.outcome.metrics] or list(kept)
    reference, notes = _reference(names, finished, asked)
    factors = []
    for name in names:
        labels = _in_order(list(dict.fromkeys(one.levels[name] for one in kept)))
        factors.append(
            Factor(name, tuple(Level(label, (f"{varied.keys[name]}={label}",)) for label in labels), reference[name])
        )
    present = {tuple(one.levels.values()) for one in kept}
    grid = [[factor.reference, *(level.label for level in factor.alternatives)] for factor in factors]
    total = math.prod(len(labels) for labels in grid)
    if total <= _LARGEST_GRID:
        ordered: Iterator[tuple[str, ...]] = (row for row in itertools.product(*grid) if row in present)
    else:
        ordered = iter(
            sorted(present, key=lambda row: [labels.index(label) for labels, label in zip(grid, row, strict=True)])
        )
    cells = [
        cell_of(
            dict(zip(names, row, strict=True)),
            factors,
            [name for name, label in zip(names, row, strict=True) if label == ABSENT],
        )
        for row in ordered
    ]
    return factors, cells, notes


def _asked_reference(varied: Varied, request: Request) -> dict[str, str]:
    asked = {}
    for word, level in request.reference.items():
        hits = [name for name, key in varied.keys.items() if word in (name, key) or key.endswith(f".{word}")]
        if len(hits) != 1:
            names = list(varied.levels)
            raise DesignError(
                f"reference.{word}: no such factor. Factors: {', '.join(names)}.{suggestion(word, names)}"
            )
        known = list(dict.fromkeys(varied.levels[hits[0]]))
        if level not in known:
            listed = ", ".join(_in_order(known))
            raise DesignError(
                f"reference.{word}={level}: '{hits[0]}' has the levels {listed}.{suggestion(level, known)}"
            )
        asked[hits[0]] = level
    return asked


def _reference(names: list[str], kept: Sequence[Placed], asked: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The level of each factor to compare with: the one asked for, or the most frequent, which is there in a run.

    Among levels that are as frequent, ``true`` counts as the full form, and otherwise the one met first.
    """
    wanted = {}
    for name in names:
        counts = Counter(one.levels[name] for one in kept)
        most = max(counts.values())
        ties = [label for label in counts if counts[label] == most]  # a counter keeps the order of first sight
        wanted[name] = asked.get(name, "true" if "true" in ties else ties[0])
    present = Counter(tuple(one.levels[name] for name in names) for one in kept)
    exact = tuple(wanted[name] for name in names)
    if exact not in present:
        fitting = [row for row in present if all(row[names.index(name)] == level for name, level in asked.items())]
        if not fitting:
            words = ", ".join(f"{name}={level}" for name, level in asked.items())
            raise DesignError(f"No run with a result has {words}, so nothing can be compared with it.")
        exact = max(fitting, key=lambda row: (sum(a == b for a, b in zip(row, exact, strict=True)), present[row]))
    reference = dict(zip(names, exact, strict=True))
    shown = ", ".join(f"{name}={level}" for name, level in reference.items())
    guessed = [] if set(asked) == set(names) else [f"The reference is {shown}; reference.KEY=LEVEL sets another one."]
    return reference, guessed


def _in_order(labels: list[str]) -> list[str]:
    """Numbers by size, anything else as it was met."""
    try:
        return sorted(labels, key=float)
    except ValueError:
        return labels


def design_of(factors: Sequence[Factor], cells: Sequence[Cell]) -> str:
    """What the cells amount to, in the name of a design; ``as found`` where they are none."""
    if len(cells) == math.prod(len(factor.levels) for factor in factors):
        return "factorial"
    if all(len(cell.changed) <= 1 for cell in cells):
        return "one_factor_at_a_time"
    return "as found"


def number_seeds(labels: Sequence[str] | None, count: int, key: str | None) -> tuple[list[int], list[str]]:
    """The seed of every run as a whole number, and what a user should know about it.

    Args:
        labels: What the runs say, or None if they say nothing.
        count: How many runs there are.
        key: Where they say it.
    """
    if labels is None:
        return [0] * count, [
            "No run says what its seed was: one run a cell, so numbers and no inference. seed=KEY names the key."
        ]
    if len(set(labels)) == 1:
        number = int(labels[0]) if labels[0].lstrip("-").isdigit() else 0
        return [number] * count, [f"Every run says {key}: {labels[0]}: one run a cell, so numbers and no inference."]
    if all(label.lstrip("-").isdigit() for label in labels):
        return [int(label) for label in labels], []
    numbers = {label: index for index, label in enumerate(dict.fromkeys(labels))}
    listed = ", ".join(f"{label} as {number}" for label, number in list(numbers.items())[:_LISTED])
    return [numbers[label] for label in labels], [f"Seeds of '{key}' are no whole numbers and are counted: {listed}."]
