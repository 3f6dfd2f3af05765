"""The folder of a study: its plan, its runs, and the tables, figures and page that were made from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.store.atomic import make_folder
from ablate.store.files import check_inside, read_file
from ablate.store.json_files import write_json
from ablate.store.locks import hold_lock
from ablate.store.records import FORMAT, PlannedRun, StudyRecord, parse_confirmation, parse_costs
from ablate.store.run_folder import RunFolder
from ablate.store.schema import ConfirmationShape, CostsShape


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
        """The name of the study, which is the name of its folder."""
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
        """The file with which a first failure ends a study that is to end then: no run starts while it exists."""
        return self.path / ".halt"

    @property
    def no_metric(self) -> Path:
        """The file with which a run that left no metric ends the study: no run starts while it exists."""
        return self.path / ".no-metric"

    @property
    def page(self) -> Path:
        """Where the page is written."""
        return self.path / "report.html"

    @property
    def diagrams(self) -> Path:
        """Where diagrams of the networks are written, one file per cell and format."""
        return self.path / "diagrams"

    @property
    def confirming(self) -> StudyFolder:
        """The folder of the study that confirms this one; it need not exist."""
        return StudyFolder(self.path.resolve().with_name(f"{self.name}-confirm"))

    @property
    def costs(self) -> Path:
        """Where the costs of the networks are written, where they are measured."""
        return self.path / "costs.json"

    @property
    def cache(self) -> Path:
        """The collector's cache, which may be deleted at any time."""
        return self.path / ".cache"

    def run(self, run: PlannedRun) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.path / run.folder, self.path)

    def record(self) -> StudyRecord | None:
        """The contents of ``plan.json``, or None where there is none.

        Raises:
            StoreError: If it cannot be read or is not a plan of this format.
        """
        data = read_file(self.plan)
        return None if data is None else StudyRecord.parse(data, self.plan)

    def existing_record(self) -> StudyRecord:
        """The contents of ``plan.json``; unlike :meth:`record`, a folder without one is an error.

        Raises:
            StoreError: If there is no study in the folder, or its plan cannot be read.
        """
        record = self.record()
        if record is None:
            names = sorted(plan.parent.name for plan in self.path.parent.glob("*/plan.json"))
            hint = f" Studies beside it: {', '.join(names)}." if names else ""
            raise StoreError(f"There is no study in '{self.path}': it has no plan.json.{hint}")
        return record

    def write_record(self, record: StudyRecord) -> None:
        """Write ``plan.json``."""
        make_folder(self.path)
        runs = [vars(run) for run in record.runs]
        write_json(self.plan, {"format": FORMAT, **vars(record), "plan": record.plan.to_dict(), "runs": runs})

    def confirmation(self) -> ConfirmationShape | None:
        """The contents of ``confirmation.json``, or None where the study has not been confirmed.

        Raises:
            StoreError: If the file is there and cannot be read.
        """
        path = self.path / "confirmation.json"
        data = read_file(path)
        return None if data is None else parse_confirmation(data, path)

    def write_confirmation(self, values: Mapping[str, Any]) -> None:
        """Write ``confirmation.json``."""
        write_json(self.path / "confirmation.json", values)

    def lock(self) -> AbstractContextManager[object]:
        """Keep other processes from changing ``plan.json`` for the time of a ``with`` block."""
        make_folder(self.path)
        return hold_lock(self.path / ".lock", wait=True)

    def write_costs(self, cells: Mapping[str, Mapping[str, Any]]) -> None:
        """Write ``costs.json``.

        Args:
            cells: By the cell's name, the costs of its network, or an ``error`` where they could not be measured.
        """
        write_json(self.costs, {"format": FORMAT, "cells": cells})

    def cell_costs(self) -> dict[str, CostsShape]:
        """The costs in ``costs.json`` by the cell's name; empty where there is no such file.

        Raises:
            StoreError: If the file is there and cannot be read.
        """
        data = read_file(self.costs)
        return {} if data is None else parse_costs(data, self.costs)

    def unplanned_runs(self, record: StudyRecord) -> list[str]:
        """Folders of runs that the plan does not have, relative to the study's: its plan may be that of another study.

        Args:
            record: The contents of ``plan.json``.
        """
        planned = {run.folder for run in record.runs}
        folders = (
            f"runs/{cell}/{run}" for cell in _folders(self.path / "runs") for run in _folders(self.path / "runs" / cell)
        )
        return sorted(folder for folder in folders if folder not in planned)

    def check_folders(self, runs: Iterable[PlannedRun] = ()) -> None:
        """Refuse to write through links: to be called before anything is written into the folders of a study.

        Args:
            runs: Runs whose folders are about to be written.

        Raises:
            StoreError: If the folder of tables, figures, diagrams or the cache is a link, or that of a run or a cell.
        """
        for folder in (self.tables, self.figures, self.diagrams, self.cache):
            check_inside(folder, self.path)
        for run in runs:
            check_inside(self.path / run.folder, self.path)


def _folders(path: Path) -> list[str]:
    """The names of the folders in a folder, without hidden ones and links; none where it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return [
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
    except OSError:
        return []
