"""The contents of a study's files as typed values, and the parser of each kind of file.

A study's folder may come from elsewhere, so this is the place for every check of what it holds: each file that results
come from is read by :func:`read_file` and goes through the one parser of its kind. (:mod:`ablate.store.curves`, which
parses the curves of many runs at once, reads them with :func:`read_file` too.) Other code trusts the parsed values.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ablate.errors import DesignError, StoreError
from ablate.study import Plan

FORMAT = 1
"""The version of the layout of ``plan.json`` and ``costs.json``: the one that is written, and the only one read."""

WAITING, RUNNING, FINISHED, FAILED = "waiting", "running", "finished", "failed"

UNREADABLE = "unreadable"
"""The reason of a run with a damaged file: its state is ``failed`` if that is the result, ``waiting`` if the status."""

MOST_ATTEMPTS = 2
"""A run whose process died this often, with no further epoch in between, counts as failed."""


@dataclass(frozen=True)
class PlannedRun:
    """One cell with one seed: the unit of work.

    Args:
        id: Hash of the resolved configuration; equal configurations of two designs are the same run.
        cell: Name of the cell.
        seed: The seed.
    """

    id: str
    cell: str
    seed: int

    @property
    def folder(self) -> str:
        """The run's folder, relative to the study's folder."""
        return f"runs/{self.cell}/{self.seed}-{self.id}"


@dataclass(frozen=True)
class StudyRecord:
    """What ``plan.json`` holds.

    Args:
        plan: Factors, cells and settings of the study.
        runs: Every planned run, once, in the order of the plan.
        reference: The unswept configuration, resolved, without the seed and without keys that cannot change a result.
        history: A record of each command that made or enlarged the study, as plain values.
        checks: What the preflight check of each cell found before the first run, by the cell's name.
        report: What the last command chose for the report: ``figures``, ``width``, and ``statements``, the items of the
            checklist that only the user can answer.
    """

    plan: Plan
    runs: tuple[PlannedRun, ...]
    reference: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...] = ()
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes, path: Path) -> StudyRecord:
        """Parse a ``plan.json``.

        Args:
            data: The bytes of the file.
            path: The path of the file, for messages.

        Raises:
            StoreError: If it is damaged or has another format.
            DesignError: If its design is unknown or contradicts itself.
        """
        try:
            values = json.loads(data)
            if values["format"] != FORMAT:
                raise StoreError(f"'{path}' has format {values['format']}; this version of ablate reads {FORMAT}.")
            return cls(
                plan=Plan.from_dict(values["plan"]),
                runs=tuple(PlannedRun(**run) for run in values["runs"]),
                reference=values["reference"],
                history=tuple(values["history"]),
                checks=values["checks"],
                report=values.get("report", {}),
            )
        except (StoreError, DesignError):
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"Cannot read the plan '{path}': {type(error).__name__}: {error}.") from error


@dataclass(frozen=True)
class Status:
    """The state of a run.

    Args:
        state: ``waiting``, ``running``, ``finished`` or ``failed``.
        reason: Why it failed or waits again: ``raised``, ``exited``, ``killed``, ``diverged``, ``timed out``,
            ``interrupted`` or `UNREADABLE`; empty otherwise.
        error: The last line of the error.
        attempts: The number of the last start, counted from 1, and anew once the run got further or had an outcome; a
            start that was interrupted does not count. 0 before the first start and for a finished run.
        started: When it last started, as a Unix time, or None.
        ended: When it ended, as a Unix time, or None.
        pid: The id of its process while it runs, or None.
        host: The machine it ran on.
        epochs: How many rows its curves had when it last started, from which progress is told.
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

    @classmethod
    def parse(cls, data: bytes) -> Status:
        """Parse a ``status.json``; a damaged one gives the state ``waiting`` with the reason `UNREADABLE`."""
        try:
            values = json.loads(data)
            return cls(**{key: value for key, value in values.items() if key in Status.__dataclass_fields__})
        except (ValueError, TypeError, AttributeError):
            return cls(reason=UNREADABLE, error="status.json is damaged.")


@dataclass(frozen=True)
class Result:
    """What a finished run returned.

    Args:
        metrics: Numbers by name; those whose name begins with ``seconds`` are timings.
        versions: The versions of Python, of the libraries in use and of the code, by name.
        other: What the train function returned that is not a number; stored, not analysed.
    """

    metrics: Mapping[str, float]
    versions: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes, path: Path) -> Result:
        """Parse a ``result.json``.

        Args:
            data: The bytes of the file.
            path: The path of the file, for messages.

        Raises:
            StoreError: If it is damaged, or a metric is not a number.
        """
        try:
            values = json.loads(data)
            metrics = {name: _number(name, value) for name, value in dict(values["metrics"]).items()}
            return cls(metrics, dict(values.get("versions", {})), dict(values.get("other", {})))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"Cannot read '{path}': {error}.") from error


@dataclass(frozen=True)
class CurvesFile:
    """The contents of a ``curves.csv``.

    Args:
        header: The names of its columns.
        lines: The complete lines below the header.
        is_complete: Whether the last line is complete; a killed run may leave part of one, which ``lines`` leaves out.
    """

    header: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    is_complete: bool = True

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """One row per epoch: numbers by column name, without blank fields; a line with anything else is left out."""
        rows: list[dict[str, float]] = []
        for values in csv.reader(self.lines):
            try:
                rows.append({name: float(value) for name, value in zip(self.header, values, strict=True) if value})
            except ValueError:
                continue
        return rows

    @property
    def fault(self) -> str:
        """Why none of the lines gives a point of a curve; empty where one does, or where the file has no lines."""
        if any(math.isfinite(row.get("epoch", math.nan)) for row in self.rows) or not (self.header and self.lines):
            return ""
        if "epoch" not in self.header:
            return f"has no column 'epoch' (its columns: {', '.join(name[:40] for name in self.header[:8])})"
        return "has no row with the number of an epoch and as many numbers as columns"

    @classmethod
    def parse(cls, data: bytes) -> CurvesFile:
        """Parse a ``curves.csv``; bytes that are not UTF-8 become replacement characters."""
        complete, _, unfinished = data.decode(errors="replace").rpartition("\n")
        lines = complete.splitlines()
        return cls(tuple(next(csv.reader(lines[:1]), [])), tuple(lines[1:]), not unfinished)


def read_file(path: Path, strict: bool = True) -> bytes | None:
    """The bytes of a file of a study, or None where there is no such file.

    Args:
        path: The file.
        strict: Whether a file that exists and cannot be read is an error; otherwise it counts as missing.

    Raises:
        StoreError: If ``strict`` and the file cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if not strict:
            return None
        raise StoreError(f"Cannot read '{path}': {error.strerror or error}.") from error


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"'{name}' is {value!r} and no number")
    return value


def parse_costs(data: bytes) -> dict[str, dict[str, Any]]:
    """Parse a ``costs.json``: costs by the cell's name; empty where it is damaged or has another format."""
    try:
        values = json.loads(data)
        return dict(values["cells"]) if values["format"] == FORMAT else {}
    except (ValueError, KeyError, TypeError):
        return {}


def parse_confirmation(data: bytes, path: Path) -> Mapping[str, Any]:
    """Parse a ``confirmation.json``.

    Args:
        data: The bytes of the file.
        path: The path of the file, for messages.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        values: Mapping[str, Any] = json.loads(data)
        str(values["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"Cannot read '{path}': {type(error).__name__}: {error}.") from error
    return values
