"""What the terminal shows of a study: the plan, the states of its runs, the result, where its files are."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ablate.characters import printable
from ablate.formatting import better_direction, duration, listing
from ablate.store import FAILED, FINISHED, NO_METRIC, RUNNING, WAITING, PlannedRun, Status, StudyFolder
from ablate.store.records import StudyRecord
from ablate.study import Cell, Plan
from ablate.study.design import is_fraction
from ablate.sweep.safe_text import shortened

if TYPE_CHECKING:
    from ablate.analysis import Summary
    from ablate.sweep.engine import Job

_MAX_CELLS = 24
"""Cells that the plan lists, at most."""

_MAX_RUNS = 6
_MAX_LINES = 3
_MAX_CHARACTERS = 300
"""Runs that failed alike, lines of their error, and characters of a line."""

_LONG_WORD = re.compile(r"(\S{120})\S{180,}")


def say(text: str = "", stream: TextIO | None = None) -> None:
    """Print a text, in which the terminal finds nothing to obey, at once, also when the output is a file.

    Args:
        text: One or several lines.
        stream: Where to; None for the standard output.
    """
    stream = sys.stdout if stream is None else stream
    stream.write(f"{printable(text)}\n")
    stream.flush()


def say_error(text: str) -> None:
    """Print a message to the standard error; words that fill the screen, of which the start says enough, are cut."""
    say(_LONG_WORD.sub(lambda match: f"{match[1]}... ({len(match[0])} characters)", text), sys.stderr)


def plan_lines(record: StudyRecord, done: int, asked: int, failed: int = 0) -> list[str]:
    """The plan of a study, for reading; while runs are left to train, also what differences its seeds can detect.

    Args:
        record: The study.
        done: How many of the runs asked for are done.
        asked: How many runs were asked for.
        failed: How many of them failed and are not run again.
    """
    from ablate.analysis import plan_prospect

    plan = record.plan
    study = plan.study
    seeds = f"seeds {', '.join(map(str, study.seeds))}"
    if study.sequential:
        seeds = f"seeds one at a time, at most {len(study.seeds)} a cell"
    lines = [
        f"Study '{study.name}': {len(plan.cells)} cells ({study.design}), {seeds}; "
        f"metric {study.metric}, {better_direction(study.direction)}."
    ]
    width = max(len(cell.label) for cell in plan.cells[:_MAX_CELLS])
    lines += [f"  {cell.label:{width}}  {_changes_text(cell)}".rstrip() for cell in plan.cells[:_MAX_CELLS]]
    if len(plan.cells) > _MAX_CELLS:
        lines.append(f"  ... and {len(plan.cells) - _MAX_CELLS} more")
    lines += [f"  {note}" for note in (*plan.notes, *record.direction_notes)]
    if done < asked and (prospect := plan_prospect(plan)) is not None:
        lines += [f"  {sentence}" for sentence in prospect.text.replace(". ", ".\n").splitlines()]
    first = " at first" if study.sequential else ""
    failures = f"{failed} failed, " if failed else ""
    lines.append(f"{asked} runs{first}: {done} done, {failures}{asked - done - failed} to train.")
    return lines


def unchecked_cells(record: StudyRecord, preflight: str | None) -> dict[str, str]:
    """The cells whose data and networks were not checked, and what to say about it.

    Args:
        record: The study.
        preflight: ``study.preflight``: who checks them; None if nobody does.

    Returns:
        The sentence by the name of each cell; empty if all were checked, or if nothing checks them.
    """
    names = [cell.name for cell in record.plan.cells if preflight and cell.name not in record.checks]
    sentence = "Not checked yet: data and networks. The study itself builds every cell before its first run."
    return dict.fromkeys(names, sentence)


def plan_values(
    record: StudyRecord, folder: StudyFolder, jobs: Sequence[Job], preflight: str | None = None
) -> dict[str, Any]:
    """The plan of a command as plain values, for a program.

    Args:
        record: The study.
        folder: Its folder.
        jobs: The jobs of the command.
        preflight: ``study.preflight``.

    Returns:
        What ``plan.json`` says of the plan; ``prospect``, what its seeds can detect; ``unchecked``, by cell, what was
        not checked yet; ``runs``; ``folder``; ``declared``, the digest of what was declared.
    """
    from ablate.analysis import plan_prospect

    prospect = plan_prospect(record.plan)
    runs = [
        {"id": job.run.id, "cell": job.run.cell, "seed": job.run.seed, "overrides": list(job.overrides)}
        | {"state": folder.run(job.run).settled_status().state, "folder": job.run.folder}
        for job in jobs
    ]
    prospect_values = None
    if prospect is not None:
        prospect_values = {**vars(prospect), "power": {f"{size:g}": power for size, power in prospect.power.items()}}
        prospect_values["detectable"] = prospect.detectable if math.isfinite(prospect.detectable) else None
    header = {"folder": str(folder.path), "declared": record.plan.digest}
    unchecked = unchecked_cells(record, preflight)
    return {**header, **record.plan.to_dict(), "prospect": prospect_values, "unchecked": unchecked, "runs": runs}


def _changes_text(cell: Cell) -> str:
    if cell.is_reference:
        return "the reference"
    changes = ", ".join(f"{name}={cell.levels[name]}" for name in cell.changed)
    void = ", ".join(cell.void)
    return f"{changes} (void: {void})" if void else changes


def paths_lines(study: StudyFolder) -> list[str]:
    """Where to look when a study is done."""
    here = Path.cwd()
    folder = study.path.relative_to(here) if study.path.is_relative_to(here) else study.path
    lines = []
    if study.page.is_file():
        lines.append(f"page     {folder / study.page.name}")
    for name, pattern in (("figures", "figures/*.png"), ("tables", "tables/*.*"), ("data", "*.csv")):
        suffix = ".*" if name == "tables" else Path(pattern).suffix
        # A table's wide form, '<name>_wide', is not listed beside the table itself.
        if stems := sorted({path.stem.removesuffix("_wide") for path in study.path.glob(pattern)}):
            names = f"{{{','.join(stems)}}}" if len(stems) > 1 else stems[0]
            lines.append(f"{name:8} {folder / Path(pattern).parent}/{names}{suffix}")
    return lines


def failure_lines(study: StudyFolder, plan: Plan, statuses: Mapping[PlannedRun, Status], section: str) -> list[str]:
    """Which runs failed and why, for reading; empty if none did.

    Many runs often fail for one reason, and errors of libraries have many lines: each is written once, as far as it
    says what is wrong; the run's log has all of it.

    Args:
        study: The study's folder.
        plan: Its plan.
        statuses: The status of each run.
        section: What stands before a setting where the user types it.
    """
    failed = {run: status for run, status in statuses.items() if status.state == FAILED}
    if not failed:
        return []
    labels = {cell.name: cell.label for cell in plan.cells}
    finished = sum(status.state == FINISHED for status in statuses.values())
    lines = [f"{finished} finished, {len(failed)} failed:"]
    same: dict[tuple[str | None, str | None], list[PlannedRun]] = {}
    for run, status in failed.items():
        same.setdefault((status.reason, status.error), []).append(run)
    for (reason, error), runs in same.items():
        first, *others = (f"{labels[run.cell]}, seed {run.seed}" for run in runs)
        text = str(error) if reason == NO_METRIC else _first_lines(str(error))
        lines.append(f"  {first}: {reason}: {text}")
        if others:
            lines.append(f"    the same: {listing(others, _MAX_RUNS, separator='; ')}")
        log = study.run(runs[0]).log
        if log.is_file():
            lines.append(f"    see {log}")
    if unmeasured := [run for run, status in failed.items() if status.reason == NO_METRIC]:
        begins = "It runs" if len(unmeasured) == 1 else "They run"
        lines.append(f"Without a metric no further run was started. {begins} again with the study's next command.")
        if len(unmeasured) == len(failed):
            return lines
    return [*lines, f"{section}.retry_failed=true runs them again."]


def _first_lines(error: str) -> str:
    first, *rest = [line.rstrip() for line in error.splitlines() if line.strip()] or [""]
    shown = [first, *(f"    {line.strip()}" for line in rest[: _MAX_LINES - 1])]
    return "\n".join(shortened(line, _MAX_CHARACTERS) for line in shown) + (" ..." if len(rest) >= _MAX_LINES else "")


def show_summary(summary: Summary) -> None:
    """Print the result table and the notes below it.

    Of a fraction, whose cells differ in several ingredients, main effects are the result: they are printed, too.
    """
    from rich.console import Console

    from ablate.tables import TABLES, effects_table, terminal

    # Without a terminal there is no width to fit into, and rich would take 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(terminal(effects_table(summary), width=console.width))
    if is_fraction(summary.study.design) and (table := TABLES["main_effects"].build(summary)) is not None:
        console.print("Main effects", highlight=False)
        console.print(terminal(table, width=console.width))
    for note in summary.notes:
        console.print(printable(note), highlight=False, markup=False, soft_wrap=True)


def status_lines(study: StudyFolder) -> list[str]:
    """How far a study is: one line for each cell, and the time that is left."""
    record = study.existing_record()
    states = {run: study.run(run).outcome()[0] for run in record.runs}
    width = max(len(cell.label) for cell in record.plan.cells)
    texts: dict[str, list[str]] = {cell.name: [] for cell in record.plan.cells}
    for run, status in states.items():
        texts[run.cell].append(f"{run.seed}:{status.state}{f' ({status.reason})' if status.reason else ''}")
    lines = [f"{cell.label:{width}}  {'  '.join(texts[cell.name])}" for cell in record.plan.cells]
    counts = Counter(status.state for status in states.values())
    lines.append(", ".join(f"{counts[state]} {state}" for state in (FINISHED, RUNNING, FAILED, WAITING)))
    took = [
        status.ended - status.started
        for status in states.values()
        if status.state == FINISHED and status.ended and status.started
    ]
    if took and (left := counts[RUNNING] + counts[WAITING]):
        lines.append(f"about {duration(sum(took) / len(took) * left)} of work left, one run at a time")
    if unplanned := study.unplanned_runs(record):
        lines.append(f"Not in {study.plan}, and so not counted: {listing(unplanned, 5)}")
    return [*lines, *damage_lines(study, states)]


def damage_lines(study: StudyFolder, statuses: Mapping[PlannedRun, Status]) -> list[str]:
    """A line for each run whose files cannot be read: which run, how it counts, and what is wrong with which file."""
    return [
        f"{study.path / run.folder} counts as {status.state}: {status.error}"
        for run, status in statuses.items()
        if status.is_damaged
    ]
