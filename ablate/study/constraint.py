"""Constraints: what makes a level void or a combination impossible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import DesignError, suggestion
from ablate.study.factor import Factor


@dataclass(frozen=True)
class Requires:
    """A child factor that means something only while its parent is at certain levels.

    Where the parent is elsewhere the child is *void*: it changes nothing and stays at its reference level.

    Args:
        child: Name of the dependent factor, such as ``"bn_placement"``.
        parent: Name of the factor it depends on, such as ``"batch_norm"``.
        levels: Labels of the parent's levels with which the child exists.
    """

    child: str
    parent: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Forbidden:
    """A combination of levels that no cell may have.

    Args:
        levels: Pairs of factor name and level label that must not all hold.
        reason: Why, printed when cells fall away.
    """

    levels: tuple[tuple[str, str], ...]
    reason: str = ""


Constraint = Requires | Forbidden


def check_constraints(constraints: Sequence[Constraint], factors: Sequence[Factor]) -> None:
    """Refuse constraints on levels that the factors do not have, and requirements that form a circle.

    A constraint on a factor that is not varied has no consequence and is not checked.

    Raises:
        DesignError: With all faults at once.
    """
    known = {factor.name: factor for factor in factors}
    faults = []
    for constraint in constraints:
        named = (
            [(constraint.parent, label) for label in constraint.levels]
            if isinstance(constraint, Requires)
            else constraint.levels
        )
        for name, label in named:
            if name in known and label not in known[name].labels:
                faults.append(
                    f"A constraint names level '{label}' of '{name}', whose levels are "
                    f"{', '.join(known[name].labels)}.{suggestion(label, known[name].labels)}"
                )
    for child in dict.fromkeys(rule.child for rule in constraints if isinstance(rule, Requires)):
        if child in ancestors(child, constraints):
            faults.append(f"The requirements of '{child}' lead back to itself.")
    if faults:
        raise DesignError("\n".join(faults))


def ancestors(child: str, constraints: Sequence[Constraint]) -> set[str]:
    """The factors without which a factor means nothing: its parents, their parents, and so on."""
    found: set[str] = set()
    waiting = [child]
    while waiting:
        name = waiting.pop()
        parents = {rule.parent for rule in constraints if isinstance(rule, Requires) and rule.child == name}
        waiting += parents - found
        found |= parents
    return found


def settle(
    assignment: Mapping[str, str], factors: Sequence[Factor], constraints: Sequence[Constraint]
) -> tuple[dict[str, str], list[str]]:
    """Put every void factor of a combination at its reference level.

    Args:
        assignment: Level label by factor name, for all factors.
        factors: The factors of the study.
        constraints: The constraints of the study.

    Returns:
        The settled combination, and the names of the children that are void in it, whether they were moved or not
        and whether they are varied or not.

    Example:
        >>> from ablate.study.factor import Level
        >>> norm = Factor("batch_norm", (Level("true"), Level("false")), "true")
        >>> place = Factor("bn_placement", (Level("before"), Level("after")), "before")
        >>> rule = Requires("bn_placement", "batch_norm", ("true",))
        >>> settle({"batch_norm": "false", "bn_placement": "after"}, [norm, place], [rule])
        ({'batch_norm': 'false', 'bn_placement': 'before'}, ['bn_placement'])
    """
    references = {factor.name: factor.reference for factor in factors}
    settled = dict(assignment)
    void: list[str] = []
    changed = True
    while changed:
        changed = False
        for rule in constraints:
            if not isinstance(rule, Requires) or rule.child in void:
                continue
            if rule.parent in void or (rule.parent in settled and settled[rule.parent] not in rule.levels):
                if rule.child in settled:
                    settled[rule.child] = references[rule.child]
                void.append(rule.child)
                changed = True
    return settled, void


def forbidden_by(assignment: Mapping[str, str], constraints: Sequence[Constraint]) -> Forbidden | None:
    """The first constraint that forbids a combination, or None."""
    for rule in constraints:
        if isinstance(rule, Forbidden) and all(assignment.get(name) == label for name, label in rule.levels):
            return rule
    return None
