"""A table that gives the class of each image file: a CSV or a text file with or without a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import NetworkError, suggestion
from ablate.formatting import listing
from ablate.keras.data.image_files import LISTED, FolderContents, RelativePath
from ablate.keras.data.part_names import part_of_value

_LABEL_NAMES = ("label", "class", "class_name", "classname", "category", "target", "species", "breed", "diagnosis", "y")
_PART_NAMES = ("split", "set", "subset", "part", "partition", "phase", "usage", "dataset", "data_set")
_FEW = 200
"""Rows from which the column of the images is recognised."""
_LARGEST = 500_000_000  # bytes


@dataclass(frozen=True)
class ColumnChoice:
    """The columns that the user names; None are found.

    Args:
        image: Of the file's name or path.
        label: Of the class.
        part: Of the part, ``train`` or ``test``.
    """

    image: str | None = None
    label: str | None = None
    part: str | None = None


@dataclass(frozen=True)
class TableLabels:
    """What a table says about image files.

    Args:
        labels: The class by path.
        parts: The part by path; empty where the table has none.
        note: Which columns were read, as a sentence.
    """

    labels: Mapping[RelativePath, str]
    parts: Mapping[RelativePath, str]
    note: str


def read_label_table(
    path: Path, contents: FolderContents, folder: RelativePath, choice: ColumnChoice, key: str
) -> TableLabels:
    """Reads a table of labels.

    Args:
        path: The file.
        contents: The files of the data set.
        folder: Where the images that it names are looked for first, below the root.
        choice: The columns that the user names.
        key: What messages begin with: ``data.labels=labels.csv``.

    Raises:
        NetworkError: It cannot be read, its columns are not clear, or an image has two labels or does not exist.
    """
    rows = _rows(path, key)
    finder = _ImageFinder(contents, folder)
    header, rows = _header(rows, finder, choice)
    columns = {name: [row[place] if place < len(row) else "" for row in rows] for place, name in enumerate(header)}
    named = {"image_column": choice.image, "label_column": choice.label, "part_column": choice.part}
    if choice.image is not None and choice.image == choice.label:
        raise NetworkError(
            f"data.image_column={choice.image} and data.label_column={choice.label} are the same column."
        )
    faults = [
        f"data.{name}={column}: '{path.name}' has the columns {listing(header, 20)}.{suggestion(column, header)}"
        for name, column in named.items()
        if column is not None and column not in columns
    ]
    if faults:
        raise NetworkError("\n".join(faults))
    others = {name: cells for name, cells in columns.items() if name not in (choice.label, choice.part)}
    image = choice.image or _image_column(key, others, finder)
    part = choice.part or _part_column(columns, image)
    texts, label = _labels(key, columns, image, part, choice.label)
    labels, parts = _by_file(key, columns, image, part, texts, finder)
    note = (
        f"Labels come from {path.name}: column '{image}' names the images, {label} the classes"
        + (f", '{part}' the parts" if part else "")
        + "; data.image_column, data.label_column and data.part_column choose others."
    )
    return TableLabels(labels, parts, note)


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
    delimiter = _delimiter(lines[:_FEW])
    try:
        rows = (
            [line.split() for line in lines]
            if delimiter is None
            else [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
        )
    except csv.Error as error:
        raise NetworkError(f"{key}: {path.name} is no table ({error}).") from error
    rows = [row for row in rows if any(row)]
    if not rows or max(map(len, rows)) < 2:
        raise NetworkError(f"{key}: {path.name} has no two columns; a name of an image and its class are needed.")
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


class _ImageFinder:
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


def _header(rows: list[list[str]], finder: _ImageFinder, choice: ColumnChoice) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the rows below; columns without names are called by their numbers from 1."""
    first = rows[0]
    is_named = any(name is not None and name in first for name in (choice.image, choice.label, choice.part))
    if not is_named and any(finder.find(cell) is not None for cell in first):
        return [str(number) for number in range(1, max(map(len, rows)) + 1)], rows
    names: list[str] = []
    for number, name in enumerate(first, 1):
        unique = name or str(number)
        names.append(unique if unique not in names else f"{unique} ({number})")
    return names, rows[1:]


def _image_column(key: str, columns: Mapping[str, list[str]], finder: _ImageFinder) -> str:
    shares = {
        name: sum(finder.find(cell) is not None for cell in cells[:_FEW]) / max(1, len(cells[:_FEW]))
        for name, cells in columns.items()
    }
    # Numbers of classes may be names of files as well; those of images differ from row to row.
    best = max(shares, key=lambda name: (round(shares[name], 1), len(set(columns[name]))))
    if shares[best] > 0:
        return best
    examples = [f"{name} ({cells[0] if cells else 'empty'})" for name, cells in columns.items()]
    raise NetworkError(
        f"{key}: no column names image files of the data set; its columns begin with {listing(examples, 20)}. "
        "Name the column with data.image_column, or correct data.path."
    )


