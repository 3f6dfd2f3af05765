"""A study as it is on disk at one moment, every file read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablate.errors import StoreError
from ablate.store.confusion_file import CONFUSION_COLUMNS, CONFUSION_FILE, parse_confusion
from ablate.store.curves import Curves, read_curves
from ablate.store.files import check_inside, read_file
from ablate.store.fingerprints import version_column, versions
from ablate.store.records import PlannedRun, Result, Status, StudyRecord
from ablate.store.run_folder import digest
from ablate.store.schema import COSTS, CostsShape
from ablate.store.study_folder import StudyFolder
from ablate.study import level_label

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
        links: Links among these files and folders, relative to the study's folder; none is followed.
        unplanned: Folders of runs that the plan does not have, relative to the study's folder.
    """

    folder: StudyFolder
    record: StudyRecord
    digest: str
    links: tuple[str, ...] = ()
    unplanned: tuple[str, ...] = ()

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The label of each cell by its name."""
        return {cell.name: cell.label for cell in self.record.plan.cells}

    @cached_property
    def _outcomes(self) -> Mapping[PlannedRun, tuple[Status, Result | None]]:
        return {run: self.folder.run(run).outcome() for run in self.record.runs}

    @property
    def statuses(self) -> Mapping[PlannedRun, Status]:
        """The status of each planned run, see :meth:`ablate.store.RunFolder.outcome`."""
        return {run: status for run, (status, _) in self._outcomes.items()}

    @cached_property
    def fingerprints(self) -> Mapping[PlannedRun, Mapping[str, str]]:
        """What finished runs were made with, see :mod:`ablate.store.fingerprints`."""
        return {run: result.fingerprints for run, (_, result) in self._outcomes.items() if result is not None}

    @cached_property
    def run_notes(self) -> Mapping[PlannedRun, tuple[str, ...]]:
        """What must be known of how the files of finished runs were read, see :attr:`ablate.store.Result.notes`."""
        return {run: result.notes for run, (_, result) in self._outcomes.items() if result is not None and result.notes}

    @cached_property
    def runs(self) -> pd.DataFrame:
        """All planned runs.

        One row per run, in the order of the plan: ``study``, ``cell`` (its label), one column per factor, ``seed``,
        ``state``, ``reason``, then metrics, timings (``seconds...``) and versions: of libraries by their names, of what
        has fingerprints as ``<thing> version``. A factor that is called like a fixed
        column becomes ``factor.<name>``. A metric that is called like a fixed column, a factor or a version becomes
        ``metric.<name>``, unless it only repeats the level of the factor in each run.
        """
        cells = {cell.name: cell for cell in self.record.plan.cells}
        factor_columns = {
            factor.name: f"factor.{factor.name}" if factor.name in _RUN_KEYS else factor.name
            for factor in self.record.plan.factors
        }
        results = [(run, result) for run, (_, result) in self._outcomes.items() if result is not None]
        labels = versions(self.fingerprints)
        things = dict.fromkeys(thing for by_thing in labels.values() for thing in by_thing)
        names = dict.fromkeys(name for _, result in results for name in result.versions)
        names |= dict.fromkeys(map(version_column, things))
        version_columns = {name: f"version.{name}" if name in (*_RUN_KEYS, *factor_columns) else name for name in names}
        repeated = {
            name
            for name in factor_columns
            if all(_is_level(result.metrics.get(name), cells[run.cell].levels[name]) for run, result in results)
        }
        reserved = {*_RUN_KEYS, *factor_columns, *names}
        study = self.folder.name
        rows = []
        numbers: dict[str, None] = {}  # columns of metrics and timings, in order of appearance
        for run, (status, result) in self._outcomes.items():
            cell = cells[run.cell]
            row: dict[str, Any] = {factor_columns[name]: level for name, level in cell.levels.items()}
            row |= {"study": study, "cell": cell.label, "seed": run.seed}
            row |= {"state": status.state, "reason": status.reason}
            if result is not None:
                own = {**result.versions, **{version_column(thing): label for thing, label in labels[run].items()}}
                row |= {version_columns[name]: version for name, version in own.items()}
                for name, value in result.metrics.items():
                    if name not in repeated:
                        column = f"metric.{name}" if name in reserved else name
                        numbers[column] = None
                        row[column] = value
            rows.append(row)
        columns = ["study", "cell", *factor_columns.values(), "seed", "state", "reason"]
        numbers_then_timings = sorted(numbers, key=lambda name: name.startswith("seconds"))
        columns += [name for name in [*numbers_then_timings, *version_columns.values()]]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def _curves(self) -> Curves:
        folders = [self.folder.run(run) for run in self.record.runs]
        return read_curves(folders, [None if result is None else result.files for _, result in self._outcomes.values()])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The curves of all runs.

        One row per run and epoch: ``study``, ``cell`` (its label), ``seed``, ``epoch``, then the columns that the runs
        wrote.
        """
        table = self._curves.table
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

    @cached_property
    def confusions(self) -> pd.DataFrame:
        """How often finished runs took images of each class for which.

        One row for each run and pair of classes: ``cell`` (its label), ``seed``, ``class``, ``predicted``, ``images``.
        A file that is not what it was when its run finished counts as none.
        """
        rows = []
        for run, (_, result) in self._outcomes.items():
            if result is None or CONFUSION_FILE not in result.files:
                continue
            folder = self.folder.run(run)
            data = read_file(folder.path / CONFUSION_FILE, folder.root, strict=False)
            if data is None or digest(data) != result.files[CONFUSION_FILE]:
                continue
            rows += [(self.labels[run.cell], run.seed, *row) for row in parse_confusion(data)]
        return pd.DataFrame(rows, columns=["cell", "seed", *CONFUSION_COLUMNS])

    @property
    def missing_curves(self) -> Mapping[PlannedRun, str]:
        """The runs that have files but no curve, each with the name of a file and what is wrong with it."""
        return {self.record.runs[position]: text for position, text in sorted(self._curves.missing.items())}

    @property
    def changed_curves(self) -> Mapping[PlannedRun, str]:
        """The runs whose curves were read in another way than they stand there: the file's name, and what it has."""
        return {self.record.runs[position]: text for position, text in sorted(self._curves.changes.items())}

    @cached_property
    def _costs(self) -> tuple[Mapping[str, CostsShape], str]:
        try:
            return self.folder.cell_costs(), ""
        except StoreError as error:
            return {}, str(error)

    @property
    def costs_fault(self) -> str:
        """Why the costs of the networks cannot be read, in a sentence; empty where they can, or there are none."""
        return self._costs[1]

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What the networks of the cells cost.

        One row per measured cell, in the order of the plan: ``cell`` (its label), `COSTS`, ``batch``, and for each
        of `COSTS` a column ``<name>_ratio`` to the reference cell; NaN where a number could not be measured.
        """
        costs, _ = self._costs
        rows = [
            {**costs[name], "cell": label}
            for name, label in self.labels.items()
            if name in costs and "error" not in costs[name]
        ]
        return pd.DataFrame(rows, columns=["cell", *COSTS, "batch", *(f"{name}_ratio" for name in COSTS)])


def _is_level(value: float | None, level: str) -> bool:
    return value is None or level in (level_label(value), level_label(float(value)))


def read_snapshot(folder: StudyFolder) -> Snapshot:
    """Take a snapshot of a study as it is on disk now, be it running, finished or partly failed.

    Args:
        folder: The study's folder.

    Raises:
        StoreError: If there is no study in the folder, or its plan cannot be read.
    """
    links: list[str] = []
    files = [folder.name, *_file_versions(folder.path, "", ("plan.json", "confirmation.json", "costs.json"), links)]
    files += _file_versions(folder.path, folder.diagrams.name, (".svg",), links)
    record = folder.existing_record()
    for run in record.runs:
        files += [run.id, *_file_versions(folder.path, run.folder, (".json", ".csv"), links)]
    unplanned = folder.unplanned_runs(record)
    digest = hashlib.sha256("\n".join([*files, *links, *unplanned]).encode(errors="surrogateescape"))
    return Snapshot(folder, record, digest.hexdigest(), tuple(links), tuple(unplanned))


def _file_versions(root: Path, folder: str, endings: tuple[str, ...], links: list[str]) -> Iterator[str]:
    """The files of a folder with these endings, each with time, size and inode: one changes with every atomic write.

    Args:
        root: The study's folder.
        folder: The folder, relative to it.
        endings: How the names of the files end.
        links: Takes the links that are found: the folder itself or one above it, or files in it.
    """
    try:
        check_inside(root / folder, root)
    except StoreError:
        links.append(folder)
        return
    try:
        with os.scandir(root / folder) as entries:
            matching = sorted((entry.name, entry) for entry in entries if entry.name.endswith(endings))
            links += [str(Path(folder, name)) for name, entry in matching if entry.is_symlink()]
            versions = [(name, entry.stat(follow_symlinks=False)) for name, entry in matching]
    except OSError:
        return
    for name, stat in versions:
        yield f"{name} {stat.st_mtime_ns} {stat.st_size} {stat.st_ino}"
