"""A study as it is on disk at one moment, every file read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ablate.errors import StoreError
from ablate.store.curves import read_curves
from ablate.store.records import FAILED, FINISHED, UNREADABLE, PlannedRun, Result, Status, StudyRecord
from ablate.store.study_folder import StudyFolder

COSTS = ("weights", "flops", "activations", "latency", "step")
"""The measures of a network: the number of its weights; operations and activations for one image; seconds of a forward
pass and of a training step."""

_RUN_KEYS = ("study", "cell", "seed", "state", "reason")
_CURVE_KEYS = ("study", "cell", "seed", "epoch")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A study as it is on disk.

    The plan is read at once, everything else when it is first used, and no file twice: a command takes one snapshot and
    passes it on.

    Args:
        folder: The study's folder.
        record: What its ``plan.json`` says.
        digest: Hash of names, times and sizes of all files that results come from; those of a file were taken before it
            was read.
    """

    folder: StudyFolder
    record: StudyRecord
    digest: str

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The label of each cell by its name."""
        return {cell.name: cell.label for cell in self.record.plan.cells}

    @cached_property
    def _outcomes(self) -> Mapping[PlannedRun, tuple[Status, Result | None]]:
        return {run: self._outcome(run) for run in self.record.runs}

    def _outcome(self, run: PlannedRun) -> tuple[Status, Result | None]:
        folder = self.folder.run(run)
        status = folder.settled_status()
        try:
            return status, folder.result() if status.state == FINISHED else None
        except StoreError:
            # One damaged file must not hide the results of all other runs.
            return replace(status, state=FAILED, reason=UNREADABLE, error="result.json is damaged."), None

    @property
    def statuses(self) -> Mapping[PlannedRun, Status]:
        """The settled status of each planned run; a finished run whose result cannot be read counts as failed."""
        return {run: status for run, (status, _) in self._outcomes.items()}

    @cached_property
    def runs(self) -> pd.DataFrame:
        """All planned runs.

        One row per run, in the order of the plan: ``study``, ``cell`` (its label), one column per factor, ``seed``,
        ``state``, ``reason``, then metrics, timings (``seconds...``) and versions. A factor or metric that is called
        like one of the fixed columns becomes ``factor.<name>`` or ``metric.<name>``.
        """
        cells = {cell.name: cell for cell in self.record.plan.cells}
        factor_columns = {
            factor.name: f"factor.{factor.name}" if factor.name in _RUN_KEYS else factor.name
            for factor in self.record.plan.factors
        }
        study = self.folder.name
        rows = []
        numbers: dict[str, None] = {}  # columns of metrics and timings, in order of appearance
        versions: dict[str, None] = {}  # columns of versions, likewise
        for run, (status, result) in self._outcomes.items():
            cell = cells[run.cell]
            row: dict[str, Any] = {factor_columns[name]: level for name, level in cell.levels.items()}
            row |= {"study": study, "cell": cell.label, "seed": run.seed}
            row |= {"state": status.state, "reason": status.reason}
            if result is not None:
                for name, value in result.metrics.items():
                    if name in factor_columns:
                        continue  # the task returned one of its settings among its metrics
                    column = f"metric.{name}" if name in _RUN_KEYS else name
                    numbers[column] = None
                    row[column] = value
                versions |= dict.fromkeys(result.versions)
                row |= {name: version for name, version in result.versions.items() if name not in row}
            rows.append(row)
        columns = ["study", "cell", *factor_columns.values(), "seed", "state", "reason"]
        numbers_then_timings = sorted(numbers, key=lambda name: name.startswith("seconds"))
        columns += [name for name in dict.fromkeys([*numbers_then_timings, *versions]) if name not in columns]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def _curves(self) -> tuple[pd.DataFrame, dict[int, str]]:
        return read_curves([self.folder.run(run).path for run in self.record.runs])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The curves of all runs.

        One row per run and epoch: ``study``, ``cell`` (its label), ``seed``, ``epoch``, then the columns that the runs
        wrote.
        """
        table = self._curves[0]
        runs = self.record.runs
        # With the dtype object, a million short texts are indexed and compared several times as fast as with str.
        cells = np.array([self.labels[run.cell] for run in runs], dtype=object)
        positions = table["run"].to_numpy()
        keys = {
            "study": pd.Series(self.folder.name, index=table.index, dtype=object),
            "cell": pd.Series(cells[positions], index=table.index, dtype=object),
            "seed": np.array([run.seed for run in runs], dtype=int)[positions],
            "epoch": table["epoch"],
        }
        values = {name: table[name] for name in table.columns if name not in ("run", *_CURVE_KEYS)}
        return pd.DataFrame({**keys, **values})

    @property
    def curve_faults(self) -> Mapping[PlannedRun, str]:
        """The runs whose ``curves.csv`` gives no curve, each with the reason as the end of a sentence."""
        return {self.record.runs[position]: fault for position, fault in sorted(self._curves[1].items())}

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What the networks of the cells cost.

        One row per measured cell, in the order of the plan: ``cell`` (its label), `COSTS`, ``batch``, and for each
        of `COSTS` a column ``<name>_ratio`` to the reference cell; NaN where a number could not be measured.
        """
        costs = self.folder.cell_costs()
        rows = [
            {**costs[name], "cell": label}
            for name, label in self.labels.items()
            if name in costs and "error" not in costs[name]
        ]
        return pd.DataFrame(rows, columns=["cell", *COSTS, "batch", *(f"{name}_ratio" for name in COSTS)])


def read_snapshot(folder: StudyFolder) -> Snapshot:
    """Take a snapshot of a study as it is on disk now, be it running, finished or partly failed.

    Args:
        folder: The study's folder.

    Raises:
        StoreError: If there is no study in the folder, or its plan cannot be read.
    """
    root = str(folder.path)
    files = [folder.name, *_file_versions(root, ("plan.json", "confirmation.json", "costs.json"))]
    files += _file_versions(str(folder.diagrams), (".svg",))
    record = folder.existing_record()
    for run in record.runs:
        files += [run.id, *_file_versions(f"{root}/{run.folder}", (".json", ".csv"))]
    digest = hashlib.sha256("\n".join(files).encode(errors="surrogateescape"))
    return Snapshot(folder, record, digest.hexdigest())


def _file_versions(folder: str, endings: tuple[str, ...]) -> Iterator[str]:
    """The files of a folder with these endings, each with time, size and inode: one changes with every atomic write."""
    try:
        with os.scandir(folder) as entries:
            files = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(endings))
    except OSError:
        return
    for name, stat in files:
        yield f"{name} {stat.st_mtime_ns} {stat.st_size} {stat.st_ino}"
