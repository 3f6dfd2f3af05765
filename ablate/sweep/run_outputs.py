"""What a run's application has written into the run's folder: its curve, and numbers by file.

It is read once, at the end of the run and in the run's process, by the readers that adopting uses
(:mod:`ablate.logs`), so that a report need not search the folders of all runs. Whatever is wrong with these files costs
nothing but what they hold, and is noted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import AblateError
from ablate.logs.files import FileNote, SourceFolder, list_files
from ablate.logs.regular_files import UnreadableFile
from ablate.logs.run_numbers import NUMBER_FILES, read_run_numbers
from ablate.logs.tensorboard import EVENT_FILES
from ablate.store import RunFolder
from ablate.store.files import read_file
from ablate.store.records import CurvesFile
from ablate.sweep.safe_text import error_line, shortened

if TYPE_CHECKING:
    from ablate.logs.number_table import NumberTable

_CURVES = "curves.csv"
_OWN_FILES = {"status.json", "result.json", _CURVES, "config.json"}
_RERUNS = "reruns/"
_LARGEST_PLAIN = 4_000_000  # bytes
_LARGEST_LOG = 64_000_000  # bytes
_LONGEST_NOTE = 400
_RANDOM_NAME = re.compile(r"(?:offline-)?(run-)(?:\d{8}_\d{6}-\w+|\w+(?=\.wandb))|(?<=tfevents)(\.)[\w.-]*\w")


@dataclass(frozen=True)
class RunOutputs:
    """What was read of the files of a run.

    Args:
        folder: Their names.
        tables: Their numbers by file.
    """

    folder: SourceFolder
    tables: Mapping[str, NumberTable]

    @property
    def notes(self) -> list[str]:
        """What a reader must know of how they were read, a phrase each."""
        return [_note_text(note) for note in self.folder.notes]


def read_outputs(run: RunFolder) -> RunOutputs:
    """Read the numbers in all files that an application has left in the folder of its run."""
    folder = list_files(run.path)
    # A checkpoint that is a link is none of a report's business.
    folder.notes[:] = [note for note in folder.notes if SourceFolder(run.path, files=[note.file]).named(*NUMBER_FILES)]
    names = [file for file in folder.named(*NUMBER_FILES) if file not in _OWN_FILES and not file.startswith(_RERUNS)]
    names += [_CURVES] if folder.has(_CURVES) else []
    events = [file for file in folder.named(EVENT_FILES) if file in names]
    files = [file for file in names if file not in events]
    if not files and not events:
        return RunOutputs(folder, {})
    try:
        tables = read_run_numbers(folder, ".", files, events)
    except (AblateError, UnreadableFile) as error:  # such as a missing package, without which event files stay unread
        folder.notes.append(FileNote("event files of TensorBoard", f"not read: {error}".rstrip(".")))
        tables = read_run_numbers(folder, ".", files)
    return RunOutputs(folder, tables)


def has_curve_to_collect(run: RunFolder) -> bool:
    """Whether the files of a run have to be read for its curve, which loads pandas and so takes longer than short runs.

    A ``curves.csv`` of our own format is the curve, and a single CSV file with a row an epoch and nothing else is read
    as it stands.
    """
    if _is_plain_curve(run.path / _CURVES, run.path):
        return False
    folder = list_files(run.path)
    files = [file for file in folder.named(*NUMBER_FILES) if file not in _OWN_FILES and not file.startswith(_RERUNS)]
    files += [_CURVES] if folder.has(_CURVES) else []
    files = [file for file in files if not file.lower().endswith(".json") or _has_list(folder, file)]
    return bool(files) and not (len(files) == 1 and _is_plain_curve(run.path / files[0], run.path))


def _has_list(folder: SourceFolder, file: str) -> bool:
    try:
        return b"[" in folder.read_bytes(file, _LARGEST_LOG) or b"\n{" in folder.read_bytes(file, _LARGEST_LOG)
    except UnreadableFile:
        return True


def _is_plain_curve(path: Path, root: Path) -> bool:
    if path.suffix != ".csv" or path.parent != root:
        return False
    data = read_file(path, root, strict=False, limit=_LARGEST_PLAIN)
    file = CurvesFile.parse(data or b"")
    epochs = [row.get("epoch", 0.5) for row in file.rows]
    is_whole = all(epoch % 1 == 0 and abs(epoch) < 2**53 for epoch in epochs)
    is_rising = all(before < after for before, after in itertools.pairwise(epochs))
    is_complete = bool(epochs) and len(epochs) == len(file.lines) and file.is_complete
    is_single = len({*file.header, "run"}) == len(file.header) + 1
    return file.header[:1] == ("epoch",) and is_complete and is_whole and is_rising and is_single


def collect_curve(run: RunFolder, outputs: RunOutputs) -> list[str]:
    """Write the curve that the files of a run give, and return what must be known of it, a phrase each.

    Args:
        run: The run.
        outputs: What was read of its files.
    """
    from ablate.logs.curves import joined_curve

    if _is_plain_curve(run.path / _CURVES, run.path) or not (outputs.tables or outputs.notes):
        return []
    curve = joined_curve(outputs.tables)
    rows = [] if curve.frame is None else curve.frame.to_dict("records")
    header = ["epoch"] if curve.frame is None else [str(name) for name in curve.frame.columns]
    filled = [{str(name): value for name, value in row.items() if value == value} for row in rows]
    run.write_collected_curve(filled, header)
    left_out = {file for file, table in outputs.tables.items() if table.kind == "curve" and file not in curve.files}
    notes = [note for note in outputs.folder.notes if not (note.changed and note.file in left_out)]
    return [*curve.notes, *map(_note_text, notes)]


def reading_note(error: Exception) -> str:
    """What is noted where reading the files of a run failed in an unforeseen way."""
    return f"the files of the run could not be read ({error_line(error)})"


def _note_text(note: FileNote) -> str:
    text = f"{note.file}: {note.reason}"
    return shortened(text, _LONGEST_NOTE)


def comparable_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes of a run, each once, and the same for all runs: names of files without times and random ids.

    Example:
        >>> comparable_notes(["acc is that of wandb/offline-run-20260101_101010-ab12cd34/files/wandb-summary.json"])
        ('acc is that of wandb/run-*/files/wandb-summary.json',)
    """
    return tuple(dict.fromkeys(_RANDOM_NAME.sub(lambda match: f"{match[1] or match[2]}*", note) for note in notes))
