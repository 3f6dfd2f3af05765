"""What ``plan.json`` says of a study, and how a command extends it.

A larger design or more seeds are merged into what is there; any other study in the same folder is refused.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from ablate.errors import StoreError
from ablate.store import FAILED, FINISHED, PlannedRun, StudyFolder
from ablate.store.records import StudyRecord
from ablate.study import Cell, Factor, Level, Plan, Study, cell_of
from ablate.study.metric import direction_of
from ablate.study.settings import FIRST_SEEDS, StudySettings
from ablate.sweep.same_study import Spelling, check_same_study, reported_metrics
from ablate.sweep.trust import is_own_command, last_command, override_lines, signed_event

UNNAMED_METRIC = "value"
"""Name of the number that a task returns without a name."""


def known_direction(record: StudyRecord | None) -> str | None:
    """The direction that a study has, to go on with where a command names none; None for a new study."""
    return None if record is None else record.plan.study.direction


def extended_record(
    folder: StudyFolder,
    old: StudyRecord | None,
    plan: Plan,
    runs: Sequence[PlannedRun],
    reference: Mapping[str, Any],
    event: Mapping[str, Any],
    spelling: Spelling = Spelling(),  # noqa: B008, frozen
) -> StudyRecord:
    """What a folder holds, extended by what a command asks for.

    Args:
        folder: The study's folder.
        old: What it holds, or None.
        plan: What the command asks for.
        runs: The runs of the plan that are to be entered.
        reference: The unswept configuration.
        event: The entry of the command for the history, as plain values; kept only if the plan changes, or if it is
            the first one of this user's, or the first one with the task where it is now.
        spelling: How the command names things.

    Raises:
        StoreError: See :func:`~ablate.sweep.same_study.check_same_study`.
    """
    check_same_study(folder, old, plan, reference, spelling)
    if old is None:
        return StudyRecord(plan, tuple(runs), reference, (event,))
    factors = merge_factors(old.plan.factors, plan.factors)
    cells: dict[tuple[tuple[str, str], ...], Cell] = {}
    for cell in (*old.plan.cells, *plan.cells):
        merged = cell_of(cell.levels, factors, cell.void).named(cell.name)
        if (name := cells.setdefault(merged.changes, merged).name) != merged.name:
            raise StoreError(
                f"The cell '{merged.label}' has the folder '{name}' in one part of the study and '{merged.name}' in "
                "another, which another version of ablate wrote. Read both with this version side by side: "
                "ablate report with the paths of both."
            )
    all_runs = tuple(dict.fromkeys([*old.runs, *runs]))
    seeds = tuple(dict.fromkeys([*old.plan.study.seeds, *plan.study.seeds]))
    designs = dict.fromkeys([*old.plan.study.design.split("+"), *plan.study.design.split("+")])
    study: Study = replace(plan.study, seeds=seeds, design="+".join(designs))
    notes = tuple(dict.fromkeys([*old.plan.notes, *plan.notes]))
    merged_plan = Plan(study, factors, tuple(cells.values()), notes)
    is_same = all_runs == old.runs and merged_plan == old.plan
    is_known = is_same and not event.get("retried") and not _is_news(event, old.history)
    history = old.history if is_known else (*old.history, event)
    return StudyRecord(merged_plan, _in_plan_order(merged_plan, all_runs), reference, history, old.checks)


def _is_news(event: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a command is to be repeated from now on instead of an earlier one that made the same plan."""
    last = last_command(history)
    return is_own_command(event) and (last is None or not is_own_command(last) or last["task"] != event["task"])


