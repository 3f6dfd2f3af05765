"""The folder of one run: its status, curves and result."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.store import lock
from ablate.store.atomic import write_json, write_text

__all__ = [
    "FAILED",
    "FINISHED",
    "MOST_ATTEMPTS",
    "RUNNING",
    "UNREADABLE",
    "WAITING",
    "Result",
    "RunFolder",
    "Status",
    "current_run",
    "set_current_run",
]

WAITING, RUNNING, FINISHED, FAILED = "waiting", "running", "finished", "failed"

UNREADABLE = "unreadable"
"""The reason of a run whose result, or whose status, is damaged: the first counts as failed, the second waits."""

MOST_ATTEMPTS = 2
"""How often a run may die without a word, and without an epoch of progress, before it counts as failed."""


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Args:
        state: ``waiting``, ``running``, ``finished`` or ``failed``.
        reason: Why it failed or waits again: ``raised``, ``exited``, ``killed``, ``diverged``, ``timed out``,
            ``interrupted``; empty otherwise.
        error: The last line of what went wrong.
        attempts: How often the run was started and not ended by its own doing, this time included.
        started: Seconds since the epoch at which it last started, or None.
        ended: Seconds since the epoch at which it ended, or None.
        pid: Its process while it runs.
        host: The machine it ran on.
        epochs: How many epochs its curves had when it last started.
    """

    state: str = WAITING
    reason: str = ""
    error: str = ""
    attempts: int = 0
    started: float | None = None
    ended: float | None = None
    pid: int | None = None
    host: str = ""
    epochs: int = 0


