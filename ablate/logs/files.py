"""The files below an adopted path: which there are, and their contents, read with bounds and never executed."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ablate.logs.plain_values import parse_json, parse_yaml
from ablate.logs.printing import is_one_line, short_line
from ablate.logs.regular_files import UnreadableFile, is_below, kind_of, open_regular_file, read_bytes

_LARGEST_TEXT = 4_000_000  # bytes
_MOST_ENTRIES = 200_000
_DEEPEST = 40
_LONGEST_PATH = 1000  # characters
_MOST_SUMMARIES = 1000

_SKIPPED_FOLDERS = ("wandb", "mlruns", "__pycache__", "node_modules", "site-packages")


class FileNote(NamedTuple):
    """What a user must know of how a file was read.

    Args:
        file: The file or folder, relative to the adopted path.
        reason: A phrase that follows its name.
        changed: Whether all of it was read, but in another way than it is written; if not, something is missing.
    """

    file: str
    reason: str
    changed: bool = False


@dataclass(eq=False)
class SourceFolder:
    """The names of all files below an adopted path, and notes on those that could not be read.

    Args:
        root: The folder; of a single file the one that it is in.
        is_file: Whether a single file was named.
        files: Files relative to the root, hidden ones excepted.
        hydra_runs: Folders with a folder ``.hydra``, in natural order.
        notes: Notes on files, in the order in which they were read.
    """

    root: Path
    is_file: bool = False
    files: list[str] = field(default_factory=list)
    hydra_runs: list[str] = field(default_factory=list)
    notes: list[FileNote] = field(default_factory=list)

    def named(self, *patterns: str) -> list[str]:
        """The files whose names match one of several patterns such as ``*.csv``, in natural order."""
        regex = re.compile("|".join(map(fnmatch.translate, patterns)), re.IGNORECASE)
        return sorted((file for file in self.files if regex.match(file.rpartition("/")[2])), key=natural_order)

    def has(self, file: str) -> bool:
        """Whether there is something of this name."""
        return os.path.lexists(self.root / file)

    def modified(self, file: str) -> float:
        """When a file was last written, in seconds since the epoch; 0 where that is unknown."""
        try:
            return (self.root / file).stat().st_mtime
        except OSError:
            return 0.0

    def open(self, file: str, most: int) -> AbstractContextManager[BinaryIO]:
        """Open a file of at most so many bytes; see :func:`ablate.logs.regular_files.open_regular_file`."""
        return open_regular_file(self.root / file, self.root, most)

    def read_bytes(self, file: str, most: int) -> bytes:
        """The bytes of a file.

        Raises:
            UnreadableFile: If there are more than ``most``, or it cannot be read.
        """
        return read_bytes(self.root / file, self.root, most)

    def read_text(self, file: str, most: int = _LARGEST_TEXT) -> str:
        """The text of a file of at most so many bytes.

        Raises:
            UnreadableFile: If it is larger, is no UTF-8, or cannot be read.
        """
        return decode(self.read_bytes(file, most))

    def read_yaml(self, file: str) -> Any:
        """The plain values of a YAML file: no objects, no interpolation.

        Raises:
            UnreadableFile: If it is not that.
        """
        return parse_yaml(self.read_text(file))

    def read_json(self, file: str) -> Any:
        """The values of a JSON file.

        Raises:
            UnreadableFile: If it is none.
        """
        return parse_json(self.read_text(file))

    @contextmanager
    def noting_faults(self, file: str) -> Iterator[None]:
        """Note a file that turns out to be unreadable, and go on behind the ``with`` block."""
        try:
            yield
        except UnreadableFile as error:
            self.notes.append(FileNote(file, str(error)))


def decode(data: bytes) -> str:
    """A text, without the mark at its beginning that some editors write.

    Raises:
        UnreadableFile: If it is no UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"is no UTF-8 text (byte {error.start})") from error