def enter_study(
    folder: StudyFolder,
    plan: Plan,
    runs: Iterable[PlannedRun],
    reference: Mapping[str, Any],
    *,
    command: Sequence[str],
    settings: StudySettings,
    checks: Mapping[str, Mapping[str, Any]] | None = None,
    task: Mapping[str, str] | None = None,
    write: bool = True,
    spelling: Spelling = Spelling(),  # noqa: B008, frozen
) -> StudyRecord:
    """Enter what a command asks for in ``plan.json``.

    Args:
        folder: The study's folder.
        plan: What the command asks for.
        runs: A run for every cell with every seed that it may take.
        reference: The unswept configuration.
        command: The command line.
        settings: The settings of the command.
        checks: What was found out about cells before their first run, by the cell's name.
        task: Where the task comes from, so that a run can be run again.
        write: Whether to write at all; a dry run does not.
        spelling: How the command names things.

    Returns:
        What the folder holds then.

    Raises:
        StoreError: See :func:`~ablate.sweep.same_study.check_same_study`.
    """
    runs = list(runs)
    with folder.lock() if write else nullcontext():
        old = folder.record()
        finished = sum(folder.run(run).status().state == FINISHED for run in old.runs) if old else 0
        event = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": list(command),
            "design": plan.study.design,
            "seeds": list(plan.study.seeds),
            "declared": plan.digest,
            "finished": finished,
            "direction": settings.direction_source,
            "section": spelling.section,
        }
        if settings.retry_failed and old and (again := _failed_runs(folder, old, runs)):
            event["retried"] = again
        if task:
            event |= {"task": dict(task), "overrides": override_lines(plan.factors)}
            event = _signed(event) if write else event
        # Under the sequential rule only the first seeds are certain to be needed.
        seeds = plan.study.seeds[:FIRST_SEEDS] if plan.study.sequential else plan.study.seeds
        entered = [run for run in runs if run.seed in seeds]
        record = extended_record(folder, old, plan, entered, reference, event, spelling)
        record = replace(record, checks={**record.checks, **(checks or {})}, report=settings.report)
        if write and record != old:
            folder.write_record(record)
    return record


def _failed_runs(folder: StudyFolder, old: StudyRecord, runs: Sequence[PlannedRun]) -> list[str]:
    """The folders of the runs of a command that failed earlier."""
    known = set(old.runs)
    return [run.folder for run in runs if run in known and folder.run(run).outcome()[0].state == FAILED]


def _signed(event: dict[str, Any]) -> dict[str, Any]:
    try:
        return signed_event(event)
    except StoreError as error:
        sys.stderr.write(f"{error} The study is not signed: 'ablate rerun' and 'ablate confirm' will ask about it.\n")
        return event


def _in_plan_order(plan: Plan, runs: Sequence[PlannedRun]) -> tuple[PlannedRun, ...]:
    cells = {cell.name: place for place, cell in enumerate(plan.cells)}
    seeds = {seed: place for place, seed in enumerate(plan.study.seeds)}
    return tuple(sorted(dict.fromkeys(runs), key=lambda run: (cells[run.cell], seeds[run.seed])))


def add_runs(folder: StudyFolder, runs: Sequence[PlannedRun]) -> None:
    """Enter further runs of known cells in the plan."""
    with folder.lock():
        record = folder.existing_record()
        folder.write_record(replace(record, runs=_in_plan_order(record.plan, [*record.runs, *runs])))


def name_metric(folder: StudyFolder) -> None:
    """Give a study that declared no metric the name of the only metric that its runs report.

    Args:
        folder: The study's folder, with a plan.
    """
    with folder.lock():
        record = folder.existing_record()
        if record.plan.study.metric != UNNAMED_METRIC:
            return
        names = {
            name for metrics in reported_metrics(folder, record) for name in metrics if not name.startswith("seconds")
        }
        study = record.plan.study
        if len(names) == 1 and UNNAMED_METRIC not in names:
            study = replace(study, metric=names.pop())
            if record.direction_source == "assumed" and (named := direction_of(study.metric)) is not None:
                study = replace(study, direction=named.direction)
            folder.write_record(replace(record, plan=replace(record.plan, study=study)))


def merge_factors(old: Sequence[Factor], new: Sequence[Factor]) -> tuple[Factor, ...]:
    """The factors of two plans, each with the levels of both.

    A factor in both keeps the reference of the first plan. A level in both keeps its overrides from the first plan,
    unless it has none there, as the reference that was added to the levels.
    """
    factors = {factor.name: factor for factor in old}
    for factor in new:
        known = factors.setdefault(factor.name, factor)
        levels: dict[str, Level] = {level.label: level for level in known.levels}
        for level in factor.levels:
            if level.label not in levels or not levels[level.label].overrides:
                levels[level.label] = level
        factors[factor.name] = replace(known, levels=tuple(levels.values()))
    return tuple(factors.values())
