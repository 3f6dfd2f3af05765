"""The folder of one run: its status, curves and result."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.store.atomic import replacing, write_text
from ablate.store.confusion_file import CONFUSION_FILE, confusion_csv
from ablate.store.files import open_file, read_file
from ablate.store.json_files import write_json
from ablate.store.locks import hold_lock, is_locked
from ablate.store.records import (
    FAILED,
    FINISHED,
    MOST_ATTEMPTS,
    RUNNING,
    UNREADABLE,
    WAITING,
    CurvesFile,
    Result,
    Status,
)

_LARGEST_STATUS = 4_000_000  # bytes; the text of an error is cut long before
_LARGEST_RESULT = 64_000_000
COLLECTED_CURVE = ".curves.csv"
"""The curve that was read of an application's files, at the end of its run; see :mod:`ablate.sweep.run_outputs`."""

PREDICTIONS_FILE = "predictions.npz"
"""What a run predicted for the test part, where it was to write that."""

_REPLACED = ".replaced"  # where the folders of runs are that were trained again with other code
_CONFIGURATION = ".hydra/config.yaml"
_MOST_DIGESTS = 20  # CSV files of a run of which a digest is stored


@dataclass(frozen=True)
class RunFolder:
    """The files of one run.

    Args:
        path: The folder; it need not exist yet.
        root: The folder of its study, if that may come from elsewhere: then links between the two are not followed.
    """

    path: Path
    root: Path | None = field(default=None, compare=False)

    @property
    def log(self) -> Path:
        """The file that takes everything the run prints, and the traceback if it raises."""
        return self.path / "run.log"

    def status(self) -> Status:
        """The status as last written; ``waiting`` if none was, if it is lost, or if the file cannot be read.

        A run whose process died still says ``running`` here; see :meth:`settled_status`.
        """
        try:
            data = read_file(self.path / "status.json", self.root, limit=_LARGEST_STATUS)
        except StoreError as error:
            return Status(reason=UNREADABLE, error=str(error))
        if data is not None:
            return Status.parse(data, self.path.name)
        if traces := [name for name in ("result.json", "curves.csv", self.log.name) if _has_content(self.path / name)]:
            text = f"There is no '{self.path / 'status.json'}', although there is {traces[0]}."
            return Status(reason=UNREADABLE, error=text)
        return Status()

    def write_status(self, status: Status) -> None:
        """Replace the status."""
        write_json(self.path / "status.json", {"run": self.path.name, **asdict(status)})

    def hold(self) -> AbstractContextManager[bool]:
        """Lock the run for the time of a ``with`` block; yields False where another process has locked it."""
        return hold_lock(self.path / ".lock")

    def set_aside(self) -> bool:
        """Move all that the run has left into a hidden folder beside it, so that it can start from nothing.

        Returns:
            Whether it was moved; not while another process has locked the run.

        Raises:
            StoreError: If the system refuses.
        """
        with self.hold() as held:
            if not held:
                return False
            try:
                parent = self.path.parent / _REPLACED
                parent.mkdir(exist_ok=True)
                places = (parent / f"{self.path.name}-{number}" for number in itertools.count(1))
                self.path.rename(next(place for place in places if not place.exists()))
            except OSError as error:
                raise StoreError(f"Cannot move '{self.path}': {error.strerror or error}.") from error
        return True

    def is_held(self) -> bool:
        """Whether a live process has locked the run, and so works on it."""
        return is_locked(self.path / ".lock")

    def settled_status(self) -> Status:
        """The status, corrected where the file says ``running`` and the process is gone; nothing is written.

        Returns:
            The status; ``running`` only if a live process holds the run. A run whose process died is ``waiting`` with
            the reason ``killed``, or ``failed`` with that reason after `MOST_ATTEMPTS` attempts.
        """
        status = self.status()
        if status.state != RUNNING or self.is_held():
            return status
        # The run may have ended between reading the status and looking at the lock: read the status again.
        status = self.status()
        if status.state != RUNNING:
            return status
        state = FAILED if status.attempts >= MOST_ATTEMPTS else WAITING
        error = status.error or f"The process ended without a word (attempt {status.attempts})."
        return replace(status, state=state, reason="killed", error=error, pid=None)

    def result(self) -> Result | None:
        """What the run returned, or None if it has no result yet.

        Raises:
            StoreError: If the file is there and cannot be read.
        """
        path = self.path / "result.json"
        data = read_file(path, self.root, limit=_LARGEST_RESULT)
        return None if data is None else Result.parse(data, path)

    def outcome(self) -> tuple[Status, Result | None]:
        """The settled status, and the result of a finished run.

        A finished run whose result is missing or cannot be read counts as failed, so that it hides no other run's.
        """
        status = self.settled_status()
        if status.state != FINISHED:
            return status, None
        fault = f"The result of the run is missing: there is no '{self.path / 'result.json'}'."
        try:
            if (result := self.result()) is not None:
                return status, result
        except StoreError as error:
            fault = str(error)
        return replace(status, state=FAILED, reason=UNREADABLE, error=fault), None

    def write_result(self, result: Result) -> None:
        """Write what the run returned, with digests of its configuration and of the CSV files that it has left."""
        contents = asdict(replace(result, files=self._digests()))
        write_json(self.path / "result.json", {"run": self.path.name, **contents})

    def changed_files(self, result: Result) -> list[str]:
        """The files that are missing, or are not what they were when the run finished, by name.

        Args:
            result: The run's result, which has their digests.
        """
        return [
            name
            for name, stored in result.files.items()
            if (data := read_file(self.path / name, self.root, strict=False)) is None or digest(data) != stored
        ]

    def _digests(self) -> dict[str, str]:
        tables = sorted(path.name for path in self.path.glob("*.csv"))[:_MOST_DIGESTS]
        contents = {
            name: read_file(self.path / name, strict=False, limit=_LARGEST_RESULT) for name in (_CONFIGURATION, *tables)
        }
        return {name: digest(data) for name, data in contents.items() if data is not None}

    def remove_unfinished_lines(self) -> None:
        """Remove the unfinished last line of each CSV file, which a killed process may leave.

        A program that is started again and appends to its file would put its first line behind it.

        Raises:
            StoreError: If a file cannot be written.
        """
        for path in self.path.glob("*.csv"):
            data = read_file(path, strict=False)
            if data and not data.endswith(b"\n"):
                try:
                    with open_file(path, os.O_RDWR) as stream:
                        stream.truncate(data.rfind(b"\n") + 1)
                except OSError as error:
                    raise StoreError(f"Cannot write '{path}': {error.strerror or error}.") from error

    def curves(self) -> list[dict[str, float]]:
        """The curves so far, one row per epoch; an incomplete last line is left out."""
        return self._curves_file().rows

    def append_curves(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the row of an epoch.

        Args:
            epoch: The number of the epoch, counted from 1.
            values: Numbers by column. A column that the file lacks is added, for which the whole file is rewritten.

        Raises:
            StoreError: If the file cannot be written.
        """
        path = self.path / "curves.csv"
        row = {"epoch": epoch, **values}
        file = self._curves_file()
        header = file.header
        if not header or not file.is_complete or not row.keys() <= set(header):
            self.write_curves([*file.rows, row], [*header, *(name for name in row if name not in header)])
            return
        try:
            with open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as stream:
                stream.write(_csv_line(_cells(header, row)).encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise StoreError(f"Cannot write '{path}': {error.strerror or error}.") from error

    def truncate_curves(self, epoch: int) -> None:
        """Remove the rows of later epochs than this one, as a run does that resumes from a backup."""
        file = self._curves_file()
        if file.header:
            self.write_curves([row for row in file.rows if row.get("epoch", 0) <= epoch], file.header)

    def write_curves(self, rows: Sequence[Mapping[str, float]], header: Sequence[str]) -> None:
        """Replace the curves.

        Args:
            rows: One row per epoch, numbers by column.
            header: The columns in order; a column that a row lacks stays blank there.
        """
        lines = [_csv_line(header), *(_csv_line(_cells(header, row)) for row in rows)]
        write_text(self.path / "curves.csv", "".join(lines))

    def write_collected_curve(self, rows: Sequence[Mapping[str, float]], header: Sequence[str]) -> None:
        """Write the curve that was collected from the files of an application, in place of an earlier one.

        Args:
            rows: One row per epoch, numbers by column; none if the files that there are give no curve.
            header: The columns in order, ``epoch`` among them.
        """
        lines = [_csv_line(header), *(_csv_line(_cells(header, row)) for row in rows)]
        write_text(self.path / COLLECTED_CURVE, "".join(lines))

    def remove_collected_curve(self) -> None:
        """Remove the curve that an earlier start of the run has left."""
        with suppress(OSError):
            (self.path / COLLECTED_CURVE).unlink()

    def write_confusion(self, class_names: Sequence[str], counts: Iterable[Iterable[int]]) -> None:
        """Write how often images of each class were taken for which, see :mod:`ablate.store.confusion_file`.

        Args:
            class_names: Names of the classes, by number.
            counts: A row for each class, with how many of its images were taken for each class.
        """
        write_text(self.path / CONFUSION_FILE, confusion_csv(class_names, counts))

    def write_predictions(self, arrays: Mapping[str, Any]) -> None:
        """Write the predictions for the test part as ``predictions.npz``.

        Args:
            arrays: NumPy arrays by name, an entry an example each.
        """
        import numpy as np

        with replacing(self.path / PREDICTIONS_FILE, ".npz") as temporary:
            np.savez_compressed(temporary, **arrays)

    def _curves_file(self) -> CurvesFile:
        return CurvesFile.parse(read_file(self.path / "curves.csv", self.root, strict=False) or b"")


def _has_content(path: Path) -> bool:
    try:
        return path.lstat().st_size > 0
    except OSError:
        return False


def digest(data: bytes) -> str:
    """What stands for the contents of a file: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


_CURRENT_RUN: ContextVar[RunFolder | None] = ContextVar("current_run", default=None)


def current_run() -> RunFolder | None:
    """The folder of the run that is being trained in this thread; None outside of a run."""
    return _CURRENT_RUN.get()


@contextmanager
def set_current_run(folder: RunFolder) -> Iterator[None]:
    """Make a run the current one for the time of a ``with`` block."""
    token = _CURRENT_RUN.set(folder)
    try:
        yield
    finally:
        _CURRENT_RUN.reset(token)


def _cells(header: Sequence[str], row: Mapping[str, float]) -> list[str]:
    """The fields of a line of ``curves.csv`` (not the cells of a study), blank where the row lacks a column."""
    return [_number(row[name]) if name in row else "" for name in header]


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _number(value: float) -> str:
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return str(int(value))
    return repr(float(value))