def _part_column(columns: Mapping[str, list[str]], image: str) -> str | None:
    for name, cells in columns.items():
        if name != image and name.lower() in _PART_NAMES and all(part_of_value(cell) for cell in cells):
            return name
    return None


def _labels(
    key: str, columns: Mapping[str, list[str]], image: str, part: str | None, chosen: str | None
) -> tuple[list[str], str]:
    """The class of each row, and what to call its columns."""
    rest = {name: cells for name, cells in columns.items() if name not in (image, part)}
    if chosen is None and len(rest) > 1 and not any(name.lower() in _LABEL_NAMES for name in rest):
        flags = {name: [_is_set(cell) for cell in cells] for name, cells in rest.items()}
        if not any(None in values for values in flags.values()):
            return _one_hot(key, flags), f"{len(flags)} columns of 0 and 1"
    label = chosen or _label_column(key, rest)
    cells = rest[label]
    empty = [number for number, cell in enumerate(cells, 1) if not cell]
    if empty:
        raise NetworkError(f"{key}: {len(empty)} rows have no '{label}': {listing(empty, LISTED)}.")
    different = len(set(cells))
    if different > max(2, len(cells) / 2):
        raise NetworkError(
            f"{key}: column '{label}' has {different} different values in {len(cells)} rows, which are no classes. "
            f"Name the column of the classes with data.label_column; there are {listing(rest, 20)}."
        )
    return cells, f"'{label}'"


def _is_set(cell: str) -> bool | None:
    return {"0": False, "0.0": False, "1": True, "1.0": True}.get(cell)


def _one_hot(key: str, flags: Mapping[str, list[bool | None]]) -> list[str]:
    names, texts = list(flags), []
    several = none = 0
    for row in zip(*flags.values(), strict=True):
        on = [name for name, value in zip(names, row, strict=True) if value]
        several, none = several + (len(on) > 1), none + (not on)
        texts.append(on[0] if on else "")
    if several or none:
        raise NetworkError(
            f"{key}: {several} rows have several classes and {none} have none, by the columns {listing(names, 20)}; "
            "an image has one class here. Name a column with data.label_column to classify by that one alone."
        )
    return texts


def _label_column(key: str, rest: Mapping[str, list[str]]) -> str:
    usual = sorted(
        (name for name in rest if name.lower() in _LABEL_NAMES), key=lambda name: _LABEL_NAMES.index(name.lower())
    )
    candidates = usual or list(rest)
    if len(candidates) > 1 and usual:
        # A number and a name of the same classes: the names are the better ones.
        same = [name for name in usual if _same_classes(rest[usual[0]], rest[name])]
        if len(same) == len(usual):
            return max(same, key=lambda name: sum(not cell.isdigit() for cell in rest[name][:_FEW]))
    if len(candidates) == 1:
        return candidates[0]
    counts = [f"{name} ({len(set(cells))} different values)" for name, cells in rest.items()]
    raise NetworkError(
        f"{key}: which column holds the classes is not clear. Name it with data.label_column: {listing(counts, 20)}."
    )


def _same_classes(first: list[str], second: list[str]) -> bool:
    pairs = set(zip(first, second, strict=True))
    return len(pairs) == len(set(first)) == len(set(second))


def _by_file(
    key: str,
    columns: Mapping[str, list[str]],
    image: str,
    part: str | None,
    texts: Sequence[str],
    finder: _ImageFinder,
) -> tuple[dict[RelativePath, str], dict[RelativePath, str]]:
    labels: dict[RelativePath, str] = {}
    parts: dict[RelativePath, str] = {}
    missing: list[str] = []
    ambiguous: list[str] = []
    contrary: list[str] = []
    part_cells = columns[part] if part else [""] * len(texts)
    for entry, text, part_cell in zip(columns[image], texts, part_cells, strict=True):
        path = finder.find(entry)
        if path is None:
            (ambiguous if finder.matches(entry) > 1 else missing).append(entry)
            continue
        if labels.setdefault(path, text) != text:
            contrary.append(entry)
        if part is not None:
            name = part_of_value(part_cell)
            if name is None:
                raise NetworkError(
                    f"{key}: column '{part}' has {part_cell!r}; train, validation and test are known, and the usual "
                    "other words for them."
                )
            if parts.setdefault(path, name) != name:
                contrary.append(entry)
    faults = [
        f"{key}: {len(entries)} of {len(texts)} rows {what}: {listing(entries, LISTED)}."
        for entries, what in (
            (missing, "name an image that is not there"),
            (ambiguous, "name an image of which there are several"),
            (contrary, "give an image another class or part than an earlier row"),
        )
        if entries
    ]
    if faults:
        raise NetworkError("\n".join(faults))
    return labels, parts
