"""The folder of a study: its plan, its runs, what was collected from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import DesignError, StoreError
from ablate.store import lock
from ablate.store.atomic import make_folder, write_json
from ablate.store.run_folder import RunFolder
from ablate.study import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PlannedRun", "StudyFolder", "StudyRecord"]

_FORMAT = 1


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
        """Where the run lives, relative to the study's folder."""
        return f"runs/{self.cell}/{self.seed}-{self.id}"


@dataclass(frozen=True)
class StudyRecord:
    """What ``plan.json`` holds.

    Args:
        plan: Factors, cells and what is asked of them.
        runs: Every planned run, once, in the order of the plan.
        reference: The unswept configuration, resolved, without the seed and without what cannot change a result.
        history: A plain record of each command that made or enlarged the study.
        checks: What was found out about each cell before its first run, by the cell's name.
        report: What the last command chose to have written about the study: ``figures``, ``width``.
    """

    plan: Plan
    runs: tuple[PlannedRun, ...]
    reference: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...] = ()
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyFolder:
    """A study on disk.

    Args:
        path: Its folder; it need not exist yet.

    Example:
        >>> StudyFolder(Path("outputs/residual")).name
        'residual'
    """

    path: Path

    @property
    def name(self) -> str:
        """The study's name: that of its folder."""
        return self.path.resolve().name

    @property
    def plan(self) -> Path:
        """Where the plan is written; a folder without it holds no study."""
        return self.path / "plan.json"

    @property
    def figures(self) -> Path:
        """Where figures are written."""
        return self.path / "figures"

    @property
    def tables(self) -> Path:
        """Where tables are written."""
        return self.path / "tables"

    @property
    def halt(self) -> Path:
        """A file that is there from the first failure on, for runs that are to start only before it."""
        return self.path / ".halt"

    @property
    def checklist(self) -> Path:
        """What a report must disclose, in words."""
        return self.path / "checklist.md"

    @property
    def page(self) -> Path:
        """Where the page is written."""
        return self.path / "report.html"

    @property
    def diagrams(self) -> Path:
        """Where diagrams of the networks are written, a file a cell and format."""
        return self.path / "diagrams"

    def run(self, run: PlannedRun) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.path / run.folder)

    def record(self) -> StudyRecord | None:
        """What ``plan.json`` says, or None where there is none.

        Raises:
            StoreError: If it cannot be read or is not a plan of this format.
        """
        path = self.plan
        try:
            values = json.loads(path.read_bytes())
            if values["format"] != _FORMAT:
                raise StoreError(f"'{path}' has format {values['format']}; this version of ablate reads {_FORMAT}.")
            return StudyRecord(
                plan=Plan.from_dict(values["plan"]),
                runs=tuple(PlannedRun(**run) for run in values["runs"]),
                reference=values["reference"],
                history=tuple(values["history"]),
                checks=values["checks"],
                report=values.get("report", {}),
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, StoreError | DesignError):
                raise
            why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            raise StoreError(f"Cannot read the plan '{path}': {why}.") from error

    def existing_record(self) -> StudyRecord:
        """What ``plan.json`` says.

        Raises:
            StoreError: If there is no study in the folder, or it cannot be read.
        """
        record = self.record()
        if record is None:
            raise StoreError(f"There is no study in '{self.path}': it has no plan.json.{_near(self.path)}")
        return record

    def write_record(self, record: StudyRecord) -> None:
        """Write ``plan.json``."""
        make_folder(self.path)
        write_json(
            self.plan,
            {
                "format": _FORMAT,
                "plan": record.plan.to_dict(),
                "runs": [vars(run) for run in record.runs],
                "reference": record.reference,
                "history": list(record.history),
                "checks": record.checks,
                "report": record.report,
            },
        )

    def confirmation(self) -> Mapping[str, Any] | None:
        """What came of confirming what the study found dispensable, or None where nobody did.

        Raises:
            StoreError: If the file is there and cannot be read.
        """
        path = self.path / "confirmation.json"
        try:
            values: Mapping[str, Any] = json.loads(path.read_text())
            str(values["text"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"Cannot read '{path}': {type(error).__name__}: {error}.") from error
        return values

    def write_confirmation(self, values: Mapping[str, Any]) -> None:
        """Write ``confirmation.json``."""
        write_json(self.path / "confirmation.json", values)

    @contextmanager
    def editing(self) -> Iterator[None]:
        """Keep other processes from changing ``plan.json`` between reading and writing it."""
        make_folder(self.path)
        with lock.hold(self.path / ".lock", wait=True):
            yield

    def write_costs(self, cells: Mapping[str, Mapping[str, Any]]) -> None:
        """Write ``costs.json``.

        Args:
            cells: By the name of a cell what its network costs, or an ``error``.
        """
        write_json(self.path / "costs.json", {"format": _FORMAT, "cells": cells})

    def cell_costs(self) -> dict[str, dict[str, Any]]:
        """What ``costs.json`` says, by the name of a cell; nothing where it is missing or cannot be read."""
        try:
            values = json.loads((self.path / "costs.json").read_text())
            return dict(values["cells"]) if values["format"] == _FORMAT else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def costs(self) -> pd.DataFrame:
        """What the networks of the cells cost: a row a cell that was measured, see ``Summary.costs``."""
        from ablate.store.frames import costs_frame

        return costs_frame(self)

    def runs(self) -> pd.DataFrame:
        """All planned runs: a row each, with state, reason, metrics, timings and versions."""
        from ablate.store.frames import runs_frame

        return runs_frame(self)

    def curves(self) -> pd.DataFrame:
        """The curves of all runs: a row an epoch."""
        from ablate.store.frames import curves_frame

        return curves_frame(self)


def _near(path: Path) -> str:
    try:
        found = sorted(plan.parent.name for plan in path.parent.glob("*/plan.json"))
    except OSError:
        found = []
    return f" Studies beside it: {', '.join(found)}." if found else ""
