"""A study folder grows: a larger design or more seeds join what is there; anything else is refused."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ablate.errors import DesignError, StoreError
from ablate.store import FINISHED, PlannedRun, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Cell, Factor, Level, Plan, Study, cell_of
from ablate.sweep.identity import differences

__all__ = ["UNNAMED", "add_runs", "check_name", "default_name", "grow", "name_metric", "study_event", "unite_factors"]

_LONGEST = 100
_SPECIAL = "._,=+- "
_RESERVED = ("example", "single")

UNNAMED = "value"
"""What the number that a task returns is called where it has no name of its own."""


def default_name(names: Sequence[str]) -> str:
    """A study's name, made of the names of its factors.

    Example:
        >>> default_name(["residual", "model@net"])
        'residual-model.net'
    """
    joined = "-".join(re.sub(r"[^A-Za-z0-9_.]", ".", name).lstrip(".") for name in names)
    if joined in _RESERVED:
        return f"{joined}-study"
    if len(joined) <= _LONGEST:
        return joined
    return f"{joined[:60]}-and-more-{hashlib.sha256(joined.encode()).hexdigest()[:8]}"


def check_name(name: str) -> str:
    """A study's name, if it can be the name of a folder.

    Raises:
        DesignError: If it cannot; the message says what a name may hold.

    Example:
        >>> check_name("residual-bias")
        'residual-bias'
    """
    faults = []
    if not name or len(name.encode()) > _LONGEST:
        faults.append(f"it has {len(name.encode())} bytes of 1 to {_LONGEST}")
    if strange := sorted({letter for letter in name if not (letter.isalnum() or letter in _SPECIAL)}):
        faults.append(f"it contains {' '.join(map(repr, strange[:5]))}")
    if name[:1] in (".", " ", "-") or name[-1:] == " ":
        faults.append("it begins with a dot, a blank or a dash, or ends with a blank")
    if faults:
        shown = name if len(name) <= 60 else name[:57] + "..."
        raise DesignError(
            f"study.name={shown!r} cannot be the name of a folder: {'; '.join(faults)}. "
            f"Allowed: letters, digits and {' '.join(_SPECIAL.strip())}."
        )
    return name


def grow(
    folder: StudyFolder,
    old: StudyRecord | None,
    plan: Plan,
    runs: Sequence[PlannedRun],
    reference: Mapping[str, Any],
    event: Mapping[str, Any],
) -> StudyRecord:
    """What a study is after a command has been added to what its folder already holds.

    Args:
        folder: The study's folder.
        old: What it holds, or None.
        plan: What the command asks for.
        runs: The runs of that.
        reference: The unswept configuration.
        event: A plain record of the command.

    Raises:
        StoreError: If the folder holds a study with another reference, metric, direction, margin or policy for
            failed runs; the message has the difference key by key.
    """
    if old is None:
        return StudyRecord(plan, tuple(runs), reference, (event,))
    faults = differences(dict(old.reference), dict(reference))
    # Under the sequential rule the greatest number of seeds is part of what was declared.
    fixed = ("sequential", "seeds") if old.plan.study.sequential or plan.study.sequential else ()
    for key in ("metric", "direction", "margin", "failures", *fixed):
        was, now = getattr(old.plan.study, key), getattr(plan.study, key)
        if was != now and not (key == "metric" and not _reported(folder, old, was)):
            faults.append(f"study.{key}: {was} -> {now}")
    if faults:
        raise StoreError(
            f"The folder '{folder.path}' holds another study:\n"
            + "\n".join(f"  {line}" for line in faults)
            + f"\nStart another one with study.name={folder.name}-2, or go on with the values it has."
        )
    factors = unite_factors(old.plan.factors, plan.factors)
    cells: dict[str, Cell] = {}
    for part in (old.plan, plan):
        for cell in part.cells:
            grown = cell_of(cell.levels, factors, cell.void)
            cells.setdefault(grown.name, grown)
    all_runs = tuple(dict.fromkeys([*old.runs, *runs]))
    seeds = tuple(dict.fromkeys([*old.plan.study.seeds, *plan.study.seeds]))
    designs = list(dict.fromkeys([*old.plan.study.design.split("+"), *plan.study.design.split("+")]))
    study: Study = replace(plan.study, seeds=seeds, design="+".join(designs))
    notes = tuple(dict.fromkeys([*old.plan.notes, *plan.notes]))
    grown_plan = Plan(study, factors, tuple(cells.values()), notes)
    same = all_runs == old.runs and grown_plan == old.plan
    history = old.history if same else (*old.history, event)
    return StudyRecord(grown_plan, _in_order(grown_plan, all_runs), reference, history, old.checks)


def _in_order(plan: Plan, runs: Sequence[PlannedRun]) -> tuple[PlannedRun, ...]:
    cells = {cell.name: place for place, cell in enumerate(plan.cells)}
    seeds = {seed: place for place, seed in enumerate(plan.study.seeds)}
    return tuple(sorted(dict.fromkeys(runs), key=lambda run: (cells[run.cell], seeds[run.seed])))


def add_runs(folder: StudyFolder, runs: Sequence[PlannedRun]) -> None:
    """Enter further runs of known cells in the plan."""
    with folder.editing():
        record = folder.existing_record()
        folder.write_record(replace(record, runs=_in_order(record.plan, [*record.runs, *runs])))


def study_event(folder: StudyFolder, old: StudyRecord | None, plan: Plan, command: Sequence[str]) -> dict[str, Any]:
    """A plain record of a command that makes or enlarges a study.

    Args:
        folder: The study's folder.
        old: What it holds, or None.
        plan: What the command asks for.
        command: Its words.
    """
    runs = old.runs if old else ()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": list(command),
        "design": plan.study.design,
        "seeds": list(plan.study.seeds),
        "declared": plan.digest,
        "finished": sum(folder.run(run).status().state == FINISHED for run in runs),
    }


def name_metric(folder: StudyFolder) -> None:
    """Name the metric of a study that declared none after the only one that its runs report.

    Args:
        folder: The study's folder, with a plan.
    """
    with folder.editing():
        record = folder.existing_record()
        if record.plan.study.metric != UNNAMED or _reported(folder, record, UNNAMED):
            return
        results = (folder.run(run).result() for run in record.runs)
        found = {name for result in results if result for name in result.metrics if not name.startswith("seconds")}
        if len(found) == 1:
            plan = replace(record.plan, study=replace(record.plan.study, metric=found.pop()))
            folder.write_record(replace(record, plan=plan))


def _reported(folder: StudyFolder, record: StudyRecord, metric: str) -> bool:
    """Whether any run has the metric; if none has, its name was a mistake that may be mended."""
    results = (folder.run(run).result() for run in record.runs)
    return any(metric in result.metrics for result in results if result is not None)


def unite_factors(old: Sequence[Factor], new: Sequence[Factor]) -> tuple[Factor, ...]:
    """The factors of two plans, each with the levels of both; references are those of the first."""
    factors = {factor.name: factor for factor in old}
    for factor in new:
        known = factors.get(factor.name)
        if known is None:
            factors[factor.name] = factor
            continue
        levels: dict[str, Level] = {level.label: level for level in known.levels}
        for level in factor.levels:
            if not levels.get(level.label, Level("")).overrides:
                levels[level.label] = level
        factors[factor.name] = replace(known, levels=tuple(levels.values()))
    return tuple(factors.values())