@dataclass(frozen=True)
class Result:
    """What a finished run brought.

    Args:
        metrics: Numbers by name; those whose name begins with ``seconds`` are timings.
        versions: What it ran with: versions of Python, of the libraries in use, and of the code.
        other: What the train function returned beside numbers; kept, not analysed.
    """

    metrics: Mapping[str, float]
    versions: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run.

    Args:
        path: The folder; it need not exist yet.
    """

    path: Path

    @property
    def log(self) -> Path:
        """Everything the run printed, and the traceback if it raised."""
        return self.path / "run.log"

    def status(self) -> Status:
        """The status as its own process last wrote it; ``waiting`` if it never did, or if the file is damaged."""
        try:
            values = json.loads((self.path / "status.json").read_bytes())
            return Status(**{key: value for key, value in values.items() if key in Status.__dataclass_fields__})
        except FileNotFoundError:
            return Status()
        except (OSError, ValueError, TypeError, AttributeError):
            return Status(reason=UNREADABLE, error="status.json is damaged.")

    def write_status(self, status: Status) -> None:
        """Replace the status."""
        write_json(self.path / "status.json", asdict(status))

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Hold the run for the time of a ``with`` block; yields False when another process has it."""
        with lock.hold(self.path / ".lock") as held:
            yield held

    def is_held(self) -> bool:
        """Whether a live process works on the run."""
        return lock.is_held(self.path / ".lock")

    def settled_status(self) -> Status:
        """The status, with a run whose process is gone told apart from one that runs.

        Returns:
            The status; ``running`` only if a live process holds the run. A run found dead is ``waiting`` (reason
            ``killed``), and after its second death ``failed``.
        """
        status = self.status()
        if status.state != RUNNING or self.is_held():
            return status
        status = self.status()  # it may have ended between the two looks
        if status.state != RUNNING:
            return status
        state = FAILED if status.attempts >= MOST_ATTEMPTS else WAITING
        error = status.error or f"The process ended without a word (attempt {status.attempts})."
        return replace(status, state=state, reason="killed", error=error, pid=None)

    def result(self) -> Result | None:
        """What the run brought, or None if it has not finished."""
        path = self.path / "result.json"
        try:
            values = json.loads(path.read_text())
            metrics = {name: _measured(name, value) for name, value in dict(values["metrics"]).items()}
            return Result(metrics, dict(values.get("versions", {})), dict(values.get("other", {})))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"Cannot read '{path}': {error}.") from error

    def write_result(self, result: Result) -> None:
        """Write what the run brought."""
        write_json(self.path / "result.json", asdict(result))

    def curves(self) -> list[dict[str, float]]:
        """The curves so far: a row an epoch; a last line that was cut off in mid-writing is left out."""
        rows: list[dict[str, float]] = []
        header, lines, _ = self._curve_lines()
        for row in csv.reader(lines):
            try:
                rows.append({name: float(value) for name, value in zip(header, row, strict=True) if value != ""})
            except ValueError:
                continue
        return rows

    def curves_fault(self) -> str:
        """Why no curve can be made of a ``curves.csv`` that is there; empty where one can, or nothing is in it yet."""
        try:
            with (self.path / "curves.csv").open("rb"):
                pass
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        header, lines, _ = self._curve_lines()
        rows = self.curves()
        if any(math.isfinite(row.get("epoch", math.nan)) for row in rows) or not (header and lines):
            return ""
        if "epoch" not in header:
            return f"has no column 'epoch' (its columns: {', '.join(name[:40] for name in header[:8])})"
        return "has no row with the number of an epoch and as many numbers as columns"

    def append_curves(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the row of an epoch.

        Args:
            epoch: Counted from 1.
            values: Numbers by column. A column that earlier rows lack rewrites the file with it.

        Raises:
            StoreError: If the file cannot be written.
        """
        path = self.path / "curves.csv"
        row = {"epoch": epoch, **values}
        header, _, whole = self._curve_lines()
        if not header or not whole or not row.keys() <= set(header):
            self.write_curves([*self.curves(), row], [*header, *(name for name in row if name not in header)])
            return
        try:
            with path.open("a", newline="") as file:
                file.write(_csv_line(header, row))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"Cannot write '{path}': {error.strerror or error}.") from error

    def truncate_curves(self, epoch: int) -> None:
        """Forget all rows after an epoch, as when a run goes on from a backup."""
        header, _, _ = self._curve_lines()
        if header:
            self.write_curves([row for row in self.curves() if row.get("epoch", 0) <= epoch], header)

    def write_curves(self, rows: Sequence[Mapping[str, float]], header: Sequence[str]) -> None:
        """Replace the curves.

        Args:
            rows: A row an epoch.
            header: The columns in order; what a row lacks of them stays blank.
        """
        head = io.StringIO()
        csv.writer(head, lineterminator="\n").writerow(header)
        lines = [head.getvalue(), *(_csv_line(header, row) for row in rows)]
        write_text(self.path / "curves.csv", "".join(lines))

    def _curve_lines(self) -> tuple[list[str], list[str], bool]:
        """The header, the whole lines below it, and whether the file ends with a whole line."""
        try:
            with (self.path / "curves.csv").open(newline="", errors="replace") as file:
                text = file.read()
        except OSError:
            return [], [], True
        whole, _, rest = text.rpartition("\n")
        lines = whole.splitlines()
        return (next(csv.reader(lines[:1]), []), lines[1:], not rest)


_CURRENT_RUN: ContextVar[RunFolder | None] = ContextVar("current_run", default=None)


def current_run() -> RunFolder | None:
    """The folder of the run that is being trained; None outside of a study."""
    return _CURRENT_RUN.get()


@contextmanager
def set_current_run(folder: RunFolder) -> Iterator[None]:
    """Make a run the current one for the time of a ``with`` block."""
    token = _CURRENT_RUN.set(folder)
    try:
        yield
    finally:
        _CURRENT_RUN.reset(token)


def _measured(name: str, value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"'{name}' is {value!r} and no number")
    return value


def _csv_line(header: Sequence[str], row: Mapping[str, float]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_number(row[name]) if name in row else "" for name in header])
    return line.getvalue()


def _number(value: float) -> str:
    return (
        str(int(value))
        if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15)
        else repr(float(value))
    )
