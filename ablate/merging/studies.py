"""The studies that are merged or compared, each read once, and their run folders copied from one to another."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ablate.errors import StoreError
from ablate.store import FINISHED, PlannedRun, RunFolder, Status, StudyFolder, write_bytes
from ablate.store.records import StudyRecord

StudyPath = str | Path | StudyFolder
"""What names a study: its folder."""

_RESULT_FILES = (".json", ".csv")


@dataclass(frozen=True, eq=False)
class StudySource:
    """A study that is merged or compared; nothing of it is read twice.

    Args:
        folder: Its folder.
        record: What its ``plan.json`` says.
    """

    folder: StudyFolder
    record: StudyRecord

    @cached_property
    def statuses(self) -> Mapping[PlannedRun, Status]:
        """The settled status of each planned run."""
        return {run: self.folder.run(run).settled_status() for run in self.record.runs}

    @cached_property
    def metrics(self) -> Mapping[PlannedRun, Mapping[str, float]]:
        """The metrics of each finished run.

        Raises:
            StoreError: If a result cannot be read.
        """
        finished = [run for run, status in self.statuses.items() if status.state == FINISHED]
        results = {run: self.folder.run(run).result() for run in finished}
        return {run: result.metrics for run, result in results.items() if result is not None}


Studies = Mapping[str, StudySource]
"""Studies by the names that tell them apart."""


def read_studies(folders: Iterable[StudyFolder], known: Iterable[StudySource] = ()) -> Studies:
    """Studies by name: the names of their folders, and as many of the names above as it takes to tell them apart.

    Args:
        folders: Folders of studies that are to be read.
        known: Studies that have been read already; they come last.

    Raises:
        StoreError: If there is no study in a folder, or a folder is named twice.
    """
    studies = [*(StudySource(folder, folder.existing_record()) for folder in folders), *known]
    paths = [study.folder.path for study in studies]
    parts = [[part for part in path.resolve().parts if part != "/"] for path in paths]
    for count in range(1, max(map(len, parts), default=0) + 1):
        names = ["-".join(names[-count:]) for names in parts]
        if len(set(names)) == len(names):
            return dict(zip(names, studies, strict=True))
    if not studies:
        raise StoreError("Name at least one study.")
    raise StoreError(f"The same folder stands twice: {', '.join(map(str, paths))}.")


def as_folder(path: StudyPath) -> StudyFolder:
    """The folder of a study that is named by its path or is one already."""
    return path if isinstance(path, StudyFolder) else StudyFolder(Path(path))


def same_folder(folder: StudyFolder, others: Sequence[StudyFolder]) -> bool:
    """Whether a folder is one of several, however their paths are written."""
    return folder.path.resolve() in {other.path.resolve() for other in others}


def copy_run(source: RunFolder, target: RunFolder) -> None:
    """Copy all of a run, and put it in place whole or not at all.

    Args:
        source: The run; no process may be at work on it.
        target: Where it goes; what is there is replaced.

    Raises:
        StoreError: If a file cannot be read or written.
    """
    path = target.path
    temporary, replaced = (path.with_name(f".{path.name}.{suffix}") for suffix in ("half", "old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for rest in (temporary, replaced):
            shutil.rmtree(rest, ignore_errors=True)
        shutil.copytree(source.path, temporary, ignore=shutil.ignore_patterns(".lock", "*.tmp"), symlinks=True)
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
        shutil.rmtree(replaced, ignore_errors=True)
    except (OSError, shutil.Error) as error:
        raise StoreError(f"Cannot copy '{source.path}' to '{path}': {error}.") from error


def copy_result(source: RunFolder, target: RunFolder) -> None:
    """Copy a run's status, numbers and curves; a file that is the same already stays as it is."""
    try:
        files = sorted(path for path in source.path.iterdir() if path.suffix in _RESULT_FILES and path.is_file())
    except OSError:
        return  # a run that has not begun has no folder
    for path in files:
        copy = target.path / path.name
        content = path.read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            write_bytes(copy, content)
