"""Designs: which combinations of levels a study has.

Each design is a pure function from a :class:`DesignSpace` to a :class:`Layout`. A combination names the factors that
are not at their reference level, by their level's label; duplicates, void factors and the reference cell itself are the
plan's business.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import DesignError, suggestion
from ablate.study.constraint import Constraint, Requires
from ablate.study.factor import Factor

__all__ = ["DESIGNS", "Design", "DesignSpace", "Layout", "combinations", "designs_of"]

Combination = dict[str, str]


@dataclass(frozen=True)
class DesignSpace:
    """What a design chooses from.

    Args:
        factors: The factors, at least one.
        constraints: What makes a factor void or a combination impossible.
        resolution: Of a fractional design: 3 keeps main effects apart from each other, 4 also from interactions of
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

    def family(self, name: str) -> set[str]:
        """A factor and everything that it needs to mean something."""
        found, waiting = set(), [name]
        while waiting:
            child = waiting.pop()
            if child not in found:
                found.add(child)
                waiting += [
                    rule.parent for rule in self.constraints if isinstance(rule, Requires) and rule.child == child
                ]
        return found


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
    """The empty baseline and, for each factor, the baseline with that factor alone put back.

    A factor that means nothing without another is put back together with it.
    """
    empty = space.without_all()
    added = [_put_back(empty, space.family(factor.name)) for factor in space.factors]
    return Layout(({}, empty, *added))


def cumulative(space: DesignSpace) -> Layout:
    """A roadmap: from the empty baseline one factor after the other is put back, in the given order."""
    steps = [space.without_all()]
    for factor in space.factors:
        steps.append(_put_back(steps[-1], space.family(factor.name)))
    return Layout(tuple(steps))


def pairs(space: DesignSpace) -> Layout:
    """Leave-one-out and, beside it, every two factors removed together."""
    couples = itertools.combinations(space.factors, 2)
    both = ({a.name: a.removed.label, b.name: b.removed.label} for a, b in couples)
    return Layout((*leave_one_out(space).combinations, *both))


def factorial(space: DesignSpace) -> Layout:
    """Every combination of all levels, the reference first.

    Example:
        >>> from ablate.study.factor import Level
        >>> on_off = (Level("true"), Level("false"))
        >>> len(factorial(DesignSpace(tuple(Factor(name, on_off, "true") for name in "abc"))).combinations)
        8
    """
    columns = [[factor.reference, *(level.label for level in factor.alternatives)] for factor in space.factors]
    names = [factor.name for factor in space.factors]
    return Layout(tuple(dict(zip(names, row, strict=True)) for row in itertools.product(*columns)))


def fractional(space: DesignSpace) -> Layout:
    """An orthogonal fraction of the grid of two-level factors; see :mod:`ablate.study.fraction`."""
    from ablate.study import fraction

    return fraction.fractional(space)


def screening(space: DesignSpace) -> Layout:
    """A Plackett-Burman design for the main effects of many factors; see :mod:`ablate.study.fraction`."""
    from ablate.study import fraction

    return fraction.screening(space)


def optimal(space: DesignSpace) -> Layout:
    """A D-optimal choice among all valid cells; see :mod:`ablate.study.fraction`."""
    from ablate.study import fraction

    return fraction.optimal(space)


def _put_back(combination: Combination, names: set[str]) -> Combination:
    return {name: label for name, label in combination.items() if name not in names}


DESIGNS: Mapping[str, Callable[[DesignSpace], Layout]] = {
    "leave_one_out": leave_one_out,
    "one_factor_at_a_time": one_factor_at_a_time,
    "add_one_in": add_one_in,
    "baseline": baseline,
    "cumulative": cumulative,
    "pairs": pairs,
    "factorial": factorial,
    "fractional": fractional,
    "screening": screening,
    "optimal": optimal,
}


def combinations(
    design: str,
    factors: Sequence[Factor],
    constraints: Sequence[Constraint] = (),
    resolution: int = 4,
    cells: int | None = None,
) -> Layout:
    """All combinations of a design or of a union of designs.

    Args:
        design: A name of :data:`DESIGNS`, or several joined by ``+``, such as ``"leave_one_out+add_one_in"``.
        factors: The factors, at least one.
        constraints: What makes a factor void or a combination impossible.
        resolution: Of a fractional design.
        cells: Of an optimal design.

    Returns:
        The combinations in the order of the designs; duplicates are not removed here.

    Raises:
        DesignError: If a name is unknown, or a design is not possible with these factors.
    """
    names = [name.strip() for name in design.split("+")]
    unknown = [name for name in names if name not in DESIGNS]
    if unknown:
        raise DesignError(
            "\n".join(
                f"Unknown design '{name}'. Designs: {', '.join(DESIGNS)}, and unions of them with '+'."
                f"{suggestion(name, DESIGNS)}"
                for name in unknown
            )
        )
    space = DesignSpace(tuple(factors), tuple(constraints), resolution, cells)
    layouts = [DESIGNS[name](space) for name in names]
    return Layout(
        tuple(combination for layout in layouts for combination in layout.combinations),
        tuple(note for layout in layouts for note in layout.notes),
    )


@dataclass(frozen=True)
class Design:
    """What a design answers beside the effect of each cell.

    Args:
        figures: Names of the figures that show it.
        tables: Names of the tables that show it.
        questions: Names of the questions that one asks of it.
        anova_order: Highest order of the interactions in its analysis of variance; None where it has none.
    """

    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    anova_order: int | None = None


_FRACTION = ("main_effects",), ("shapley", "anova", "least_squares"), ("shapley",)
_ANSWERS = {
    "cumulative": Design(("roadmap",), ("roadmap",), ("roadmap",)),
    "pairs": Design(("interactions",), ("interactions",), ("interactions",)),
    "factorial": Design(
        ("main_effects", "interactions", "shapley"),
        ("main_effects", "interactions", "shapley", "anova", "least_squares"),
        ("main_effects", "interactions", "shapley"),
        9,
    ),
    "fractional": Design(*_FRACTION, 2),
    "screening": Design(*_FRACTION, 1),
    "optimal": Design(*_FRACTION, 1),
}


def designs_of(design_name: str) -> tuple[Design, ...]:
    """The designs of a union with ``+``."""
    return tuple(_ANSWERS.get(name.strip(), Design()) for name in design_name.split("+"))
