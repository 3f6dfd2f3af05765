"""Tables in CSV and text files: their cells, with or without names of columns, and the images that cells name."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import NetworkError
from ablate.keras.data.image_files import ENDINGS, FolderContents, RelativePath

FEW = 200
"""Rows from which it is recognised what a column holds."""
_LARGEST = 500_000_000  # bytes


@dataclass(frozen=True)
class Table:
    """The cells of a table.

    Args:
        name: Of its file, for messages.
        columns: The cells by column, all of one length; without names, columns are called by their numbers from 1.
        has_names: Whether its first row names the columns.
        keys: Columns that several tables were joined by: they number rows, and are no classes.
        notes: How it was put together, a sentence each.
    """

    name: str
    columns: Mapping[str, list[str]]
    has_names: bool
    keys: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The name of its file without the ending."""
        return Path(self.name).stem

    @property
    def rows(self) -> int:
        """How many rows it has, without that of the names."""
        return len(next(iter(self.columns.values()), []))


def read_table(path: Path, finder: ImageFinder, names: Sequence[str | None], key: str) -> Table:
    """Reads a table.

    Args:
        path: The file.
        finder: Finds images, by which a first row that is no header is recognised.
        names: Names of columns that the user gave.
        key: What messages begin with: ``data.labels=labels.csv``.

    Raises:
        NetworkError: It cannot be read.
    """
    rows = _rows(path, key)
    header, rows = _header(rows, finder, names)
    holds_images = any(finder.find(cell) for row in rows[:FEW] for cell in row)
    if header is not None and not holds_images and any(re.fullmatch(r"[\d.]+", cell) for cell in header):
        rows, header = [header, *rows], None  # a table without images, and without names of columns
    width = max((len(row) for row in rows), default=0)
    titles = _unique(header) if header is not None else []
    titles += [str(number) for number in range(len(titles) + 1, width + 1)]
    columns = {name: [row[place] if place < len(row) else "" for row in rows] for place, name in enumerate(titles)}
    return Table(path.name, columns, header is not None)


def _rows(path: Path, key: str) -> list[list[str]]:
    try:
        if path.stat().st_size > _LARGEST:
            raise NetworkError(f"{key}: {path} is larger than {_LARGEST:,} bytes.")
        data = path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{key}: {path} cannot be read ({error.strerror}).") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise NetworkError(f"{key}: {path.name} is no text: a CSV file is needed.")
    lines = text.splitlines()
    delimiter = _delimiter(lines[:FEW])
    try:
        rows = (
            [line.split() for line in lines]
            if delimiter is None
            else [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
        )
    except csv.Error as error:
        raise NetworkError(f"{key}: {path.name} is no table ({error}).") from error
    rows = [row for row in rows if any(row)]
    if not rows:
        raise NetworkError(f"{key}: {path.name} is empty.")
    return rows


def _delimiter(lines: Sequence[str]) -> str | None:
    """What separates the columns: the sign that most lines have equally often; None for spaces."""
    best, most = None, 0
    for sign in (",", "\t", ";", "|"):
        counts = Counter(line.count(sign) for line in lines if line.strip())
        number, lines_with = counts.most_common(1)[0] if counts else (0, 0)
        if number and lines_with > most:
            best, most = sign, lines_with
    return best


def _header(
    rows: list[list[str]], finder: ImageFinder, names: Sequence[str | None]
) -> tuple[list[str] | None, list[list[str]]]:
    """The names of the columns, or None where the first row is one of data, and the rows of data."""
    first = rows[0]
    is_named = any(name is not None and name in first for name in names)
    # The file that a row names may be missing, which must not make the row a header.
    is_data = any(finder.find(cell) is not None or Path(cell).suffix.lower() in ENDINGS for cell in first)
    is_path = len(first) == 1 and "/" in first[0]
    return (None, rows) if not is_named and (is_data or is_path) else (first, rows[1:])


def _unique(names: Sequence[str]) -> list[str]:
    unique: list[str] = []
    for number, name in enumerate(names, 1):
        title = name or str(number)
        unique.append(title if title not in unique else f"{title} ({number})")
    return unique


class ImageFinder:
    """Finds the image file that an entry of a table means."""

    def __init__(self, contents: FolderContents, folder: RelativePath) -> None:
        self._folder, self._root = folder, contents.root.resolve().name
        self._paths = set(contents.images)
        self._by_end: dict[RelativePath, list[RelativePath]] = {}
        for path in contents.images:
            if path[: len(folder)] != folder:
                continue
            bare = (*path[:-1], Path(path[-1]).stem)
            # By every end of the path, so that 'train/cat/1.jpg' and '1.jpg' are found wherever they lie.
            for start in range(len(path)):
                self._by_end.setdefault(path[start:], []).append(path)
                if bare != path:
                    self._by_end.setdefault(bare[start:], []).append(path)

    def find(self, entry: str) -> RelativePath | None:
        """The path of the file; None where there is none, or several fit."""
        parts = tuple(part for part in re.split(r"[\\/]", entry.strip()) if part not in ("", "."))
        if not parts:
            return None
        if (inside := (*self._folder, *parts)) in self._paths:
            return inside
        if parts in self._paths:
            return parts
        matches = self._by_end.get(parts, [])
        if not matches and self._root in parts[:-1]:
            # A path on the machine of whoever wrote the table: what follows the folder of the data set counts.
            after = parts[len(parts) - parts[::-1].index(self._root) :]
            return after if after in self._paths else None
        return matches[0] if len(matches) == 1 else None

    def matches(self, entry: str) -> int:
        """How many files an entry may mean."""
        if self.find(entry) is not None:
            return 1
        parts = tuple(part for part in re.split(r"[\\/]", entry.strip()) if part not in ("", "."))
        return len(self._by_end.get(parts, []))
