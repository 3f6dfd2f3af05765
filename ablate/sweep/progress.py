"""Bars and lines while runs go on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, Status, StudyFolder
from ablate.sweep.console import duration, say

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.progress import Progress as RichProgress

    from ablate.sweep.live import LiveTable

__all__ = ["EpochBar", "Progress"]


class Progress:
    """Shows runs as they end, with an estimate of the time that is left, for the time of a ``with`` block.

    It looks at the runs' own files, so it works with every launcher: in a terminal a table of cells by seeds, elsewhere
    a line a run.

    Args:
        study: The study's folder.
        runs: The runs to wait for.
        labels: Labels of the cells by name.
        metric: The metric to show.
        interval: Seconds between two looks.
    """

    def __init__(
        self, study: StudyFolder, runs: Sequence[PlannedRun], labels: dict[str, str], metric: str, interval: float = 0.5
    ) -> None:
        self._study, self._labels, self._metric, self._interval = study, labels, metric, interval
        self._open = dict.fromkeys(runs)
        self._total = len(runs)
        self._ended = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._running = 0
        self._live: Live | None = None
        self._table: LiveTable | None = None

    def __enter__(self) -> Progress:
        self._begun = time.monotonic()
        if sys.stdout.isatty():
            from rich.live import Live

            from ablate.sweep.live import LiveTable

            self._table = LiveTable(self._study, self._metric)
            # It vanishes at the end, when the table of results takes its place.
            self._live = Live(self._drawn(), auto_refresh=False, transient=True)
            self._live.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        if self._live is not None:
            self._live.stop()

    def _watch(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            begun = time.monotonic()
            self._look()
            pause = max(self._interval, 10 * (time.monotonic() - begun))

    def _look(self) -> None:
        self._running = 0
        for run in list(self._open):
            status = self._study.run(run).status()
            if status.state in (FINISHED, FAILED):
                del self._open[run]
                self._ended += 1
                self._tell(run, status)
            elif status.state == RUNNING:
                self._running += 1
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)

    def _drawn(self) -> RenderableType:
        from rich.console import Console, Group
        from rich.text import Text

        size = Console().size
        left = f", about {duration(self._left())} left" if self._ended and self._open else ""
        took = duration(time.monotonic() - self._begun)
        words = f"{self._ended} of {self._total} ended, {self._running} running, {took} so far{left}"
        return Group(self._table.drawn(size.width, size.height) if self._table else Text(), Text(words))

    def _tell(self, run: PlannedRun, status: Status) -> None:
        what = status.reason
        if status.state == FINISHED and (result := self._study.run(run).result()):
            value = result.metrics.get(self._metric)
            took = duration(result.metrics.get("seconds", 0.0))
            what = f"{self._metric} {value:.4f} in {took}" if value is not None else f"finished in {took}"
            numbers = [name for name in result.metrics if not name.startswith("seconds")]
            if value is None and len(numbers) > 1:
                what += f" without a number '{self._metric}'; it has {', '.join(numbers)}"
        elif status.state == FAILED:
            what = f"FAILED ({status.reason}): {status.error}"
        left = f"; about {duration(self._left())} left" if self._open else ""
        line = f"[{self._ended}/{self._total}] {self._labels[run.cell]}, seed {run.seed}: {what}{left}"
        if self._live is None:
            say(line)
        elif status.state == FAILED:
            self._live.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _left(self) -> float:
        return (time.monotonic() - self._begun) / max(self._ended, 1) * len(self._open)


class EpochBar:
    """The epochs of a single run as a bar in a terminal, as lines elsewhere; for the time of a ``with`` block."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None

    def __enter__(self) -> EpochBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """Show that an epoch has ended.

        Args:
            epoch: Which, from 1.
            epochs: Of how many.
            values: Its numbers by name.
        """
        words = "  ".join(
            f"{name} {value:.4f}" for name, value in values.items() if name.startswith(("train_", "val_"))
        )
        if not sys.stdout.isatty():
            say(f"epoch {epoch}/{epochs}  {words}")
            return
        if self._bar is None:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("epoch"),
                MofNCompleteColumn(),
                BarColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Bar(*columns)
            self._task = self._bar.add_task("", total=epochs)
            self._bar.start()
        self._bar.update(self._task, completed=epoch, description=words)
