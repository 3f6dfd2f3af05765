"""From planned runs to outcomes: launch what is not done, read how it ended, launch again what was killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ablate.errors import RunError
from ablate.store import FAILED, FINISHED, RUNNING, WAITING, PlannedRun, Status, StudyFolder


@dataclass(frozen=True)
class Job:
    """A planned run and the overrides that make it.

    Args:
        run: The run.
        overrides: Override lines in Hydra's grammar.
    """

    run: PlannedRun
    overrides: tuple[str, ...]


def run_statuses(study: StudyFolder, runs: Iterable[PlannedRun]) -> dict[PlannedRun, Status]:
    """The status of each run now."""
    return {run: study.run(run).settled_status() for run in runs}


def run_jobs(
    study: StudyFolder,
    jobs: Sequence[Job],
    launch: Callable[[Sequence[Job]], BaseException | None],
    *,
    retry_failed: bool = False,
    keep_going: bool = True,
    isolated: bool = False,
    on_pending: Callable[[Sequence[PlannedRun]], None] | None = None,
    poll: float = 0.5,
) -> dict[PlannedRun, Status]:
    """Carry out all jobs that are not done.

    A run that was killed is launched once more; a run that another process holds is waited for. What a launcher returns
    is not trusted: launchers lose results or raise for reasons of their own, while a run's own status is written by the
    process that carried it out.

    Args:
        study: The study's folder.
        jobs: The jobs to carry out, done or not.
        launch: Launches jobs and returns when they have ended; returns the error of the launcher itself, if it had one.
        retry_failed: Whether runs that failed before are launched again.
        keep_going: Whether to go on after a run has failed; otherwise running ones end, and no other run starts (the
            runs themselves check for the study's ``halt``).
        isolated: Whether a dying job cannot end others of the launcher, so that killed runs can be launched beside
            others.
        on_pending: Called once before the first launch with the runs that have not ended, if there are any.
        poll: Seconds between two readings of runs that another process holds.

    Returns:
        The status of each run at the end.
    """
    by_run = {job.run: job for job in jobs}
    statuses = run_statuses(study, by_run)
    if retry_failed:
        for run, status in statuses.items():
            if status.state == FAILED:
                statuses[run] = Status()
                study.run(run).write_status(statuses[run])
    study.halt.unlink(missing_ok=True)
    if on_pending is not None and (pending := _pending(statuses)):
        on_pending(pending)
    launches_without_start = 0
    while pending := _pending(statuses):
        if not keep_going and any(status.state == FAILED for status in statuses.values()):
            break
        launchable = [run for run in pending if statuses[run].state == WAITING]
        if not launchable:
            time.sleep(poll)
            statuses |= run_statuses(study, pending)
            continue
        # A run that was killed may be killed again and, unless jobs are isolated, take others with it. So it waits
        # until no other run is left, and is then launched alone.
        batch = [run for run in launchable if isolated or statuses[run].reason != "killed"] or launchable[:1]
        before = {run: study.run(run).status() for run in batch}
        error = launch([by_run[run] for run in batch])
        # Only pending runs are read: reading ten thousand files again would take seconds.
        statuses |= run_statuses(study, pending)
        # A run that started and was killed has not ended, but its status file has changed: it records the new start.
        has_moved = any(statuses[run].state in (FINISHED, FAILED) for run in batch) or any(
            study.run(run).status() != before[run] for run in batch
        )
        launches_without_start = 0 if has_moved else launches_without_start + 1
        if launches_without_start >= 2:
            reason = f": {type(error).__name__}: {error}" if error else ""
            raise RunError(
                f"The launcher returned twice without starting a run{reason}. The first was "
                f"'{study.run(batch[0]).path}'."
            )
    return statuses


def _pending(statuses: Mapping[PlannedRun, Status]) -> list[PlannedRun]:
    return [run for run, status in statuses.items() if status.state not in (FINISHED, FAILED)]


def mark_interrupted(study: StudyFolder) -> None:
    """Set runs whose processes an interruption ended back to waiting, without counting the attempt.

    Args:
        study: The study's folder; it may hold no plan yet.
    """
    record = study.record()
    for folder in [study.run(run) for run in record.runs] if record else []:
        status = folder.status()
        if status.state == RUNNING and not folder.is_held():
            attempts = max(status.attempts - 1, 0)
            folder.write_status(replace(status, state=WAITING, reason="interrupted", attempts=attempts, pid=None))
