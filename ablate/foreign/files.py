"""Reading foreign files without trusting them: bounded, never executed, and a reason for all that cannot be read."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_LARGEST_TEXT = 4_000_000  # bytes
_MOST_ALIASES = 100

_SKIPPED_FOLDERS = ("wandb", "mlruns", "__pycache__", "node_modules", "site-packages")


class UnreadableFile(Exception):
    """A file that cannot be read; its text is the reason, made to follow the file's name."""


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

    def modified(self, file: str) -> float:
        """When a file was last written, in seconds since the epoch; 0 where that is unknown."""
        try:
            return (self.root / file).stat().st_mtime
        except OSError:
            return 0.0

    @contextmanager
    def noting_faults(self, file: str) -> Iterator[None]:
        """Note a file that turns out to be unreadable, and go on behind the ``with`` block."""
        try:
            yield
        except UnreadableFile as error:
            self.notes.append(FileNote(file, str(error)))


def list_files(path: Path) -> SourceFolder:
    """The files below a path, by name only; links to folders and hidden folders are not followed."""
    if path.is_file():
        return SourceFolder(path.parent, is_file=True, files=[path.name])
    folder = SourceFolder(path)

    def note_fault(error: OSError) -> None:
        folder.notes.append(FileNote(os.path.relpath(error.filename, path), error.strerror or str(error)))

    for directory, names, files in os.walk(path, onerror=note_fault):
        location = os.path.relpath(directory, path)
        prefix = "" if location == "." else f"{location}/"
        folder.files += [prefix + name for name in files if not name.startswith(".")]
        folder.hydra_runs += [location] if ".hydra" in names else []
        names[:] = [name for name in names if not name.startswith(".") and name not in _SKIPPED_FOLDERS]
    folder.hydra_runs.sort(key=natural_order)
    return folder


def natural_order(text: str) -> tuple[Any, ...]:
    """A key that sorts numbers in names by their size.

    Example:
        >>> sorted(["10/a", "9/a", "lr=0.1"], key=natural_order)
        ['9/a', '10/a', 'lr=0.1']
    """
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def read_text(path: Path, most: int = _LARGEST_TEXT) -> str:
    """The text of a file of at most so many bytes.

    Raises:
        UnreadableFile: If it is larger, is no UTF-8, or the system does not let it be read.
    """
    try:
        size = path.stat().st_size
        if size > most:
            raise UnreadableFile(f"has {size / 1e6:,.0f} MB; files of this kind are read up to {most / 1e6:,.0f} MB")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"is no UTF-8 text (byte {error.start})") from error


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values only; numbers such as 1e-3 as Hydra reads them."""


# YAML 1.1 takes 1e-3 for a text; without this, one learning rate would have two levels.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*(?:[eE][-+]?\d+)|\.\d[\d_]*(?:[eE][-+]?\d+)?)$"),
    list("-+0123456789."),
)


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file: no objects, no interpolation.

    Raises:
        UnreadableFile: If it is not that.
    """
    text = read_text(path)
    try:
        if "&" in text and "*" in text:
            # Aliases of aliases can stand for more values than fit into memory.
            aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader))
            if aliases > _MOST_ALIASES:
                raise UnreadableFile(f"has {aliases} aliases; at most {_MOST_ALIASES} are read")
        return yaml.load(text, Loader=_Loader)  # a subclass of the safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise UnreadableFile(f"is no plain YAML{where}: {getattr(error, 'problem', None) or error}") from error


def read_json(path: Path) -> Any:
    """The values of a JSON file.

    Raises:
        UnreadableFile: If it is none.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"is no JSON: {error}") from error
