"""What the files of a study hold: typed values, and how each kind of file becomes one.

This is the border. Whatever is read from a study's folder passes :func:`read_file` and the one ``parse`` function
of its kind (the curves of many runs at once, in :mod:`ablate.store.curves`, pass :func:`read_file` too). Behind it
values are typed and trusted, so this is the place for every check of what a folder may contain.
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
"""The version of ``plan.json`` and ``costs.json`` that is written, and the only one that is read."""

WAITING, RUNNING, FINISHED, FAILED = "waiting", "running", "finished", "failed"

UNREADABLE = "unreadable"
"""The reason of a run whose result, or whose status, is damaged: the first counts as failed, the second waits."""

MOST_ATTEMPTS = 2
"""How often the process of a run may die without progress before the run counts as failed."""


@dataclass(frozen=True)
class PlannedRun:
    """One cell with one seed: the unit of work.

    Args:
        id: Hash of the configuration; equal configurations are one run.
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
        reference: The unswept configuration, resolved, without the seed and without what cannot change a result.
        history: A record of each command that made or enlarged the study, as plain values.
        checks: Results of the checks before the first run, by the cell's name.
        report: How the last command wanted the report: ``figures``, ``width``, and ``statements`` of the checklist.
    """

    plan: Plan
    runs: tuple[PlannedRun, ...]
    reference: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...] = ()
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes, path: Path) -> StudyRecord:
        """The contents of a ``plan.json``.

        Args:
            data: Its bytes.
            path: Where it was, for messages.

        Raises:
            StoreError: If it is no plan of this format.
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
            ``interrupted``; empty otherwise.
        error: The last line of the error.
        attempts: How often the run was started and its process ended without recording an outcome, this time included.
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

    @classmethod
    def parse(cls, data: bytes) -> Status:
        """The contents of a ``status.json``; a run whose file is damaged counts as waiting, with that reason."""
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
        versions: What it ran with: versions of Python, of the libraries in use, and of the code.
        other: What the train function returned beside numbers; stored, not analysed.
    """

    metrics: Mapping[str, float]
    versions: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes, path: Path) -> Result:
        """The contents of a ``result.json``.

        Args:
            data: Its bytes.
            path: Where it was, for messages.

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
        is_complete: Whether the file ends with a complete line; a run that was killed leaves half of one.
    """

    header: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    is_complete: bool = True

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """A row an epoch: numbers by column, without blank values; lines that are not all numbers are left out."""
        rows: list[dict[str, float]] = []
        for values in csv.reader(self.lines):
            try:
                rows.append({name: float(value) for name, value in zip(self.header, values, strict=True) if value})
            except ValueError:
                continue
        return rows

    @property
    def fault(self) -> str:
        """Why there is no curve in the file although it has lines; empty where there is one."""
        if any(math.isfinite(row.get("epoch", math.nan)) for row in self.rows) or not (self.header and self.lines):
            return ""
        if "epoch" not in self.header:
            return f"has no column 'epoch' (its columns: {', '.join(name[:40] for name in self.header[:8])})"
        return "has no row with the number of an epoch and as many numbers as columns"

    @classmethod
    def parse(cls, data: bytes) -> CurvesFile:
        """The contents of a ``curves.csv``; bytes that are no UTF-8 become replacement characters."""
        complete, _, rest = data.decode(errors="replace").rpartition("\n")
        lines = complete.splitlines()
        return cls(tuple(next(csv.reader(lines[:1]), [])), tuple(lines[1:]), not rest)


def read_file(path: Path, strict: bool = True) -> bytes | None:
    """The bytes of a file of a study, or None where there is no such file.

    Args:
        path: The file.
        strict: Whether a file that cannot be read is an error; otherwise it counts as missing.

    Raises:
        StoreError: If it cannot be read.
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
    """The contents of a ``costs.json`` by the name of a cell; nothing where it is damaged."""
    try:
        values = json.loads(data)
        return dict(values["cells"]) if values["format"] == FORMAT else {}
    except (ValueError, KeyError, TypeError):
        return {}


def parse_confirmation(data: bytes, path: Path) -> Mapping[str, Any]:
    """The contents of a ``confirmation.json``.

    Args:
        data: Its bytes.
        path: Where it was, for messages.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        values: Mapping[str, Any] = json.loads(data)
        str(values["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"Cannot read '{path}': {type(error).__name__}: {error}.") from error
    return values
