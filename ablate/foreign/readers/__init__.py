"""The formats of results that can be adopted: a file a format, and one line here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import StoreError
from ablate.foreign.reader import ForeignRuns, Reader
from ablate.foreign.readers.csv_logger import CSV_LOGGER
from ablate.foreign.readers.hydra import HYDRA
from ablate.foreign.readers.table import TABLE
from ablate.foreign.readers.tensorboard import TENSORBOARD
from ablate.logs.files import list_files

if TYPE_CHECKING:
    from ablate.foreign.request import AdoptSettings

__all__ = ["READERS", "read_runs"]

READERS: dict[str, Reader] = {reader.name: reader for reader in (HYDRA, TENSORBOARD, TABLE, CSV_LOGGER)}
"""All readers by name; the first that recognises a path reads it."""


def read_runs(path: Path, settings: AdoptSettings) -> ForeignRuns:
    """All runs at a path, by the reader that was named or else by the first that recognises it.

    Args:
        path: A folder or a file; nothing in it is changed.
        settings: How to read it.

    Raises:
        StoreError: If there are no runs, or they cannot be read.
    """
    if (path / "plan.json").is_file():
        raise StoreError(f"'{path}' is a study of ablate already: ablate report {path}")
    folder = list_files(path)
    reader = next((reader for reader in READERS.values() if reader.recognises(folder)), None)
    if settings.source is not None:
        reader = READERS[settings.source]
    result = reader.read(folder, settings) if reader is not None else ForeignRuns(())
    if reader is None or not result.runs:
        formats = "; ".join(f"{each.name} ({each.description})" for each in READERS.values())
        unreadable = "".join(f" {note.file}: {note.reason}." for note in folder.notes[:5])
        kind = f" of {settings.source}" if settings.source else ""
        raise StoreError(f"There are no results{kind} to adopt in '{path}'. Formats: {formats}.{unreadable}")
    return replace(result, source=reader.name, file_notes=tuple(folder.notes))
