"""All numbers that one run has left in its folder, whatever wrote them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from ablate.logs.files import FileNote, SourceFolder, natural_order
from ablate.logs.json_numbers import JSON_FILES, read_json_numbers
from ablate.logs.number_table import NumberTable
from ablate.logs.number_tables import read_log
from ablate.logs.tensorboard import EVENT_FILES, read_events
from ablate.logs.wandb_log import WANDB_FILES, read_wandb_log

TABLE_FILES = ("*.csv", "*.tsv")
"""What the names of tables look like."""

NUMBER_FILES = (*TABLE_FILES, *JSON_FILES, WANDB_FILES, EVENT_FILES)
"""What the names of all files look like that may hold the numbers of a run."""


# The folders in which Lightning's loggers and W&B put what belongs to one start of a training.
_VERSION = re.compile(r"version_\d+(?=/)|(?:offline-)?run-\d{8}_\d{6}-\w+(?=/)|run-\w+(?=\.wandb$)")


def read_run_numbers(
    folder: SourceFolder, location: str, files: Sequence[str], events: Sequence[str] = ()
) -> dict[str, NumberTable]:
    """The numbers of a run by file name, relative to the run's folder.

    Args:
        folder: The folder that holds the run; notes on its files are left there.
        location: The run's folder, relative to it; ``.`` for the folder itself.
        files: The CSV, JSON and W&B files of the run, relative to ``folder``.
        events: Its event files of TensorBoard, which are read only where no other file has a curve.
    """
    tables = {}
    for file in _latest_versions(folder, files):
        ending = file.lower().rpartition(".")[2]
        read = {"csv": read_log, "tsv": read_log, "wandb": read_wandb_log}.get(ending, read_json_numbers)
        if (table := read(folder, file)) is not None:
            tables[_relative(file, location)] = table
    if events and not any(table.kind == "curve" for table in tables.values()):
        tables |= read_events(folder, location, events)
    return tables


def _relative(file: str, location: str) -> str:
    return file if location == "." else str(PurePosixPath(file).relative_to(location))


def _latest_versions(folder: SourceFolder, files: Sequence[str]) -> list[str]:
    """The files in natural order, of several that a logger has numbered the latest; the others are noted."""
    latest: dict[str, str] = {}
    for file in sorted(files, key=natural_order):
        key = _VERSION.sub("version", file)
        if (earlier := latest.get(key)) is not None:
            folder.notes.append(FileNote(earlier, f"is of an earlier start than '{file}', and left out"))
        latest[key] = file
    return list(latest.values())
