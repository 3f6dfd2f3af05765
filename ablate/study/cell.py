"""Cells: one combination of levels each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ablate.study.factor import Factor

_LONGEST_NAME = 80


@dataclass(frozen=True)
class Cell:
    """One combination of levels.

    Args:
        levels: Level label by factor name, for every factor, in the order of the factors.
        changed: Names of the factors that are not at their reference level.
        label: What figures and tables call the cell: ``"full"``, ``"w/o residual"``, ``"head=flatten"``.
        void: Names of the factors that mean nothing in this cell, because what they depend on is gone.
    """

    levels: Mapping[str, str] = field(hash=False)
    changed: tuple[str, ...]
    label: str
    void: tuple[str, ...] = ()

    @property
    def is_reference(self) -> bool:
        """Whether every factor is at its reference level."""
        return not self.changed

    @cached_property
    def name(self) -> str:
        """The cell as the name of a folder: the changed levels, or ``"full"``.

        It does not depend on the factors that stay at their reference, so that a study keeps its folders when it
        grows by a factor.
        """
        if not self.changed:
            return "full"
        text = ",".join(f"{name}={self.levels[name]}" for name in self.changed)
        safe = re.sub(r"[^A-Za-z0-9_.,=+-]", "_", text)
        unambiguous = not any({",", "="} & {*name, *self.levels[name]} for name in self.changed)
        if safe == text and unambiguous and len(safe) <= _LONGEST_NAME:
            return safe
        # With a separator in the name of a factor two cells could read alike.
        unique = text if not any({",", "="} & {*name} for name in self.changed) else repr(self.levels)
        return f"{safe[:_LONGEST_NAME]}-{hashlib.sha256(unique.encode()).hexdigest()[:8]}"


def cell_of(assignment: Mapping[str, str], factors: Sequence[Factor], void: Sequence[str] = ()) -> Cell:
    """The cell of a combination of levels.

    Args:
        assignment: Level label by factor name; factors it does not name are at their reference.
        factors: All factors of the study.
        void: Names of factors that mean nothing in this combination.

    Example:
        >>> from ablate.study.factor import Level
        >>> factors = [Factor("residual", (Level("true"), Level("false")), "true"),
        ...            Factor("head", (Level("gap"), Level("flatten")), "gap")]
        >>> cell_of({"residual": "false"}, factors).label
        'w/o residual'
        >>> cell_of({"residual": "false", "head": "flatten"}, factors).label
        'w/o residual, head=flatten'
    """
    levels = {factor.name: assignment.get(factor.name, factor.reference) for factor in factors}
    changed = [factor for factor in factors if levels[factor.name] != factor.reference]
    changes = [_change(factor, levels[factor.name]) for factor in changed]
    return Cell(
        levels=levels,
        changed=tuple(factor.name for factor in changed),
        label=", ".join(changes) or "full",
        void=tuple(void),
    )


def _change(factor: Factor, level: str) -> str:
    if level == "false" and factor.reference == "true":
        return f"w/o {factor.name}"
    if level == "true" and factor.reference == "false":
        return f"with {factor.name}"
    return f"{factor.name}={level}"
