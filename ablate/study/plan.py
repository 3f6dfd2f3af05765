"""The plan of a study: its cells, crossed with its seeds."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ablate.errors import DesignError, suggestion
from ablate.formatting import enumeration
from ablate.study.cell import Cell, cell_of
from ablate.study.constraint import Constraint, check_constraints, forbidden_by, settle
from ablate.study.design import DESIGNS, designs_of, lay_out
from ablate.study.factor import Factor, Level
from ablate.study.layout import FEWER_CELLS, DesignSpace, Layout, factorial
from ablate.study.limits import MOST_RUNS, check_size

DIRECTIONS = ("max", "min")

FAILURE_POLICIES = ("drop", "fail", "worst")
"""What runs without a result may count for; the fourth possibility is a number, the metric they count as."""


@dataclass(frozen=True)
class Study:
    """What a study asks, declared before its first run.

    Args:
        name: Name of the study and of its folder.
        design: Name of the design, or of a union with ``+``.
        seeds: The seeds with which every cell is trained, each once.
        metric: The number that decides, as a run reports it.
        direction: ``"max"`` where a higher metric is better, ``"min"`` where a lower one is.
        margin: The least effect that matters, in the metric's units, or None.
        resolution: Of a fractional design.
        cells: How many cells an optimal design has, or None.
        sequential: Whether seeds are taken one at a time, and ``seeds`` are the most that a cell may take.
        failures: What a run without a result counts for: one of :data:`FAILURE_POLICIES`, or the metric it counts as.
        resplit: Where each seed splits one data set anew and the split dominates the noise, the number of test examples
            for each training example; None otherwise.
        paired: Whether runs of one seed belong together; otherwise seeds only number the runs of a cell.
        whole_plots: Factors that are set once for each seed (the whole plots of a split-plot design), while the others
            vary within.
        adopted: Whether other tools made the runs: none of them is still to come.
    """

    name: str
    design: str
    seeds: tuple[int, ...]
    metric: str
    direction: str = "max"
    margin: float | None = None
    resolution: int = 4
    cells: int | None = None
    sequential: bool = False
    failures: str | float = "drop"
    resplit: float | None = None
    paired: bool = True
    whole_plots: tuple[str, ...] = ()
    adopted: bool = False

    @property
    def failure_policy(self) -> str:
        """One of :data:`FAILURE_POLICIES`; a number is what stands for the worst result."""
        return self.failures if isinstance(self.failures, str) else "worst"

    def __post_init__(self) -> None:
        faults = []
        if not self.seeds:
            faults.append("A study needs at least one seed. Write study.seeds=3, or list them: seed=0,7,9.")
        if len(set(self.seeds)) < len(self.seeds):
            faults.append(f"A seed stands twice in {list(self.seeds)}; a repeated seed is not a second observation.")
        if self.direction not in DIRECTIONS:
            faults.append(
                f"Unknown direction '{self.direction}'. Allowed: {', '.join(DIRECTIONS)}."
                f"{suggestion(self.direction, DIRECTIONS)}"
            )
        if self.margin is not None and not self.margin > 0:
            faults.append(f"The margin is {self.margin}; it must be positive, in units of {self.metric}.")
        if self.margin is not None and math.isinf(self.margin):
            faults.append("The margin is infinite; nothing could matter then. Leave it out, or write a number.")
        if isinstance(self.failures, str) and self.failures not in FAILURE_POLICIES:
            faults.append(
                f"Unknown policy '{self.failures}' for failed runs. Allowed: {', '.join(FAILURE_POLICIES)}, or the "
                f"{self.metric} that they count as.{suggestion(self.failures, FAILURE_POLICIES)}"
            )
        if not isinstance(self.failures, str) and not math.isfinite(self.failures):
            faults.append(f"Failed runs cannot count as {self.failures}: write a finite number.")
        if self.resplit is not None and not 0 < self.resplit < math.inf:
            faults.append(f"resplit={self.resplit}: write test examples for each training example, such as 0.25.")
        if self.resplit is not None and self.sequential:
            faults.append("No sequential rule is known for seeds that split one data set anew: fix their number.")
        if self.sequential and self.failures == "worst":
            faults.append(
                "With seeds=auto failed runs cannot count as the worst one, which is known only at the end: write the "
                f"{self.metric} that they count as (that of guessing, say) instead of 'worst'."
            )
        if faults:
            raise DesignError("\n".join(faults))


@dataclass(frozen=True)
class Plan:
    """All cells of a study; crossed with its seeds they are its runs.

    Args:
        study: What is asked.
        factors: What is varied.
        cells: The reference cell first, then the others in the order of the design, each once.
        notes: What a user should know about how the cells came about, a sentence each.
    """

    study: Study
    factors: tuple[Factor, ...]
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names: dict[str, Cell] = {}
        labels: dict[str, Cell] = {}
        for cell in self.cells:
            # Names that differ by case alone are one where case does not count.
            for kind, key, known in (("label", cell.label, labels), ("folder", cell.name.lower(), names)):
                other = known.setdefault(key, cell)
                if other is not cell:
                    raise DesignError(
                        f"Two cells would have one {kind}, {getattr(other, 'label' if kind == 'label' else 'name')!r}: "
                        f"{dict(other.changes)} and {dict(cell.changes)}. Give a factor or a level another name, or "
                        "start another study."
                    )

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that stand for everything declared: what is asked, of which cells."""
        question = self.to_dict()["study"]
        # What was added to studies later counts only where it says something, so that older studies keep their digest.
        added = {"paired": True, "whole_plots": [], "adopted": False}
        question = {key: value for key, value in question.items() if key != "name" and added.get(key, ...) != value}
        declared = {"study": question, "cells": [dict(cell.levels) for cell in self.cells]}
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values for JSON; :meth:`from_dict` reads them back."""
        return {
            # resplit only where it is declared: plans that do not know the key keep their digest.
            "study": {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in vars(self.study).items()
                if key != "resplit" or value is not None
            },
            "factors": [
                {
                    "name": factor.name,
                    "reference": factor.reference,
                    "block": factor.block,
                    "label": factor.label,
                    "levels": {level.label: list(level.overrides) for level in factor.levels},
                }
                for factor in self.factors
            ],
            "cells": [
                {"name": cell.name, "label": cell.label, "levels": dict(cell.levels), "void": list(cell.void)}
                for cell in self.cells
            ],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """The plan that :meth:`to_dict` wrote."""
        factors = tuple(
            Factor(
                name=item["name"],
                levels=tuple(Level(label, tuple(overrides)) for label, overrides in item["levels"].items()),
                reference=item["reference"],
                block=item["block"],
                label=item.get("label", item.get("words", "")),  # older plans say "words"
            )
            for item in values["factors"]
        )
        study = values["study"]
        return cls(
            study=Study(
                **{**study, "seeds": tuple(study["seeds"]), "whole_plots": tuple(study.get("whole_plots", ()))}
            ),
            factors=factors,
            cells=tuple(cell_of(item["levels"], factors, item["void"]).named(item["name"]) for item in values["cells"]),
            notes=tuple(values["notes"]),
        )

    def with_names_of(self, other: Plan) -> Plan:
        """The plan with the names that another plan of the same study gives the cells that both have.

        A study so goes on in the folders it has, also where an earlier rule made their names.
        """
        names = {cell.changes: cell.name for cell in other.cells}
        cells = tuple(cell.named(names.get(cell.changes, cell.name)) for cell in self.cells)
        return replace(self, cells=cells)


def make_plan(
    study: Study, factors: Sequence[Factor], constraints: Sequence[Constraint] = (), layout: Layout | None = None
) -> Plan:
    """Lay out the cells of a study.

    The reference cell is always there and first. A combination with a void factor collapses onto the one where that
    factor is at its reference; a forbidden one falls away; each cell stands once.

    Args:
        study: What is asked.
        factors: What is varied, each name once.
        constraints: What makes a factor void or a combination impossible.
        layout: Combinations to lay out instead of those of the study's design.

    Raises:
        DesignError: If the factors, the design or the constraints make no study.

    Example:
        >>> from ablate.study.factor import Level
        >>> residual = Factor("residual", (Level("true"), Level("false")), "true")
        >>> plan = make_plan(Study("demo", "leave_one_out", (0, 1, 2), "test_accuracy"), [residual])
        >>> [cell.label for cell in plan.cells]
        ['full', 'w/o residual']
    """
    if not factors:
        raise DesignError("A study needs at least one factor. Sweep a key, for example residual=true,false.")
    names = [factor.name for factor in factors]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DesignError(f"Each factor may stand once; twice: {', '.join(twice)}.")
    check_constraints(constraints, factors)
    cells: dict[tuple[str, ...], Cell] = {}
    collapsed: dict[str, int] = {}
    dropped: dict[str, int] = {}
    varied = [factor for factor in factors if not factor.block]
    if layout is None:
        layout = Layout(({},))
        if varied:
            space = DesignSpace(tuple(varied), tuple(constraints), study.resolution, study.cells)
            layout = lay_out(study.design, space)
    # Within every block the whole design is done, so that its cells can be compared there.
    blocks = factorial(DesignSpace(tuple(factor for factor in factors if factor.block))).combinations
    check_size(len(blocks) * (1 + len(layout.combinations)), MOST_RUNS, "cells in all blocks", FEWER_CELLS)
    for combination in [{**block, **choice} for block in blocks for choice in ({}, *layout.combinations)]:
        levels = {factor.name: combination.get(factor.name, factor.reference) for factor in factors}
        settled, void = settle(levels, factors, constraints)
        rule = forbidden_by(settled, constraints)
        if rule is not None:
            reason = rule.reason or ", ".join(f"{name}={label}" for name, label in rule.levels)
            dropped[reason] = dropped.get(reason, 0) + 1
            continue
        moved = ", ".join(name for name in void if settled.get(name) != levels.get(name))
        if moved:
            collapsed[moved] = collapsed.get(moved, 0) + 1
        cells.setdefault(tuple(settled.values()), cell_of(settled, factors, void))
    if not any(cell.is_reference for cell in cells.values()):
        raise DesignError("The reference cell itself is a forbidden combination.")
    runs = len(cells) * len(study.seeds)
    check_size(runs, MOST_RUNS, f"runs: {len(cells)} cells by {len(study.seeds)} seeds", "Take fewer of either.")
    if len(cells) < 2:
        raise DesignError("Nothing to compare: every combination collapses onto the reference cell.")
    notes = list(layout.notes)
    notes += [
        f"{count} combinations differ only in {moved}, void there: trained once." for moved, count in collapsed.items()
    ]
    notes += [f"{count} combinations fall away: {reason}." for reason, count in dropped.items()]
    notes += _unused_levels(study.design, varied, tuple(cells.values()))
    return Plan(study=study, factors=tuple(factors), cells=tuple(cells.values()), notes=tuple(notes))


def _unused_levels(design: str, factors: Sequence[Factor], cells: Sequence[Cell]) -> list[str]:
    """What a user who listed more than two levels may not expect of a design that only removes."""
    designs = designs_of(design)
    if not designs or any(part.takes_every_level for part in designs):
        return []
    others = enumeration([part.name for part in DESIGNS.values() if part.takes_every_level])
    notes = []
    for factor in factors:
        used = {cell.levels[factor.name] for cell in cells}
        unused = [label for label in factor.labels if label not in used]
        if unused and len(factor.labels) > 2:
            notes.append(
                f"{factor.name}={','.join(unused)} stands in no cell: {design} takes the last level for removed "
                f"({factor.removed.label}); {others} take every level."
            )
    return notes
