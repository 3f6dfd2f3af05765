"""Designs: which combinations of levels a study has.

Each design is a pure function from factors to combinations (level label by factor name); factors that a combination
does not name are at their reference level. Constraints, duplicates and the reference cell are the plan's business.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from ablate.errors import DesignError, suggestion
from ablate.study.factor import Factor

__all__ = ["DESIGNS", "combinations"]

Combination = dict[str, str]


def leave_one_out(factors: Sequence[Factor]) -> list[Combination]:
    """The full network and, for each factor, the network without it: k + 1 combinations.

    Example:
        >>> from ablate.study.factor import Level
        >>> on_off = (Level("true"), Level("false"))
        >>> leave_one_out([Factor("a", on_off, "true"), Factor("b", on_off, "true")])
        [{}, {'a': 'false'}, {'b': 'false'}]
    """
    return [{}, *({factor.name: factor.removed.label} for factor in factors)]


def one_factor_at_a_time(factors: Sequence[Factor]) -> list[Combination]:
    """The full network and every other level of every factor, one at a time."""
    return [{}, *({factor.name: level.label} for factor in factors for level in factor.alternatives)]


def baseline(factors: Sequence[Factor]) -> list[Combination]:
    """The full network and the one with everything removed."""
    return [{}, _removed(factors)]


def add_one_in(factors: Sequence[Factor]) -> list[Combination]:
    """The empty baseline and, for each factor, the baseline with that factor alone put back."""
    everything = _removed(factors)
    return [{}, everything, *({n: v for n, v in everything.items() if n != factor.name} for factor in factors)]


def cumulative(factors: Sequence[Factor]) -> list[Combination]:
    """A roadmap: from the empty baseline one factor after the other is put back, in the given order."""
    names = [factor.name for factor in factors]
    everything = _removed(factors)
    return [{name: everything[name] for name in names[step:]} for step in range(len(names) + 1)]


def pairs(factors: Sequence[Factor]) -> list[Combination]:
    """Leave-one-out and, beside it, every two factors removed together."""
    both = ({a.name: a.removed.label, b.name: b.removed.label} for a, b in itertools.combinations(factors, 2))
    return [*leave_one_out(factors), *both]


def factorial(factors: Sequence[Factor]) -> list[Combination]:
    """Every combination of all levels, the reference first.

    Example:
        >>> from ablate.study.factor import Level
        >>> on_off = (Level("true"), Level("false"))
        >>> len(factorial([Factor(name, on_off, "true") for name in "abc"]))
        8
    """
    columns = [[factor.reference, *(level.label for level in factor.alternatives)] for factor in factors]
    names = [factor.name for factor in factors]
    return [dict(zip(names, row, strict=True)) for row in itertools.product(*columns)]


def _removed(factors: Sequence[Factor]) -> Combination:
    return {factor.name: factor.removed.label for factor in factors}


DESIGNS: Mapping[str, Callable[[Sequence[Factor]], list[Combination]]] = {
    "leave_one_out": leave_one_out,
    "one_factor_at_a_time": one_factor_at_a_time,
    "add_one_in": add_one_in,
    "baseline": baseline,
    "cumulative": cumulative,
    "pairs": pairs,
    "factorial": factorial,
}


def combinations(design: str, factors: Sequence[Factor]) -> list[Combination]:
    """All combinations of a design or of a union of designs.

    Args:
        design: A name of :data:`DESIGNS`, or several joined by ``+``, such as ``"leave_one_out+add_one_in"``.
        factors: The factors, at least one.

    Returns:
        The combinations in the order of the designs; duplicates are not removed here.

    Raises:
        DesignError: If a name is unknown.
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
    return [combination for name in names for combination in DESIGNS[name](factors)]
