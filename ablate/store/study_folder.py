"""The folder of a study: its plan, its runs, what was collected from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.store import lock
from ablate.store.atomic import make_folder, write_json
from ablate.store.records import (
    FORMAT,
    PlannedRun,
    StudyRecord,
    parse_confirmation,
    parse_costs,
    read_file,
)
from ablate.store.run_folder import RunFolder


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
        data = read_file(self.plan)
        return None if data is None else StudyRecord.parse(data, self.plan)

    def existing_record(self) -> StudyRecord:
        """What ``plan.json`` says.

        Raises:
            StoreError: If there is no study in the folder, or it cannot be read.
        """
        return StudyRecord.parse(self.plan_bytes(), self.plan)

    def plan_bytes(self) -> bytes:
        """The bytes of ``plan.json``.

        Raises:
            StoreError: If there is no study in the folder, or it cannot be read.
        """
        data = read_file(self.plan)
        if data is None:
            raise StoreError(f"There is no study in '{self.path}': it has no plan.json.{_near(self.path)}")
        return data

    def write_record(self, record: StudyRecord) -> None:
        """Write ``plan.json``."""
        make_folder(self.path)
        write_json(
            self.plan,
            {
                "format": FORMAT,
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
        data = read_file(path)
        return None if data is None else parse_confirmation(data, path)

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
        write_json(self.path / "costs.json", {"format": FORMAT, "cells": cells})

    def cell_costs(self) -> dict[str, dict[str, Any]]:
        """What ``costs.json`` says, by the name of a cell; nothing where it is missing or cannot be read."""
        try:
            data = read_file(self.path / "costs.json")
        except StoreError:
            data = None
        return {} if data is None else parse_costs(data)


def _near(path: Path) -> str:
    try:
        found = sorted(plan.parent.name for plan in path.parent.glob("*/plan.json"))
    except OSError:
        found = []
    return f" Studies beside it: {', '.join(found)}." if found else ""
