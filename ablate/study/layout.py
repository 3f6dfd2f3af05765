"""Layouts: the combinations of levels that a design chooses, as pure functions of its factors.

A combination names the factors that are not at their reference level, by their level's label; duplicates, void factors
and the reference cell itself are added or removed by :func:`ablate.study.make_plan`. Fractions of the grid, which need
NumPy, are in :mod:`ablate.study.fraction`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from ablate.study.constraint import Constraint, ancestors
from ablate.study.factor import Factor
from ablate.study.limits import MOST_RUNS, check_size

FEWER_CELLS = "Take fewer factors or levels, or a design with fewer cells, such as study.design=leave_one_out."

Combination = dict[str, str]


@dataclass(frozen=True)
class DesignSpace:
    """What a design chooses from.

    Args:
        factors: The factors, at least one.
        constraints: What makes a factor void or a combination impossible.
        resolution: Of a fractional design: 3 separates main effects from each other, 4 also from interactions of
            two, 5 these from each other.
        cells: How many cells an optimal design has, or None for two more than it has effects to estimate.
    """

    factors: tuple[Factor, ...]
    constraints: tuple[Constraint, ...] = ()
    resolution: int = 4
    cells: int | None = None

    def without_all(self) -> Combination:
        """Everything removed."""
        return {factor.name: factor.removed.label for factor in self.factors}

    def put_back(self, combination: Combination, name: str) -> Combination:
        """A combination in which a factor, and everything that it needs to mean something, is at its reference."""
        returned = {name, *ancestors(name, self.constraints)}
        return {name: label for name, label in combination.items() if name not in returned}


@dataclass(frozen=True)
class Layout:
    """What a design chose.

    Args:
        combinations: Level label by factor name; factors that one does not name are at their reference.
        notes: What a user should know about the choice, a sentence each.
    """

    combinations: tuple[Combination, ...]
    notes: tuple[str, ...] = ()


def leave_one_out(space: DesignSpace) -> Layout:
    """The full network and, for each factor, the network without it: k + 1 combinations.

    Example:
        >>> from ablate.study.factor import Level
        >>> on_off = (Level("true"), Level("false"))
        >>> space = DesignSpace((Factor("a", on_off, "true"), Factor("b", on_off, "true")))
        >>> leave_one_out(space).combinations
        ({}, {'a': 'false'}, {'b': 'false'})
    """
    return Layout(({}, *({factor.name: factor.removed.label} for factor in space.factors)))


def one_factor_at_a_time(space: DesignSpace) -> Layout:
    """The full network and every other level of every factor, one at a time."""
    return Layout(({}, *({factor.name: level.label} for factor in space.factors for level in factor.alternatives)))


def baseline(space: DesignSpace) -> Layout:
    """The full network and the one with everything removed."""
    return Layout(({}, space.without_all()))


def add_one_in(space: DesignSpace) -> Layout:
    """The empty network and, for each factor, the empty network with that factor alone put back.

    A factor that means nothing without another is put back together with it.
    """
    empty = space.without_all()
    return Layout(({}, empty, *(space.put_back(empty, factor.name) for factor in space.factors)))


def cumulative(space: DesignSpace) -> Layout:
    """A roadmap: from the empty network one factor after the other is put back, in the given order."""
    steps = [space.without_all()]
    for factor in space.factors:
        steps.append(space.put_back(steps[-1], factor.name))
    return Layout(tuple(steps))


def pairs(space: DesignSpace) -> Layout:
    """Leave-one-out, and every two factors removed together.

    Raises:
        DesignError: If there are more than a study may have runs.
    """
    count = math.comb(len(space.factors), 2)
    check_size(count, MOST_RUNS, "pairs of factors", FEWER_CELLS)
    couples = itertools.combinations(space.factors, 2)
    both = ({a.name: a.removed.label, b.name: b.removed.label} for a, b in couples)
    return Layout((*leave_one_out(space).combinations, *both))


def factorial(space: DesignSpace) -> Layout:
    """Every combination of all levels, the reference first.

    Raises:
        DesignError: If there are more than a study may have runs.

    Example:
        >>> from ablate.study.factor import Level
        >>> on_off = (Level("true"), Level("false"))
        >>> len(factorial(DesignSpace(tuple(Factor(name, on_off, "true") for name in "abc"))).combinations)
        8
    """
    count = math.prod(len(factor.levels) for factor in space.factors)
    check_size(count, MOST_RUNS, f"combinations in the grid of {len(space.factors)} factors", FEWER_CELLS)
    columns = [[factor.reference, *(level.label for level in factor.alternatives)] for factor in space.factors]
    names = [factor.name for factor in space.factors]
    return Layout(tuple(dict(zip(names, row, strict=True)) for row in itertools.product(*columns)))
