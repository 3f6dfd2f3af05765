"""From planned runs to outcomes: launch what is not done, look at what became of it, launch again what died."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ablate.errors import RunError
from ablate.store import FAILED, FINISHED, RUNNING, WAITING, PlannedRun, RunFolder, Status, StudyFolder

__all__ = ["Job", "board", "run_jobs"]


@dataclass(frozen=True)
class Job:
    """A planned run and the overrides that make it.

    Args:
        run: The run.
        overrides: Override lines in Hydra's grammar.
    """

    run: PlannedRun
    overrides: tuple[str, ...]


def board(study: StudyFolder, runs: Sequence[PlannedRun]) -> dict[PlannedRun, Status]:
    """Where each run stands now."""
    return {run: study.run(run).settled_status() for run in runs}


def run_jobs(
    study: StudyFolder,
    jobs: Sequence[Job],
    launch: Callable[[Sequence[Job]], BaseException | None],
    *,
    retry_failed: bool = False,
    keep_going: bool = True,
    together: bool = False,
    poll: float = 0.5,
) -> dict[PlannedRun, Status]:
    """Carry out all jobs that are not done.

    A run that died without a word is launched once more; a run that another process has in hand is waited for. What
    a launcher returns is not trusted: each run's own status counts.

    Args:
        study: The study's folder.
        jobs: All runs of the study.
        launch: Launches jobs and comes back when they have ended; returns what the launcher itself died of, if it did.
        retry_failed: Whether runs that failed before are launched again.
        keep_going: Whether to go on after a run has failed; otherwise what is under way ends, and no other run starts
            (the runs themselves look at the study's ``halt``).
        together: Whether the launcher keeps a dying job from taking others along, so that runs found dead can be
            launched beside others.
        poll: Seconds between two looks at runs that another process has in hand.

    Returns:
        Where each run stands at the end.
    """
    by_run = {job.run: job for job in jobs}
    states = board(study, list(by_run))
    if retry_failed:
        for run, status in states.items():
            if status.state == FAILED:
                study.run(run).write_status(Status())
                states[run] = Status()
    study.halt.unlink(missing_ok=True)
    fruitless = 0
    while todo := [run for run, status in states.items() if status.state not in (FINISHED, FAILED)]:
        if not keep_going and any(status.state == FAILED for status in states.values()):
            break
        free = [run for run in todo if states[run].state == WAITING]
        if not free:
            time.sleep(poll)
            states = board(study, list(by_run))
            continue
        # What died is launched alone: some launchers let a dying job take its neighbours along.
        fresh = [run for run in free if together or states[run].reason != "killed"] or free[:1]
        before = {run: study.run(run).status() for run in fresh}
        trouble = launch([by_run[run] for run in fresh])
        states = board(study, list(by_run))
        moved = any(study.run(run).status() != before[run] for run in fresh)
        fruitless = 0 if moved else fruitless + 1
        if fruitless >= 2:
            _refuse(trouble, study.run(fresh[0]))
    return states


def mark_interrupted(study: StudyFolder) -> None:
    """Say of runs whose processes were ended on purpose that it was not their doing.

    Args:
        study: The study's folder; it may hold no plan yet.
    """
    record = study.record()
    for folder in [study.run(run) for run in record.runs] if record else []:
        status = folder.status()
        if status.state == RUNNING and not folder.is_held():
            attempts = max(status.attempts - 1, 0)
            folder.write_status(replace(status, state=WAITING, reason="interrupted", attempts=attempts, pid=None))


def _refuse(trouble: BaseException | None, folder: RunFolder) -> None:
    """Say that a launcher does not start runs, rather than ask it for ever."""
    words = f": {type(trouble).__name__}: {trouble}" if trouble else ""
    raise RunError(f"The launcher came back twice without starting a run{words}. The first was '{folder.path}'.")
