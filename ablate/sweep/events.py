"""What happens while a study runs, as plain values, and the protocol of those who want to know: trackers, progress.

```python
class PrintEnds:
    def on_event(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            print(event.cell.label, event.run.seed, event.state, event.metrics)
```
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ablate.errors import StoreError
from ablate.store import FAILED, FINISHED, RUNNING, UNREADABLE, PlannedRun, Status, StudyFolder
from ablate.study import Cell, Plan
from ablate.sweep.console import say_error
from ablate.sweep.safe_text import error_line


@dataclass(frozen=True)
class StudyStarted:
    """A command starts to train; the first event.

    Args:
        folder: The study's folder.
        plan: Factors, cells and what is asked of them.
    """

    folder: Path
    plan: Plan


@dataclass(frozen=True)
class RoundStarted:
    """Runs are about to be launched: all runs of the command or, with ``seeds=auto``, those of the next round.

    Args:
        runs: The runs among them that have not ended yet.
    """

    runs: tuple[PlannedRun, ...]


@dataclass(frozen=True)
class RunStarted:
    """A run has started; the event comes again where a run died and is launched once more.

    Args:
        run: The run.
        cell: Its cell, with the level of each factor.
        attempt: Number of this start, from 1; it begins again once the run has made progress since the last start.
    """

    run: PlannedRun
    cell: Cell
    attempt: int = 1


@dataclass(frozen=True)
class EpochEnded:
    """A run has written a row of its curves. Epochs that a resumed run repeats come again.

    Args:
        run: The run.
        cell: Its cell.
        epoch: Which epoch, from 1.
        values: Metrics by name.
    """

    run: PlannedRun
    cell: Cell
    epoch: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class RunEnded:
    """A run has ended; once for every run that ends during the command.

    Args:
        run: The run.
        cell: Its cell.
        state: ``finished`` or ``failed``.
        reason: Why it failed: ``raised``, ``exited``, ``killed``, ``diverged``, ``timed out``; empty otherwise.
        error: The last line of what went wrong.
        metrics: What a finished run reported, by name; those whose name begins with ``seconds`` are timings.
    """

    run: PlannedRun
    cell: Cell
    state: str
    reason: str = ""
    error: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyEnded:
    """No run of the command goes on; the last event. Tables, figures and page are written after it.

    Args:
        finished: How many runs have finished during the command.
        failed: How many have failed.
        interrupted: Whether an exception ended the command, such as Ctrl-C.
    """

    finished: int
    failed: int
    interrupted: bool = False


Event = StudyStarted | RoundStarted | RunStarted | EpochEnded | RunEnded | StudyEnded


class Observer(Protocol):
    """Whoever wants to know what happens while a study runs.

    Events come one at a time, in the process of the command, though not always from the same thread; meanwhile no other
    event is delivered, so that long work belongs into a thread of the observer's own. An observer that raises is
    reported once and gets no further events; the study goes on.
    """

    def on_event(self, event: Event) -> None:
        """Take notice of an event."""


@dataclass
class _Progress:
    """How much of an open run has been reported."""

    started: float | None = None
    epochs: int = 0


class Watcher:
    """Derives events from the folders of the runs, for the time of a ``with`` block.

    Runs record themselves in their folders, whatever launches them, so the folders are the one source that all
    launchers share. One thread reads them; however many runs there are, that takes a tenth of the time at most.

    Args:
        study: The study's folder.
        plan: Its plan.
        observers: Who is notified.
        interval: Seconds between two readings, at least.
    """

    def __init__(self, study: StudyFolder, plan: Plan, observers: Iterable[Observer], interval: float = 0.5) -> None:
        self._study, self._plan, self._interval = study, plan, interval
        self._cells = {cell.name: cell for cell in plan.cells}
        self._observers = list(observers)
        self._open: dict[PlannedRun, _Progress] = {}
        self._counts = {FINISHED: 0, FAILED: 0}
        self._lock = threading.RLock()  # the thread and the command itself both send events, one at a time
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._notify(StudyStarted(self._study.path, self._plan))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._read_all()
        self._notify(StudyEnded(self._counts[FINISHED], self._counts[FAILED], interrupted=kind is not None))

    def start_round(self, runs: Sequence[PlannedRun]) -> None:
        """Watch runs that are about to be launched."""
        with self._lock:
            self._open = {run: _Progress() for run in runs}
            self._notify(RoundStarted(tuple(runs)))

    def end_round(self, statuses: Mapping[PlannedRun, Status]) -> None:
        """Report what the thread has not seen yet.

        Args:
            statuses: How the runs ended. A run that was killed and is not launched again cannot write that itself, so
                its folder would never show it.
        """
        with self._lock:
            for run in list(self._open):
                self._report(run, statuses[run])
            self._open.clear()

    def _watch(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            began = time.monotonic()
            self._read_all()
            # Ten times as long as reading took, so that reading takes a tenth of the time at most.
            pause = max(self._interval, 10 * (time.monotonic() - began))

    def _read_all(self) -> None:
        with self._lock:
            for run in list(self._open):
                self._report(run, self._study.run(run).status())

    def _report(self, run: PlannedRun, status: Status) -> None:
        """Notify of everything that has happened to a run since it was last read."""
        has_ended = status.state in (FINISHED, FAILED)
        if status.state != RUNNING and not has_ended:
            return
        progress, cell, folder = self._open[run], self._cells[run.cell], self._study.run(run)
        if status.started != progress.started:
            progress.started = status.started
            # A run that has finished does not count its attempts any more.
            self._notify(RunStarted(run, cell, max(1, status.attempts)))
        try:
            rows = folder.curves()
        except Exception:  # whatever a task wrote there must not end the command; the report says what is wrong with it
            rows = []
        # A resumed run goes back to its last checkpoint, and its curves with it.
        progress.epochs = min(progress.epochs, len(rows))
        for number, row in enumerate(rows[progress.epochs :], progress.epochs + 1):
            values = {name: value for name, value in row.items() if name != "epoch"}
            self._notify(EpochEnded(run, cell, int(row.get("epoch", number)), values))
        progress.epochs = len(rows)
        if not has_ended:
            return
        metrics: Mapping[str, float] = {}
        try:
            if status.state == FINISHED and (result := folder.result()) is not None:
                metrics = result.metrics
        except StoreError as error:
            status = replace(status, state=FAILED, reason=UNREADABLE, error=str(error))
        del self._open[run]
        self._counts[status.state] += 1
        self._notify(RunEnded(run, cell, status.state, status.reason, status.error, metrics))

    def _notify(self, event: Event) -> None:
        with self._lock:
            for observer in list(self._observers):
                try:
                    observer.on_event(event)
                except Exception as error:
                    self._observers.remove(observer)
                    say_error(f"{type(observer).__name__} failed and gets no further events: {error_line(error)}")
