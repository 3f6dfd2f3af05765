"""What the columns of a table say about image files: which image, which class, which part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import NetworkError, suggestion
from ablate.formatting import listing
from ablate.keras.data.folder_layout import ColumnChoice
from ablate.keras.data.image_files import LISTED, RelativePath
from ablate.keras.data.part_column import PartColumn, find_part_column
from ablate.keras.data.part_names import words_of
from ablate.keras.data.table_file import FEW, ImageFinder, Table

_LABEL_NAMES = ("label", "class", "class_name", "classname", "category", "target", "species", "breed", "diagnosis", "y")
_LABEL_WORDS = frozenset("label labels class classes category categories species breed diagnosis".split())


@dataclass(frozen=True)
class TableLabels:
    """What a table says about image files.

    Args:
        labels: The class by path.
        parts: The part by path; empty where the table has none.
        notes: Which columns were read, a sentence each.
    """

    labels: Mapping[RelativePath, str]
    parts: Mapping[RelativePath, str]
    notes: tuple[str, ...]


def labels_of(table: Table, finder: ImageFinder, choice: ColumnChoice, key: str, depth: int | None) -> TableLabels:
    """The classes and parts of the images that a table names.

    Args:
        table: The table.
        finder: Finds the images that cells name.
        choice: What the user says about the columns.
        key: What messages begin with: ``data.labels=labels.csv``.
        depth: How many folders of an image's path are its class, where the table has no column of classes.

    Raises:
        NetworkError: Its columns are not clear, or an image has two labels or does not exist.
    """
    columns = table.columns
    _refuse_unknown_columns(table, choice)
    part = find_part_column(columns, choice, key)
    others = {name: cells for name, cells in columns.items() if name not in (choice.label, part and part.name)}
    image = choice.image or _image_column(key, others, finder, alone=len(columns) == 1)
    rest = {name: cells for name, cells in columns.items() if name not in (image, part and part.name)}
    if not rest or (not choice.label and rest.keys() <= table.keys):
        texts, label = _labels_by_folder(key, columns[image], finder, depth or 1), "their folders"
    else:
        unkeyed = {name: cells for name, cells in rest.items() if name not in table.keys or name == choice.label}
        texts, label = _labels(key, unkeyed, choice.label)
    labels, parts = _by_file(key, columns[image], part, texts, finder)
    note = (
        f"Labels come from {table.name}: column '{image}' names the images, {label} the classes"
        + (f", '{part.name}' the parts{part.meaning}" if part else "")
        + "; data.image_column, data.label_column and data.part_column choose others."
    )
    return TableLabels(labels, parts, (*table.notes, note))


def _refuse_unknown_columns(table: Table, choice: ColumnChoice) -> None:
    columns = table.columns
    named = {"image_column": choice.image, "label_column": choice.label, "part_column": choice.part}
    if choice.image is not None and choice.image == choice.label:
        raise NetworkError(
            f"data.image_column={choice.image} and data.label_column={choice.label} are the same column."
        )
    faults = [
        f"data.{name}={column}: '{table.name}' has the columns {listing(columns, 20)}.{suggestion(column, columns)}"
        for name, column in named.items()
        if column is not None and column not in columns and (name, column) != ("part_column", "none")
    ]
    if faults:
        raise NetworkError("\n".join(faults))


def _labels_by_folder(key: str, entries: Sequence[str], finder: ImageFinder, depth: int) -> list[str]:
    """The class of each image by the folders that it lies in; empty where there is no such image."""
    paths = [finder.find(entry) for entry in entries]
    flat = [entry for entry, path in zip(entries, paths, strict=True) if path is not None and len(path) <= depth]
    if flat:
        raise NetworkError(
            f"{key}: it has no column of classes, and {len(flat)} of its images lie in no class folder: "
            f"{listing(flat, LISTED)}."
        )
    return ["/".join(path[-1 - depth : -1]) if path is not None else "" for path in paths]


def _image_column(key: str, columns: Mapping[str, list[str]], finder: ImageFinder, *, alone: bool) -> str:
    shares = {
        name: sum(finder.find(cell) is not None for cell in cells[:FEW]) / max(1, len(cells[:FEW]))
        for name, cells in columns.items()
    }
    # Numbers of classes may be names of files as well; those of images differ from row to row.
    best = max(shares, key=lambda name: (round(shares[name], 1), len(set(columns[name]))))
    if shares[best] > 0:
        return best
    if alone:
        raise NetworkError(f"{key}: it has no two columns; a name of an image and its class are needed.")
    examples = [f"{name} ({cells[0] if cells else 'empty'})" for name, cells in columns.items()]
    raise NetworkError(
        f"{key}: no column names image files of the data set; its columns begin with {listing(examples, 20)}. "
        "Name the column with data.image_column, or correct data.path."
    )


def _labels(key: str, rest: Mapping[str, list[str]], chosen: str | None) -> tuple[list[str], str]:
    """The class of each row, and what to call its columns."""
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
    usual = usual or [name for name in rest if _LABEL_WORDS & {*words_of(name)}]
    candidates = usual or list(rest)
    if len(candidates) > 1 and usual:
        # A number and a name of the same classes: the names are the better ones.
        same = [name for name in usual if _same_classes(rest[usual[0]], rest[name])]
        if len(same) == len(usual):
            return max(same, key=lambda name: sum(not cell.isdigit() for cell in rest[name][:FEW]))
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
    key: str, entries: Sequence[str], part: PartColumn | None, texts: Sequence[str], finder: ImageFinder
) -> tuple[dict[RelativePath, str], dict[RelativePath, str]]:
    labels: dict[RelativePath, str] = {}
    parts: dict[RelativePath, str] = {}
    missing: list[str] = []
    ambiguous: list[str] = []
    contrary: list[str] = []
    for row, (entry, text) in enumerate(zip(entries, texts, strict=True)):
        path = finder.find(entry)
        if path is None:
            (ambiguous if finder.matches(entry) > 1 else missing).append(entry)
            continue
        if labels.setdefault(path, text) != text:
            contrary.append(entry)
        if part is not None and parts.setdefault(path, part.parts[row]) != part.parts[row]:
            contrary.append(entry)
    faults = [
        f"{key}: {len(names)} of {len(texts)} rows {what}: {listing(names, LISTED)}."
        for names, what in (
            (missing, "name an image that is not there"),
            (ambiguous, "name an image of which there are several"),
            (contrary, "give an image another class or part than an earlier row"),
        )
        if names
    ]
    if faults:
        raise NetworkError("\n".join(faults))
    return labels, parts
