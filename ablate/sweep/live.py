"""The table of a running study in a terminal: cells by seeds, each with its state and its current number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.store import FAILED, FINISHED, RUNNING, WAITING, PlannedRun, StudyFolder

if TYPE_CHECKING:
    import rich.table

__all__ = ["LiveTable", "Square"]

_STYLES = {FINISHED: "green", RUNNING: "yellow", FAILED: "red", WAITING: "dim"}
_ORDER = {RUNNING: 0, FAILED: 1, WAITING: 2, FINISHED: 3}
_SQUARE_WIDTH = 9
_NAME_WIDTH = 34
_LEAST_ROWS = 3
_OTHER_LINES = 7


@dataclass(frozen=True)
class Square:
    """What the table says of one run.

    Args:
        state: The run's state.
        text: Its number where it has one: the metric when finished, epoch and validation metric while it runs, the
            reason when it failed.
        value: The metric of a finished run, or None.
    """

    state: str
    text: str
    value: float | None = None


class LiveTable:
    """The runs of a study as squares, read again at each look; what has finished is not read twice.

    Args:
        study: The study's folder, with a plan.
        metric: The metric to show.
    """

    def __init__(self, study: StudyFolder, metric: str) -> None:
        self._study, self._metric = study, metric
        record = study.existing_record()
        self._cells = {cell.name: cell.label for cell in record.plan.cells}
        self._seeds = list(dict.fromkeys(run.seed for run in record.runs))
        self._runs = {(run.cell, run.seed): run for run in record.runs}
        self._finished: dict[PlannedRun, Square] = {}

    def look(self) -> dict[tuple[str, int], Square]:
        """What is to be said of every run now, by the cell's name and the seed."""
        return {key: self._square(run) for key, run in self._runs.items()}

    def _square(self, run: PlannedRun) -> Square:
        if run in self._finished:
            return self._finished[run]
        folder = self._study.run(run)
        status = folder.status()
        if status.state == RUNNING:
            return Square(RUNNING, self._so_far(run))
        if status.state == FAILED:
            return Square(FAILED, status.reason)
        if status.state != FINISHED:
            return Square(WAITING, "·")
        value = self._value(run)
        self._finished[run] = Square(FINISHED, "done" if value is None else f"{value:.4g}", value)
        return self._finished[run]

    def _value(self, run: PlannedRun) -> float | None:
        result = self._study.run(run).result()
        metrics = result.metrics if result else {}
        named = [value for name, value in metrics.items() if not name.startswith("seconds")]
        # A study that declared no metric is named after the only one only when it has ended.
        return metrics.get(self._metric, named[0] if len(named) == 1 else None)

    def _so_far(self, run: PlannedRun) -> str:
        rows = self._study.run(run).curves()
        if not rows:
            return "…"
        last = rows[-1]
        stem = self._metric.removeprefix("test_").removeprefix("val_")
        value = next((last[name] for name in (f"val_{stem}", self._metric, stem) if name in last), None)
        epoch = f"e{last.get('epoch', len(rows)):.0f}"
        return epoch if value is None else f"{epoch} {value:.3g}"

    def drawn(self, width: int, height: int) -> rich.table.Table:
        """The table for a terminal.

        Args:
            width: Columns of the terminal. Where the seeds do not fit beside each other, a cell has their counts.
            height: Lines of the terminal. Where the cells do not fit, those come first of which something is running
                or has failed, and the others are counted.
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text

        squares = self.look()
        shown, rest = self._chosen(squares, max(_LEAST_ROWS, height - _OTHER_LINES))
        each = len(self._seeds) * _SQUARE_WIDTH + min(_NAME_WIDTH, max(map(len, self._cells.values()))) <= width
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("cell", no_wrap=True, overflow="ellipsis", max_width=_NAME_WIDTH)
        for name in [f"seed {seed}" for seed in self._seeds] if each else ["runs", "mean"]:
            table.add_column(name, no_wrap=True)
        for cell in shown:
            own = [squares.get((cell, seed)) for seed in self._seeds]
            if each:
                words = [Text("") if one is None else Text(one.text, _STYLES[one.state]) for one in own]
            else:
                words = _counted([one for one in own if one is not None])
            table.add_row(Text(self._cells[cell]), *words)
        if rest:
            table.add_row(Text(f"and {rest} more cell{'s' if rest > 1 else ''}", "dim"))
        return table

    def _chosen(self, squares: dict[tuple[str, int], Square], most: int) -> tuple[list[str], int]:
        cells = list(self._cells)
        if len(cells) <= most:
            return cells, 0
        urgency = dict.fromkeys(cells, len(_ORDER))
        for (cell, _), square in squares.items():
            urgency[cell] = min(urgency[cell], _ORDER[square.state])
        chosen = set(sorted(cells, key=lambda cell: urgency[cell])[:most])
        return [cell for cell in cells if cell in chosen], len(cells) - most


def _counted(squares: list[Square]) -> list[rich.text.Text]:
    from rich.text import Text

    counts = Counter(square.state for square in squares)
    words = Text(f"{counts[FINISHED]}/{len(squares)}")
    for state in (RUNNING, FAILED):
        if counts[state]:
            words.append(f"  {counts[state]} {state}", _STYLES[state])
    values = [square.value for square in squares if square.value is not None]
    return [words, Text(f"{sum(values) / len(values):.4g}" if values else "")]
