"""Seeds one at a time: train what the sequential rule needs next, until every cell is decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ablate.formatting import plural
from ablate.store import FAILED, FINISHED, PlannedRun, Status, StudyFolder
from ablate.study.settings import FIRST_SEEDS
from ablate.sweep.console import say
from ablate.sweep.engine import Job
from ablate.sweep.study_record import add_runs, name_metric

if TYPE_CHECKING:
    from ablate.analysis.sequential import SequentialState
    from ablate.study import Plan


def run_rounds(
    folder: StudyFolder,
    jobs: Sequence[Job],
    train: Callable[[Sequence[Job]], Mapping[PlannedRun, Status]],
    workers: int,
) -> None:
    """Train a study under the sequential rule.

    Args:
        folder: The study's folder, with its plan.
        jobs: A job for every cell with every seed that it may take.
        train: Carries out jobs, and returns the status of each run when they have ended.
        workers: How many runs go on at a time. Workers that a round leaves idle train seeds of later rounds. The rule
            reads a seed only in its own round, so the result does not depend on the number of workers.
    """
    from ablate.analysis import SequentialRule, next_runs
    from ablate.analysis.sequential import follow
    from ablate.store.snapshot import read_snapshot

    plan = folder.existing_record().plan
    names = {cell.label: cell.name for cell in plan.cells}
    rule = SequentialRule(len(plan.study.seeds))
    tried: set[tuple[str, int]] = set()
    reported = follow({}, rule)  # the state before any result
    while True:
        snapshot = read_snapshot(folder)
        record, runs = snapshot.record, snapshot.runs
        if plan.study.failures == "fail" and (runs["state"] == FAILED).any():
            return
        # Seeds of later rounds fill idle workers; such a run is wasted only if its cell is decided before that round.
        ahead, needed = 0, next_runs(record.plan, runs, rule)
        while needed.runs and len(needed.runs) < workers:
            ahead += 1
            more = next_runs(record.plan, runs, rule, ahead=ahead)
            if len(more.runs) == len(needed.runs):
                break  # no cell may take a further seed
            needed = more
        keys = {(names[label], seed) for label, seed in needed.runs}
        # The rule asks again for a failed run that gives it no value; if it asks for nothing else, the study is over.
        if not keys or keys <= tried:
            return
        if needed.state.look >= FIRST_SEEDS and needed.state.look > reported.look:
            say(_round_text(reported, needed.state, len(keys), record.plan))
            reported = needed.state
        tried |= keys
        batch = [job for job in jobs if (job.run.cell, job.run.seed) in keys]
        add_runs(folder, [job.run for job in batch])
        statuses = train(batch)
        name_metric(folder)
        if any(status.state not in (FINISHED, FAILED) for status in statuses.values()):
            return  # stopped on the way, as after a failure without keep_going


def _round_text(before: SequentialState, now: SequentialState, runs: int, plan: Plan) -> str:
    """What a round has decided, and how many runs come next."""
    from ablate.analysis.effects import verdicts_in_words

    decided = {cell for cell, decision in before.decisions.items() if decision.is_decided}
    new = [cell for cell, decision in now.decisions.items() if decision.is_decided and cell not in decided]
    words = verdicts_in_words({cell: now.decisions[cell].verdict for cell in new}, plan)
    verdicts = "; ".join(f"{cell}: {word}" for cell, word in words.items()) or "no further verdict"
    return f"After {now.look} seeds {verdicts}; {len(now.undecided)} undecided, {plural(runs, 'run')} more."
