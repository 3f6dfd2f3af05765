"""What a study says in the terminal: the plan, how it goes on, where to look."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.store import FAILED, FINISHED, RUNNING, WAITING, PlannedRun, Status, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Cell

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from ablate.analysis import Summary

__all__ = ["EpochBar", "Progress", "duration", "paths_lines", "plan_lines", "say", "show_summary", "status_lines"]

_MOST_CELLS = 24


def say(text: str = "") -> None:
    """Print a line at once, also when the output is a file."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def plan_lines(record: StudyRecord, done: int, asked: int) -> list[str]:
    """The plan of a study, for reading.

    Args:
        record: The study.
        done: How many of the runs asked for are done.
        asked: How many runs were asked for.
    """
    plan = record.plan
    study = plan.study
    best = "higher" if study.direction == "max" else "lower"
    lines = [
        f"Study '{study.name}': {len(plan.cells)} cells ({study.design}), seeds {', '.join(map(str, study.seeds))}; "
        f"metric {study.metric}, {best} is better."
    ]
    width = max(len(cell.label) for cell in plan.cells[:_MOST_CELLS])
    lines += [f"  {cell.label:{width}}  {_what_differs(cell)}".rstrip() for cell in plan.cells[:_MOST_CELLS]]
    if len(plan.cells) > _MOST_CELLS:
        lines.append(f"  ... and {len(plan.cells) - _MOST_CELLS} more")
    lines += [f"  {note}" for note in plan.notes]
    lines.append(f"{asked} runs: {done} done, {asked - done} to train.")
    return lines


def _what_differs(cell: Cell) -> str:
    if cell.is_reference:
        return "the reference"
    words = ", ".join(f"{name}={cell.levels[name]}" for name in cell.changed)
    void = ", ".join(cell.void)
    return f"{words} (void: {void})" if void else words


def duration(seconds: float) -> str:
    """A time for reading.

    Example:
        >>> duration(4.25), duration(65), duration(7300)
        ('4.2 s', '1 min 05 s', '2 h 02 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """Shows runs as they end, with an estimate of the time that is left, for the time of a ``with`` block.

    It looks at the runs' own files, so it works with every launcher: a bar in a terminal, a line a run elsewhere.

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
        self._bar: RichProgress | None = None

    def __enter__(self) -> Progress:
        self._begun = time.monotonic()
        if sys.stdout.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._task = self._bar.add_task("training", total=self._total)
            self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        if self._bar is not None:
            self._bar.stop()

    def _watch(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            begun = time.monotonic()
            self._look()
            pause = max(self._interval, 10 * (time.monotonic() - begun))

    def _look(self) -> None:
        running = 0
        for run in list(self._open):
            status = self._study.run(run).status()
            if status.state in (FINISHED, FAILED):
                del self._open[run]
                self._ended += 1
                self._tell(run, status)
            elif status.state == RUNNING:
                running += 1
        if self._bar is not None:
            left = f", about {duration(self._left())} left" if self._ended and self._open else ""
            self._bar.update(self._task, completed=self._ended, description=f"{running} running{left}")

    def _tell(self, run: PlannedRun, status: Status) -> None:
        what = status.reason
        if status.state == FINISHED and (result := self._study.run(run).result()):
            value = result.metrics.get(self._metric)
            took = duration(result.metrics.get("seconds", 0.0))
            what = f"{self._metric} {value:.4f} in {took}" if value is not None else f"finished in {took}"
        elif status.state == FAILED:
            what = f"FAILED ({status.reason}): {status.error}"
        left = f"; about {duration(self._left())} left" if self._open else ""
        line = f"[{self._ended}/{self._total}] {self._labels[run.cell]}, seed {run.seed}: {what}{left}"
        if self._bar is None:
            say(line)
        else:
            self._bar.print(line, highlight=False, markup=False)

    def _left(self) -> float:
        return (time.monotonic() - self._begun) / max(self._ended, 1) * len(self._open)


def paths_lines(study: StudyFolder) -> list[str]:
    """Where to look when a study is done."""
    here = Path.cwd()
    folder = study.path.relative_to(here) if study.path.is_relative_to(here) else study.path
    lines = []
    for name, pattern in (("figures", "figures/*.png"), ("tables", "tables/*"), ("data", "*.csv")):
        found = sorted(path.name for path in study.path.glob(pattern))
        if found:
            prefix = folder / Path(pattern).parent
            lines.append(
                f"{name:8} {prefix}/{{{','.join(found)}}}" if len(found) > 1 else f"{name:8} {prefix}/{found[0]}"
            )
    return lines


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


def show_summary(summary: Summary) -> None:
    """Print the result table and what there is to say about it."""
    from rich.console import Console

    from ablate.tables import effects_table, terminal

    console = Console()
    console.print(terminal(effects_table(summary), width=console.width))
    for note in summary.notes:
        console.print(note, highlight=False, markup=False)


def status_lines(study: StudyFolder) -> list[str]:
    """How far a study is: a line a cell, and the time that is left."""
    record = study.existing_record()
    states = {run: study.run(run).settled_status() for run in record.runs}
    width = max(len(cell.label) for cell in record.plan.cells)
    lines = []
    for cell in record.plan.cells:
        own = [
            f"{run.seed}:{status.state}{f' ({status.reason})' if status.reason else ''}"
            for run, status in states.items()
            if run.cell == cell.name
        ]
        lines.append(f"{cell.label:{width}}  {'  '.join(own)}")
    counts = Counter(status.state for status in states.values())
    lines.append(", ".join(f"{counts[state]} {state}" for state in (FINISHED, RUNNING, FAILED, WAITING)))
    took = [
        status.ended - status.started
        for status in states.values()
        if status.state == FINISHED and status.ended and status.started
    ]
    if took and (left := counts[RUNNING] + counts[WAITING]):
        lines.append(f"about {duration(sum(took) / len(took) * left)} of work left, one run at a time")
    return lines
