"""Logs of Keras' CSVLogger and the like: a CSV file a run, whose name says what the run is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.foreign.reader import ForeignRuns, Reader
from ablate.foreign.run_names import runs_by_name
from ablate.logs.files import SourceFolder
from ablate.logs.number_table import NumberTable
from ablate.logs.number_tables import read_log

if TYPE_CHECKING:
    from ablate.foreign.request import AdoptSettings


def _read(folder: SourceFolder, settings: AdoptSettings) -> ForeignRuns:
    """A run a CSV file; where several folders hold a file of one name, a run a folder."""
    files = folder.named("*.csv", "*.tsv")
    counts = Counter(Path(file).name for file in files)
    files_by_run: dict[str, list[str]] = {}
    for file in files:
        path = Path(file)
        files_by_run.setdefault(str(path.parent) if counts[path.name] > 1 else file, []).append(file)
    tables: dict[str, dict[str, NumberTable]] = {}
    for run, logs in files_by_run.items():
        tables[run] = {}
        for file in logs:
            name = Path(file).name
            if (table := read_log(folder, file)) is not None:
                tables[run][name if len(logs) > 1 or counts[name] > 1 else "log"] = table
    return runs_by_name(folder, files_by_run, tables, settings)


CSV_LOGGER = Reader(
    "csv_logger",
    "CSV logs of Keras' CSVLogger and the like, a file a run",
    lambda folder: bool(folder.named("*.csv", "*.tsv")),
    _read,
)
