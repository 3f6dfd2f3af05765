"""Event files of TensorBoard, a folder a run, whose name says what the run is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ablate.foreign.reader import ForeignRuns, Reader
from ablate.foreign.run_names import runs_by_name
from ablate.logs.files import SourceFolder
from ablate.logs.tensorboard import EVENT_FILES, PREFIXES, read_events

if TYPE_CHECKING:
    from ablate.foreign.request import AdoptSettings


def _read(folder: SourceFolder, settings: AdoptSettings) -> ForeignRuns:
    """A run a folder with event files; Keras' folders ``train`` and ``validation`` belong to the one above them."""
    files_by_run: dict[str, list[str]] = {}
    for file in folder.named(EVENT_FILES):
        parent = Path(file).parent
        run = parent.parent if parent.name in PREFIXES else parent
        files_by_run.setdefault(str(run), []).append(file)
    tables = {run: read_events(folder, run, files) for run, files in files_by_run.items()}
    return runs_by_name(folder, files_by_run, tables, settings)


TENSORBOARD = Reader(
    "tensorboard",
    "event files of TensorBoard, a folder a run",
    lambda folder: bool(folder.named(EVENT_FILES)),
    _read,
)
