"""What ``plan.json`` says of a study, and how a command extends it.

A larger design or more seeds are merged into what is there; any other study in the same folder is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from ablate.characters import folded, is_reserved
from ablate.errors import DesignError, StoreError
from ablate.store import FAILED, FINISHED, PlannedRun, StudyFolder
from ablate.store.records import StudyRecord
from ablate.study import Cell, Factor, Level, Plan, Study, cell_of
from ablate.study.metric import direction_of
from ablate.study.settings import FIRST_SEEDS, StudySettings
from ablate.sweep.identity import difference_lines
from ablate.sweep.trust import is_own_command, last_command, override_lines, signed_event

_MAX_LENGTH = 100
_SPECIAL = "._,=+- "
"""What the name of a study may contain besides letters and digits."""
_RESERVED = ("example", "single")

UNNAMED_METRIC = "value"
"""Name of the number that a task returns without a name."""


def default_name(names: Sequence[str]) -> str:
    """A study's name, made of the names of its factors.

    Example:
        >>> default_name(["residual", "model@net"])
        'residual-model.net'
    """
    joined = "-".join(re.sub(r"[^A-Za-z0-9_.]", ".", name).strip(".") for name in names)
    digits = hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()[:8]
    if joined in _RESERVED or is_reserved(joined):
        return f"study-{joined}"
    if not joined.strip("-"):
        return f"study-{digits}"
    return joined if len(joined) <= _MAX_LENGTH else f"{joined[:60]}-and-more-{digits}"


def check_name(name: str) -> str:
    """A study's name in the composed form of Unicode, if it can be the name of a folder.

    Raises:
        DesignError: If it cannot; the message says what a name may hold.

    Example:
        >>> check_name("residual-bias")
        'residual-bias'
    """
    name = unicodedata.normalize("NFC", name)
    faults = []
    if not name or len(name.encode()) > _MAX_LENGTH:
        faults.append(f"it has {len(name.encode())} bytes of 1 to {_MAX_LENGTH}")
    if strange := sorted({letter for letter in name if not (letter.isalnum() or letter in _SPECIAL)}):
        faults.append(f"it contains {' '.join(map(repr, strange[:5]))}")
    if name[:1] in (".", " ", "-") or name[-1:] in (".", " "):
        faults.append("it begins with a dot, a blank or a dash, or ends with a dot or a blank")
    elif is_reserved(name):
        faults.append("Windows keeps it for a device")
    if faults:
        shortened = name if len(name) <= 60 else name[:57] + "..."
        raise DesignError(
            f"study.name={shortened!r} cannot be the name of a folder: {'; '.join(faults)}. "
            f"Allowed: letters, digits and {' '.join(_SPECIAL.strip())}."
        )
    return name


def check_siblings(folder: StudyFolder) -> None:
    """Refuse a new study beside one that only differs from it in the case or the Unicode form of its name.

    Where case does not count, as on macOS and Windows, both would be one folder.

    Args:
        folder: The folder of the new study.

    Raises:
        StoreError: If there is such a folder; the message names it.
    """
    siblings = folder.path.parent.iterdir() if folder.path.parent.is_dir() else ()
    for path in siblings:
        if path.name != folder.name and folded(path.name) == folded(folder.name):
            raise StoreError(
                f"The study '{folder.name}' would be in one folder with '{path}' where case does not count. "
                f"Call it {path.name} to go on with that one, or give it another name, such as {folder.name}-2."
            )


def check_same_study(folder: StudyFolder, old: StudyRecord | None, plan: Plan, reference: Mapping[str, Any]) -> None:
    """Refuse a plan that is not about the study that a folder holds.

    Args:
        folder: The study's folder.
        old: What it holds, or None.
        plan: What the command asks for.
        reference: The unswept configuration.

    Raises:
        StoreError: If the folder holds a study with another reference, metric, direction, margin or policy for
            failed runs; the message has the difference key by key. If it is a new study, see :func:`check_siblings`.
    """
    if old is None:
        check_siblings(folder)
        return
    faults = difference_lines(old.reference, reference)
    changed = [line.partition(":")[0] for line in faults]
    # Under the sequential rule the greatest number of seeds is part of what was declared.
    sequential_keys = ("sequential", "seeds") if old.plan.study.sequential or plan.study.sequential else ()
    declared = ("direction",) if old.direction_source == "declared" else ()
    faults += _changed_levels(old.plan.factors, plan.factors)
    for key in ("metric", *declared, "margin", "failures", "resplit", *sequential_keys):
        before, now = getattr(old.plan.study, key), getattr(plan.study, key)
        # A metric that no run reports was mistyped, and may be corrected.
        if before != now and not (key == "metric" and not any(before in metrics for metrics in _metrics(folder, old))):
            faults.append(f"study.{key}: {before} -> {now}")
    if faults:
        listed = ",".join(changed[:5])
        raise StoreError(
            f"The folder '{folder.path}' holds another study:\n"
            + "\n".join(f"  {line}" for line in faults)
            + (f"\nA key that cannot change a result: study.ignore=[{listed}]." if listed else "")
            + f"\nStart another one with study.name={folder.name}-2, or go on with the values it has."
        )


def _changed_levels(old: Sequence[Factor], new: Sequence[Factor]) -> list[str]:
    """A line for each level with a name of its own that stands for something else than before."""
    before = {(factor.name, level.label): level.overrides for factor in old for level in factor.levels}
    return [
        f"{factor.name}={level.label}: {' '.join(earlier)} -> {' '.join(level.overrides)}"
        for factor in new
        for level in factor.levels
        # A level that sets its own key alone is what its label says.
        if (earlier := before.get((factor.name, level.label))) and max(len(earlier), len(level.overrides)) > 1
        if earlier != level.overrides
    ]


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

    Raises:
        StoreError: See :func:`check_same_study`.
    """
    check_same_study(folder, old, plan, reference)
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

    Returns:
        What the folder holds then.

    Raises:
        StoreError: See :func:`check_same_study`.
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
        }
        if settings.retry_failed and old and (again := _failed_runs(folder, old, runs)):
            event["retried"] = again
        if task:
            event |= {"task": dict(task), "overrides": override_lines(plan.factors)}
            event = _signed(event) if write else event
        # Under the sequential rule only the first seeds are certain to be needed.
        seeds = plan.study.seeds[:FIRST_SEEDS] if plan.study.sequential else plan.study.seeds
        record = extended_record(folder, old, plan, [run for run in runs if run.seed in seeds], reference, event)
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
        names = {name for metrics in _metrics(folder, record) for name in metrics if not name.startswith("seconds")}
        study = record.plan.study
        if len(names) == 1 and UNNAMED_METRIC not in names:
            study = replace(study, metric=names.pop())
            if record.direction_source == "assumed" and (named := direction_of(study.metric)) is not None:
                study = replace(study, direction=named.direction)
            folder.write_record(replace(record, plan=replace(record.plan, study=study)))


def _metrics(folder: StudyFolder, record: StudyRecord) -> Iterator[Mapping[str, float]]:
    results = (folder.run(run).result() for run in record.runs)
    return (result.metrics for result in results if result is not None)


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
