"""The table of a running study in a terminal: cells by seeds, each with its state and its current number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablate.characters import printable
from ablate.errors import StoreError
from ablate.formatting import plural
from ablate.store import FAILED, FINISHED, RUNNING, WAITING, StudyFolder
from ablate.sweep.events import EpochEnded, Event, RoundStarted, RunEnded, RunStarted, StudyStarted

if TYPE_CHECKING:
    import rich.table

_STYLES: dict[str, str] = {FINISHED: "green", RUNNING: "yellow", FAILED: "red", WAITING: "dim"}
_ORDER: dict[str, int] = {RUNNING: 0, FAILED: 1, WAITING: 2, FINISHED: 3}
"""Which cells are shown first where not all of them fit: those with a run in the state with the lowest number."""
_ENTRY_WIDTH = 9
_NAME_WIDTH = 34
_MIN_ROWS = 3
_OTHER_LINES = 7
"""Lines of the terminal that are kept free of rows: heading, rules, progress and the lines around the table."""


@dataclass(frozen=True)
class RunEntry:
    """What the table shows of one run.

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
    """An observer that keeps one entry for each run, and renders them as a table of cells by seeds."""

    def on_event(self, event: Event) -> None:
        """See :class:`~ablate.sweep.events.Observer`."""
        if isinstance(event, StudyStarted):
            self._metric = event.plan.study.metric
            self._cells = {cell.name: printable(cell.label) for cell in event.plan.cells}
            self._entries = self._known_entries(StudyFolder(event.folder))
        elif isinstance(event, RoundStarted):
            for run in event.runs:
                self._entries[run.cell, run.seed] = RunEntry(WAITING, "·")
        elif isinstance(event, RunStarted):
            self._entries[event.run.cell, event.run.seed] = RunEntry(RUNNING, "…")
        elif isinstance(event, EpochEnded):
            self._entries[event.run.cell, event.run.seed] = RunEntry(RUNNING, self._epoch_text(event))
        elif isinstance(event, RunEnded):
            entry = self._finished_entry(event.metrics) if event.state == FINISHED else RunEntry(FAILED, event.reason)
            self._entries[event.run.cell, event.run.seed] = replace(entry, text=printable(entry.text))

    def _known_entries(self, study: StudyFolder) -> dict[tuple[str, int], RunEntry]:
        """An entry for each run in the plan; no event will report those that earlier commands have trained."""
        entries = {}
        for run in study.existing_record().runs:
            entries[run.cell, run.seed] = RunEntry(WAITING, "·")
            status = study.run(run).settled_status()
            if status.state == FAILED:
                entries[run.cell, run.seed] = RunEntry(FAILED, printable(status.reason))
            elif status.state == FINISHED:
                with suppress(StoreError):  # the report names a result that cannot be read
                    result = study.run(run).result()
                    entries[run.cell, run.seed] = self._finished_entry(result.metrics if result else {})
        return entries

    def _finished_entry(self, metrics: Mapping[str, float]) -> RunEntry:
        named = [value for name, value in metrics.items() if not name.startswith("seconds")]
        # A study that declared no metric is given the name of the only one reported, but not while its runs go on.
        value = metrics.get(self._metric, named[0] if len(named) == 1 else None)
        return RunEntry(FINISHED, "done" if value is None else f"{value:.4g}", value)

    def _epoch_text(self, event: EpochEnded) -> str:
        stem = self._metric.removeprefix("test_").removeprefix("val_")
        names = (f"val_{stem}", self._metric, stem)
        value = next((event.values[name] for name in names if name in event.values), None)
        return f"e{event.epoch}" if value is None else f"e{event.epoch} {value:.3g}"

    def rendered(self, width: int, height: int) -> rich.table.Table:
        """The table for a terminal.

        Args:
            width: Columns of the terminal. Where the seeds do not fit beside each other, a cell has their counts.
            height: Lines of the terminal. Where the cells do not fit, those come first of which something is running
                or has failed, and the others are counted.
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text

        seeds = list(dict.fromkeys(seed for _, seed in self._entries))
        cells = self._most_urgent(max(_MIN_ROWS, height - _OTHER_LINES))
        has_columns = len(seeds) * _ENTRY_WIDTH + min(_NAME_WIDTH, max(map(len, self._cells.values()))) <= width
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("cell", no_wrap=True, overflow="ellipsis", max_width=_NAME_WIDTH)
        for name in [f"seed {seed}" for seed in seeds] if has_columns else ["runs", "mean"]:
            table.add_column(name, no_wrap=True)
        for cell in cells:
            entries = [self._entries.get((cell, seed)) for seed in seeds]
            if has_columns:
                texts = [Text("") if entry is None else Text(entry.text, _STYLES[entry.state]) for entry in entries]
            else:
                texts = _counts_and_mean([entry for entry in entries if entry is not None])
            table.add_row(Text(self._cells[cell]), *texts)
        if hidden := len(self._cells) - len(cells):
            table.add_row(Text(f"and {plural(hidden, 'more cell')}", "dim"))
        return table

    def _most_urgent(self, rows: int) -> list[str]:
        """As many cells as fit into a number of rows: the most urgent ones, in the order of the plan."""
        rank = dict.fromkeys(self._cells, len(_ORDER))
        for (cell, _), entry in self._entries.items():
            rank[cell] = min(rank[cell], _ORDER[entry.state])
        chosen = sorted(self._cells, key=lambda cell: rank[cell])[:rows]
        return [cell for cell in self._cells if cell in chosen]


def _counts_and_mean(entries: list[RunEntry]) -> list[rich.text.Text]:
    from rich.text import Text

    counts = Counter(entry.state for entry in entries)
    text = Text(f"{counts[FINISHED]}/{len(entries)}")
    for state in (RUNNING, FAILED):
        if counts[state]:
            text.append(f"  {counts[state]} {state}", _STYLES[state])
    values = [entry.value for entry in entries if entry.value is not None]
    return [text, Text(f"{sum(values) / len(values):.4g}" if values else "")]
