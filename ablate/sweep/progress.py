"""Progress lines and the live table while runs go on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ablate.formatting import duration
from ablate.store import FAILED, FINISHED, PlannedRun
from ablate.sweep.console import say
from ablate.sweep.events import Event, RoundStarted, RunEnded, RunStarted, StudyEnded, StudyStarted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from ablate.sweep.live_table import LiveTable


class ProgressDisplay:
    """An observer that shows runs as they end, with an estimate of the time that is left.

    In a terminal it shows a table of cells by seeds, elsewhere one line for each run.
    """

    def __init__(self) -> None:
        self._open: set[PlannedRun] = set()  # runs of the round that have not ended
        self._running: set[PlannedRun] = set()
        self._total = 0
        self._live: Live | None = None
        self._table: LiveTable | None = None
        self._lock = threading.Lock()  # rich draws in a thread of its own

    def on_event(self, event: Event) -> None:
        """See :class:`~ablate.sweep.events.Observer`."""
        with self._lock:
            if isinstance(event, StudyStarted):
                self._metric = event.plan.study.metric
                if sys.stdout.isatty():
                    from ablate.sweep.live_table import LiveTable

                    self._table = LiveTable()
            elif isinstance(event, RoundStarted):
                self._open, self._total, self._began = set(event.runs), len(event.runs), time.monotonic()
            elif isinstance(event, RunStarted):
                self._running.add(event.run)
            elif isinstance(event, RunEnded):
                self._open.discard(event.run)
                self._running.discard(event.run)
            if self._table is not None:
                self._table.on_event(event)
        # Outside our lock: rich holds its own lock while it waits for ours, so taking both here could deadlock.
        if isinstance(event, RunEnded):
            self._print(event)
        if isinstance(event, RoundStarted) and self._table is not None and self._live is None:
            self._start_live()
        if self._live is not None and (not self._open or isinstance(event, StudyEnded)):
            self._live.stop()
            self._live = None

    @property
    def _ended(self) -> int:
        return self._total - len(self._open)

    def _start_live(self) -> None:
        from rich.live import Live

        # It vanishes at the end, when the table of results takes its place.
        self._live = Live(get_renderable=self._rendered, refresh_per_second=2, transient=True)
        self._live.start(refresh=True)

    def _rendered(self) -> RenderableType:
        from rich.console import Console, Group
        from rich.text import Text

        size = Console().size
        with self._lock:
            left = f", about {duration(self._seconds_left())} left" if self._ended and self._open else ""
            took = duration(time.monotonic() - self._began)
            line = f"{self._ended} of {self._total} ended, {len(self._running)} running, {took} so far{left}"
            return Group(self._table.rendered(size.width, size.height) if self._table else Text(), Text(line))

    def _print(self, event: RunEnded) -> None:
        if event.state == FAILED:
            outcome = f"FAILED ({event.reason}): {event.error}"
        else:
            outcome = self._result_text(event.metrics)
        left = f"; about {duration(self._seconds_left())} left" if self._open else ""
        line = f"[{self._ended}/{self._total}] {event.cell.label}, seed {event.run.seed}: {outcome}{left}"
        if self._live is None or event.state == FAILED:
            say(line)  # rich prints it above the table

    def _result_text(self, metrics: Mapping[str, float]) -> str:
        value = metrics.get(self._metric)
        took = duration(metrics.get("seconds", 0.0))
        if value is not None:
            return f"{self._metric} {value:.4f} in {took}"
        names = [name for name in metrics if not name.startswith("seconds")]
        hint = f" without a number '{self._metric}'; it has {', '.join(names)}" if len(names) > 1 else ""
        return f"{FINISHED} in {took}{hint}"

    def _seconds_left(self) -> float:
        return (time.monotonic() - self._began) / max(self._ended, 1) * len(self._open)


def print_epoch(epoch: int, epochs: int, values: Mapping[str, float]) -> None:
    """Print a line for an epoch of a single run.

    Args:
        epoch: Which epoch has ended, from 1.
        epochs: How many there are.
        values: Its metrics by name; those of training and validation are printed.
    """
    metrics = [f"{name} {value:.4f}" for name, value in values.items() if name.startswith(("train_", "val_"))]
    say(f"epoch {epoch}/{epochs}  {'  '.join(metrics)}")