def list_files(path: Path) -> SourceFolder:
    """The files below a path, by name only.

    Hidden folders are not entered, and neither are links to folders. What is left out although it may hold results is
    noted: links out of the folder, what is no regular file, names that cannot be shown, and all beyond the bounds.
    """
    if path.is_file():
        path = Path(os.path.realpath(path)) if path.is_symlink() else path
        return SourceFolder(path.parent, is_file=True, files=[path.name])
    folder = SourceFolder(path)

    def note_fault(error: OSError) -> None:
        location = os.path.relpath(error.filename, path)
        folder.notes.append(FileNote(short_line(location), error.strerror or str(error)))

    entries = 0
    for directory, names, files in os.walk(path, onerror=note_fault):
        location = os.path.relpath(directory, path)
        prefix = "" if location == "." else f"{location}/"
        entries += len(names) + len(files)
        if entries > _MOST_ENTRIES:
            reason = f"holds more than {_MOST_ENTRIES:,} files and folders; what follows was not read"
            folder.notes.append(FileNote(location, reason))
            break
        folder.hydra_runs += [location] if ".hydra" in names else []
        has_summaries = "wandb" in names and not (path / prefix / "wandb").is_symlink()
        names[:] = [name for name in names if _is_visible(name) and _can_enter(folder, prefix + name)]
        folder.files += [prefix + name for name in files if _is_visible(name) and _can_read(folder, prefix + name)]
        folder.files += _summaries(folder, f"{prefix}wandb") if has_summaries else []
    folder.hydra_runs.sort(key=natural_order)
    return folder


def _summaries(folder: SourceFolder, location: str) -> list[str]:
    """What W&B has written of each run that holds numbers: its log, and the last value of each."""
    files = []
    try:
        with os.scandir(folder.root / location) as entries:
            runs = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        for run in runs[:_MOST_SUMMARIES]:
            names = os.listdir(folder.root / location / run)  # noqa: PTH208, of names alone
            files += [f"{location}/{run}/{name}" for name in sorted(names) if name.endswith(".wandb")]
            files.append(f"{location}/{run}/files/wandb-summary.json")
    except OSError:
        return []
    return [file for file in files if folder.has(file) and _is_visible(file) and _can_read(folder, file)]


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name not in _SKIPPED_FOLDERS


def _can_enter(folder: SourceFolder, location: str) -> bool:
    """Whether a folder is to be looked into; notes why not, unless it is reached by another way."""
    reason = _name_fault(location)
    if location.count("/") >= _DEEPEST or len(location) > _LONGEST_PATH:
        reason = f"lies deeper than {_DEEPEST} folders or {_LONGEST_PATH} characters, and was not looked into"
    elif not reason and (folder.root / location).is_symlink():
        if is_below(os.path.realpath(folder.root / location), folder.root):
            return False
        reason = "is a link out of the folder, which is not followed"
    if reason:
        folder.notes.append(FileNote(short_line(location), reason))
    return not reason


def _can_read(folder: SourceFolder, file: str) -> bool:
    """Whether a file is one, here or where a link within the folder leads to; notes why not."""
    reason = _name_fault(file)
    if not reason:
        path = folder.root / file
        try:
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                if not is_below(os.path.realpath(path), folder.root):
                    reason = "is a link out of the folder, which is not followed"
                mode = path.stat().st_mode
            reason = reason or ("" if stat.S_ISREG(mode) else kind_of(mode))
        except OSError as error:
            reason = reason or ("is a link to nowhere" if path.is_symlink() else error.strerror or str(error))
    if reason:
        folder.notes.append(FileNote(short_line(file), reason))
    return not reason


def _name_fault(location: str) -> str:
    """Why the last name of a path cannot be shown in a table or a terminal; empty if it can."""
    name = location.rpartition("/")[2]
    if not is_one_line(name):
        return "has control characters or bytes that are no UTF-8 in its name; rename it to have it read"
    return ""


def natural_order(text: str) -> tuple[Any, ...]:
    """A key that sorts numbers in names by their size.

    Example:
        >>> sorted(["10/a", "9/a", "lr=0.1"], key=natural_order)
        ['9/a', '10/a', 'lr=0.1']
    """
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)
