"""Seeds one at a time: train what the sequential rule needs next, until every cell is decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ablate.store import FAILED, FINISHED, StudyFolder
from ablate.sweep.console import say
from ablate.sweep.engine import Job
from ablate.sweep.growth import add_runs, name_metric
from ablate.sweep.settings import FIRST_SEEDS

if TYPE_CHECKING:
    from ablate.analysis.sequential import SequentialState

__all__ = ["carry_out_rounds"]


def carry_out_rounds(
    folder: StudyFolder, jobs: Sequence[Job], carry_out: Callable[[Sequence[Job]], None], workers: int
) -> None:
    """Train a study under the sequential rule.

    Args:
        folder: The study's folder, with its plan.
        jobs: A job for every cell with every seed that it may take.
        carry_out: Carries out jobs, and comes back when they have ended.
        workers: How many runs go on at a time. Those that a round leaves idle train the seeds of the next one, which
            stay unread until their look, so that the result does not depend on their number.
    """
    from ablate.analysis import SequentialRule, next_runs
    from ablate.analysis.sequential import follow
    from ablate.store.snapshot import read_snapshot

    plan = folder.existing_record().plan
    names = {cell.label: cell.name for cell in plan.cells}
    by_run = {(job.run.cell, job.run.seed): job for job in jobs}
    rule = SequentialRule(len(plan.study.seeds))
    tried: set[tuple[str, int]] = set()
    told = follow({}, rule)
    while True:
        snapshot = read_snapshot(folder)
        record, runs = snapshot.record, snapshot.runs
        if plan.study.failures == "fail" and (runs["state"] == FAILED).any():
            return
        ahead, now = 0, next_runs(record.plan, runs, rule)
        while now.runs and len(now.runs) < workers:
            ahead += 1
            more = next_runs(record.plan, runs, rule, ahead=ahead)
            if len(more.runs) == len(now.runs):
                break
            now = more
        wanted = {(names[label], seed) for label, seed in now.runs}
        if not wanted or wanted <= tried:
            return
        if now.state.look >= FIRST_SEEDS and now.state.look > told.look:
            say(_look_in_words(told, now.state, len(wanted)))
            told = now.state
        tried |= wanted
        batch = [by_run[key] for key in by_run if key in wanted]
        add_runs(folder, [job.run for job in batch])
        carry_out(batch)
        name_metric(folder)
        if any(folder.run(job.run).settled_status().state not in (FINISHED, FAILED) for job in batch):
            return  # stopped on the way, as after a failure without keep_going


def _look_in_words(before: SequentialState, now: SequentialState, runs: int) -> str:
    """What a look has decided, and what comes next."""
    known = {cell for cell, found in before.decisions.items() if found.is_decided}
    fresh = [cell for cell, found in now.decisions.items() if found.is_decided and cell not in known]
    said = "; ".join(f"{cell}: {now.decisions[cell].verdict}" for cell in fresh) or "no further verdict"
    count = len(now.undecided)
    return f"After {now.look} seeds {said}; {count} undecided, {runs} run{'' if runs == 1 else 's'} more."
