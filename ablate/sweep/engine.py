"""From planned runs to outcomes: launch what is not done, read how it ended, launch again what was killed."""

from __future__ import annotations

import math
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ablate.errors import RunError, StoreError
from ablate.store import FAILED, FINISHED, RUNNING, WAITING, PlannedRun, Status, StudyFolder
from ablate.sweep.console import say
from ablate.sweep.safe_text import error_line

MOST_RETURNS = 3
"""A run that was started this often in one command, and came back without an outcome or a further epoch, has failed."""

MOST_MISSES = 2
"""A run that was launched alone this often and did not start, although others did, has failed."""

PATIENCE = 60.0
"""Seconds that a run may be held by a process that does not say that it runs."""

_ENDED = (FINISHED, FAILED)


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
    """The status of each run now; a finished one whose result cannot be read has failed."""
    return {run: study.run(run).outcome()[0] for run in runs}


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
    process that carried it out. A run that comes back `MOST_RETURNS` times without an outcome, or cannot be started
    although others can, has failed, so that every call ends.

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

    Raises:
        RunError: If the launcher starts no run at all.
    """
    by_run = {job.run: job for job in jobs}
    statuses = run_statuses(study, by_run)
    if retry_failed:
        for run, status in statuses.items():
            if status.state == FAILED:
                statuses[run] = Status()
                study.run(run).write_status(statuses[run])
    for stop in (study.halt, study.no_metric):
        stop.unlink(missing_ok=True)
    if on_pending is not None and (pending := _pending(statuses)):
        on_pending(pending)
    returns: Counter[PlannedRun] = Counter()  # how often a run has started and come back without an outcome
    misses: Counter[PlannedRun] = Counter()  # how often a run was launched alone and did not start
    waits = _Waits(study)
    has_started = False  # whether the launcher has started any run so far
    one_at_a_time = False  # since a whole batch did not start
    while pending := _pending(statuses):
        if not keep_going and any(status.state == FAILED for status in statuses.values()):
            break
        if study.no_metric.exists():
            break  # every further run would be trained for nothing
        launchable = [run for run in pending if statuses[run].state != RUNNING and not waits.is_held(run)]
        if not launchable:
            time.sleep(poll)
            statuses |= run_statuses(study, pending)
            statuses |= waits.check(pending, statuses)
            continue
        # A run that was killed may be killed again and, unless jobs are isolated, take others with it. So it waits
        # until no other run is left, and is then launched alone.
        batch = [run for run in launchable if isolated or statuses[run].reason != "killed"] or launchable[:1]
        if one_at_a_time:
            batch = batch[:1] if has_started else batch[-1:]  # the first run is the likeliest culprit
        before = {run: study.run(run).status() for run in batch}
        error = launch([by_run[run] for run in batch])
        # Only pending runs are read: reading ten thousand files again would take seconds.
        statuses |= run_statuses(study, pending)
        # A run that started and was killed has not ended, but its status file has changed: it records the new start.
        started = [run for run in batch if statuses[run].state in _ENDED or study.run(run).status() != before[run]]
        for run in started:
            status = statuses[run]
            if status.state in _ENDED:
                continue
            # A run that has written further epochs since its last start makes progress, however often it is killed.
            returns[run] = 1 if status.epochs > before[run].epochs else returns[run] + 1
            if returns[run] >= MOST_RETURNS:
                statuses[run] = _give_up(study, run, status, f"It was started {returns[run]} times without an outcome.")
        has_started = has_started or bool(started)
        if started:
            one_at_a_time = False
            continue
        # A launcher that takes runs in their order has started those before a faulty one, so the first ones will do.
        if faults := {run: fault for run in batch[:100] if (fault := _folder_fault(study, run))}:
            statuses |= {run: _give_up(study, run, statuses[run], fault) for run, fault in faults.items()}
            continue
        if waits.note_held(batch):
            continue
        reason = f": {error_line(error)}" if error else ""
        if one_at_a_time and not has_started:
            raise RunError(
                f"The launcher returned twice without starting a run{reason.removesuffix('.')}. The first was "
                f"'{study.run(next(iter(pending))).path}'."
            )
        if len(batch) == 1:
            misses.update(batch)
            if misses[batch[0]] >= MOST_MISSES and has_started:
                text = f"It was launched {MOST_MISSES} times and did not start{reason}"
                statuses[batch[0]] = _give_up(study, batch[0], statuses[batch[0]], text)
                one_at_a_time = False
                continue
        one_at_a_time = True
    return statuses


def _give_up(study: StudyFolder, run: PlannedRun, status: Status, error: str) -> Status:
    """The status of a run that is not launched any more; where its folder can be written, it is written there too."""
    reason = status.reason or "not started"
    failed = replace(status, state=FAILED, reason=reason, error=error, ended=time.time(), pid=None)
    with suppress(StoreError):
        study.run(run).write_status(failed)
    return failed


def _folder_fault(study: StudyFolder, run: PlannedRun) -> str:
    """Why nothing can be recorded in the folder of a run; empty where it can."""
    folder = study.run(run)
    try:
        with folder.hold() as held:
            if held:
                folder.write_status(folder.status())
    except StoreError as error:
        return str(error)
    return ""


class _Waits:
    """The runs that other processes hold, and for how long they can be waited for.

    A live process may take as long as it likes, since nobody else can say when its run ends. But a process may also be
    gone and have left its lock to a child, or hold a run of which it says nothing.

    Args:
        study: The study's folder.
    """

    def __init__(self, study: StudyFolder) -> None:
        self._study = study
        self._held: dict[PlannedRun, float] = {}
        self._is_said = False

    def is_held(self, run: PlannedRun) -> bool:
        """Whether another process still holds a run that was noted."""
        if run in self._held and not self._study.run(run).is_held():
            del self._held[run]
        return run in self._held

    def note_held(self, runs: Sequence[PlannedRun]) -> bool:
        """Note those of the runs that another process holds; returns whether there are any."""
        held = [run for run in runs if self._study.run(run).is_held()]
        self._held |= {run: time.monotonic() for run in held if run not in self._held}
        return bool(held)

    def check(self, runs: Sequence[PlannedRun], statuses: Mapping[PlannedRun, Status]) -> dict[PlannedRun, Status]:
        """The runs among these that will never end, as failed runs."""
        failed = {}
        for run in runs:
            status = statuses[run]
            if status.state == RUNNING and _is_gone(status):
                text = f"Its process {status.pid} has ended, and another one, probably its child, still holds its lock."
                failed[run] = _give_up(self._study, run, replace(status, reason="killed"), text)
            elif status.state not in (RUNNING, *_ENDED) and time.monotonic() - self._held.get(run, math.inf) > PATIENCE:
                text = f"Another process has held it for {PATIENCE:g} s and does not say that it runs."
                failed[run] = _give_up(self._study, run, status, text)
            elif status.state == RUNNING and not self._is_said:
                self._is_said = True
                say(f"Waiting for runs of another process ('{status.host}', process {status.pid}).")
        return failed


def _is_gone(status: Status) -> bool:
    """Whether the process of a run is known to have ended: it was on this machine, and there is none with its id."""
    if status.pid is None or status.host != socket.gethostname():
        return False
    try:
        os.kill(status.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _pending(statuses: Mapping[PlannedRun, Status]) -> list[PlannedRun]:
    return [run for run, status in statuses.items() if status.state not in _ENDED]


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
