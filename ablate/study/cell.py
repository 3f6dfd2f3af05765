"""Cells: one combination of levels each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ablate.characters import is_reserved
from ablate.errors import DesignError
from ablate.study.factor import Factor, takes_away

_LONGEST_NAME = 80
_LONGEST_LABEL = 60
_HASH_LENGTH = 12
_HASHED = re.compile(rf".*-[0-9a-f]{{{_HASH_LENGTH}}}")
_SAFE = re.compile(r"[A-Za-z0-9_.,=+-]{1,100}")


@dataclass(frozen=True)
class Cell:
    """One combination of levels.

    Args:
        levels: Level label by factor name, for every factor, in the order of the factors.
        changed: Names of the factors that are not at their reference level.
        label: What figures and tables call the cell: ``"full"``, ``"w/o residual"``, ``"head=flatten"``; the reference
            is called by its levels where it is not the full form.
        void: Names of the factors that mean nothing in this cell, because what they depend on is gone.
        given_name: The name that the study's plan gives the cell, where an earlier rule for names made it.
    """

    levels: Mapping[str, str] = field(hash=False)
    changed: tuple[str, ...]
    label: str
    void: tuple[str, ...] = ()
    given_name: str = ""

    @property
    def changes(self) -> tuple[tuple[str, str], ...]:
        """The factors that are not at their reference level, each with its level: what distinguishes two cells."""
        return tuple((name, self.levels[name]) for name in self.changed)

    @property
    def is_reference(self) -> bool:
        """Whether every factor is at its reference level."""
        return not self.changed

    @cached_property
    def name(self) -> str:
        """The cell as the name of a folder: the changed levels, or ``"full"``.

        It depends neither on the factors that stay at their reference nor on the other cells, so that a study keeps
        its folders when it grows. No two cells have names that a file system could take for one, not even where case
        does not count: what is not plain, in lower case and short ends with a hash of the changed levels.
        """
        return self.given_name or _folder_name(self.changes)

    def named(self, name: str) -> Cell:
        """The cell with the name that a plan gives it.

        Raises:
            DesignError: If that cannot be the name of a folder.
        """
        if not _SAFE.fullmatch(name) or not name.strip("."):
            raise DesignError(
                f"The plan calls a cell {name!r}, which cannot be the name of a folder. Allowed: at most 100 letters, "
                "digits and _.,=+-"
            )
        return replace(self, given_name="" if name == _folder_name(self.changes) else name)


def _folder_name(changes: Sequence[tuple[str, str]]) -> str:
    if not changes:
        return "full"
    text = ",".join(f"{name}={level}" for name, level in changes)
    safe = re.sub(r"[^a-z0-9_.,=+-]", "_", text.lower())
    has_separators = any({",", "="} & {*name, *level} for name, level in changes)
    # A plain name that ends like a hash could be that of another cell.
    is_plain = safe == text and len(safe) <= _LONGEST_NAME and not _HASHED.fullmatch(safe)
    if is_plain and not has_separators and not is_reserved(safe):
        return safe
    digits = hashlib.sha256(json.dumps(changes).encode()).hexdigest()[:_HASH_LENGTH]
    return f"{'_' if is_reserved(safe) else ''}{safe[:_LONGEST_NAME]}-{digits}"


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
        label=", ".join(changes) or reference_label(factors),
        void=tuple(void),
    )


def reference_label(factors: Sequence[Factor]) -> str:
    """What the reference cell is called: ``full`` where a part can be taken away from it, else by its levels.

    Args:
        factors: All factors of the study; blocks do not count.

    Example:
        >>> from ablate.study.factor import Level
        >>> model = Factor("model", (Level("cnn"), Level("mlp")), "cnn")
        >>> residual = Factor("residual", (Level("true"), Level("false")), "true")
        >>> squeeze = Factor("squeeze", (Level("false"), Level("true")), "false")
        >>> [reference_label(each) for each in ([model], [squeeze, model], [residual], [residual, model])]
        ['model=cnn', 'squeeze=false, model=cnn', 'full', 'full']
    """
    varied = [factor for factor in factors if not factor.block]
    removable = any(takes_away(factor.reference, level.label) for factor in varied for level in factor.alternatives)
    if removable or not varied:
        return "full"
    text = ", ".join(f"{factor.name}={factor.reference}" for factor in varied)
    return text if len(text) <= _LONGEST_LABEL else "reference"


def _change(factor: Factor, level: str) -> str:
    if level == "false" and factor.reference == "true":
        return f"w/o {factor.name}"
    if level == "true" and factor.reference == "false":
        return f"with {factor.name}"
    return f"{factor.name}={level}"
