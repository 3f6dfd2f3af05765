"""Designs with fewer cells than the grid, from pydoe: fractions, screening, D-optimal choices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pydoe

from ablate.errors import DesignError
from ablate.formatting import percent
from ablate.study.constraint import Requires, forbidden_by, settle
from ablate.study.factor import Factor
from ablate.study.layout import Combination, DesignSpace, Layout, factorial

_MOST_FRACTIONAL = 20
_MOST_CANDIDATES = 20_000
_STARTS = 10


def fractional(space: DesignSpace) -> Layout:
    """The smallest regular fraction of a resolution, with what it confounds in its notes.

    Box, Hunter and Hunter, Statistics for Experimenters (1978), chapter 12.

    Raises:
        DesignError: If a factor has more than two levels, if constraints would break the fraction, or if there is no
            such fraction.

    Example:
        >>> from ablate.study.factor import Level
        >>> on_off = (Level("true"), Level("false"))
        >>> layout = fractional(DesignSpace(tuple(Factor(name, on_off, "true") for name in "abcdef")))
        >>> len(layout.combinations), layout.notes[1]
        (16, 'Confounded: a:b with c:e and d:f.')
    """
    _refuse_what_breaks("fractional", space)
    count = len(space.factors)
    if space.resolution not in (3, 4, 5) or not 3 <= count <= _MOST_FRACTIONAL:
        raise DesignError(
            f"There is no fraction of resolution {space.resolution} for {count} factors: the resolution is 3, 4 or 5, "
            f"and there are 3 to {_MOST_FRACTIONAL} factors."
        )
    signs = pydoe.fracfact_by_res(count, space.resolution)
    notes = [f"A fraction of resolution {space.resolution}: {len(signs)} of {2**count} combinations."]
    return Layout(_combinations(signs, space.factors), (*notes, *_aliases(signs, space.factors)))


def screening(space: DesignSpace) -> Layout:
    """A Plackett-Burman design: main effects only, in the least multiple of four of cells.

    Plackett and Burman, Biometrika 33 (1946).

    Raises:
        DesignError: If a factor has more than two levels, or if constraints would break the design.
    """
    _refuse_what_breaks("screening", space)
    # The published designs hold the row of all minus signs or of all plus signs; the reference is that row.
    signs = pydoe.pbdesign(len(space.factors))
    if not (signs == 1).all(axis=1).any():
        signs = -signs
    return Layout(
        _combinations(signs, space.factors),
        (
            f"A screening design of {len(signs)} combinations: main effects only, each partly confounded with the "
            "interactions of two others.",
        ),
    )


def latin_square(space: DesignSpace) -> Layout:
    """A Latin square, or for more than three factors squares that are orthogonal to each other.

    The square is cyclic: the level of the third factor is the sum of those of the first two, modulo their number, and
    that of a further one the sum with a multiple of the first, which needs a prime number of levels.

    Raises:
        DesignError: If the factors are fewer than three or do not have equally many levels, if there are too many of
            them, or if constraints would break the square.

    Example:
        >>> from ablate.study.factor import Level
        >>> factors = [Factor(name, tuple(Level(f"{name}{k}") for k in range(3)), f"{name}0") for name in "abc"]
        >>> len(latin_square(DesignSpace(tuple(factors))).combinations)
        9
    """
    _refuse_what_breaks("latin_square", space, two_levels=False)
    levels = [[factor.reference, *(level.label for level in factor.alternatives)] for factor in space.factors]
    size, count = len(levels[0]), len(levels)
    if count < 3 or any(len(labels) != size for labels in levels):
        sizes = ", ".join(f"{factor.name} {len(factor.levels)}" for factor in space.factors)
        raise DesignError(f"A Latin square takes three or more factors of equally many levels; here: {sizes}.")
    is_prime = all(size % divisor for divisor in range(2, size))
    most = size + 1 if is_prime else 3
    if count > most:
        raise DesignError(f"With {size} levels a Latin square takes at most {most} factors; here there are {count}.")
    combinations = []
    for row in range(size):
        for column in range(size):
            places = [row, column, *((column + step * row) % size for step in range(1, count - 1))]
            combinations.append(
                {
                    factor.name: labels[place]
                    for factor, labels, place in zip(space.factors, levels, places, strict=True)
                }
            )
    note = (
        f"A Latin square of {size * size} of {size**count} combinations: main effects only, each mixed with the "
        "interactions of the others."
    )
    return Layout(tuple(combinations), (note,))


def optimal(space: DesignSpace) -> Layout:
    """The cells that estimate all main effects most precisely, among those that the constraints allow.

    D-optimal by Fedorov's exchange (Theory of Optimal Experiments, 1972).

    Raises:
        DesignError: If the number of cells is too small to estimate the effects, or there are too many candidates.
    """
    grid = math.prod(len(factor.levels) for factor in space.factors)
    if grid > _MOST_CANDIDATES:
        raise DesignError(
            f"The grid has {grid} combinations; an optimal design is chosen from at most {_MOST_CANDIDATES}. "
            "Use screening, or fewer factors."
        )
    candidates = _valid(space)
    columns = _coded(candidates, space.factors)
    effects = columns.shape[1]
    cells = space.cells if space.cells is not None else min(effects + 3, len(candidates))
    if not effects + 1 <= cells <= len(candidates):
        raise DesignError(
            f"study.cells={cells}: {effects} effects need at least {effects + 1} cells, "
            f"and there are {len(candidates)} valid ones."
        )
    chosen = _exchanged(columns, cells)
    rows = {tuple(row): combination for row, combination in zip(columns.tolist(), candidates, strict=True)}
    picked = {tuple(row): rows[tuple(row)] for row in np.asarray(chosen).tolist()}
    note = (
        f"A D-optimal choice of {len(picked)} of {len(candidates)} valid cells; "
        f"D-efficiency {percent(_efficiency(chosen))}."
    )
    return Layout(tuple(picked.values()), (note,))


def _exchanged(columns: np.ndarray, cells: int) -> np.ndarray:
    """The best of several exchanges: each starts from other candidates, and a singular start cannot be left."""
    shuffle = np.random.default_rng(0).permutation
    starts = (columns[shuffle(len(columns))] for _ in range(_STARTS))
    designs = [pydoe.optimal_design(start, cells, degree=1, criterion="D", method="fedorov")[0] for start in starts]
    best: np.ndarray = max(designs, key=lambda design: (_efficiency(design), design.tolist()))
    reference = np.ones(columns.shape[1])
    if (best == reference).all(axis=1).any():
        return best
    # The reference is always trained, so it takes the place of the row that is missed least.
    swapped = [np.vstack([np.delete(best, place, axis=0), reference]) for place in range(len(best))]
    return max(swapped, key=_efficiency)


def _efficiency(design: np.ndarray) -> float:
    """Of a main-effects model, against an orthogonal design of as many rows."""
    model = np.column_stack([np.ones(len(design)), design])
    _, logdet = np.linalg.slogdet(model.T @ model / len(design))
    return float(np.exp(logdet / model.shape[1]))


def _refuse_what_breaks(design: str, space: DesignSpace, two_levels: bool = True) -> None:
    many_levels = [factor.name for factor in space.factors if len(factor.levels) > 2]
    names = {factor.name for factor in space.factors}
    bound = set()
    for rule in space.constraints:
        if isinstance(rule, Requires):
            named, text = {rule.child, rule.parent}, f"{rule.child} requires {rule.parent}"
        else:
            named, text = {name for name, _ in rule.levels}, f"forbidden {dict(rule.levels)}"
        if named <= names:
            bound.add(text)
    faults = []
    if many_levels and two_levels:
        faults.append(f"it takes factors of two levels; {', '.join(many_levels)} has more")
    if bound:
        faults.append(f"constraints take cells out of it, and it is orthogonal no longer ({'; '.join(sorted(bound))})")
    if faults:
        raise DesignError(
            f"The design {design} is not possible: {'; '.join(faults)}. study.design=optimal takes any factors and "
            "constraints; study.cells=N says how many cells."
        )


def _combinations(signs: np.ndarray, factors: Sequence[Factor]) -> tuple[Combination, ...]:
    return tuple(
        {factor.name: factor.removed.label for factor, sign in zip(factors, row, strict=True) if sign < 0}
        for row in signs
    )


def _aliases(signs: np.ndarray, factors: Sequence[Factor]) -> list[str]:
    """Which main effects and interactions of two cannot be told apart, a sentence a group."""
    groups, _ = pydoe.fracfact_aliasing(signs)
    letters = {chr(ord("a") + place): factor.name for place, factor in enumerate(factors)}
    notes = []
    for group in groups:
        # A term is written as the letters of its factors; those of three and more are taken to be small.
        short = [term for term in re.split(r"\s*=\s*", group) if 1 <= len(term) <= 2]
        terms = [":".join(letters[letter] for letter in term) for term in short]
        if len(terms) > 1:
            notes.append(f"Confounded: {terms[0]} with {' and '.join(terms[1:])}.")
    return notes


def _valid(space: DesignSpace) -> list[Combination]:
    valid: dict[tuple[str, ...], Combination] = {}
    for combination in factorial(space).combinations:
        settled, _ = settle(combination, space.factors, space.constraints)
        if forbidden_by(settled, space.constraints) is None:
            valid.setdefault(tuple(settled.values()), settled)
    return list(valid.values())


def _coded(combinations: Sequence[Combination], factors: Sequence[Factor]) -> np.ndarray:
    """Columns of a main-effects model: +1 and -1 for two levels, sum coding for more."""
    columns = []
    for factor in factors:
        for level in factor.alternatives:
            signs = {level.label: -1.0, factor.reference: 1.0}
            columns.append([signs.get(combination[factor.name], 0.0) for combination in combinations])
    return np.array(columns).T
