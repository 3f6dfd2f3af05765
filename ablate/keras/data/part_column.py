"""The column of a table that says which part an image belongs to, and what its entries mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.folder_advice import quoted
from ablate.keras.data.folder_layout import ColumnChoice
from ablate.keras.data.part_names import part_of_value, part_of_word, words_of

NONE = "none"
"""The value of ``data.part_column`` with which no column is one of parts."""

_NAMES = ("split", "set", "subset", "part", "partition", "phase", "usage", "dataset", "data_set")
_WORDS = frozenset("is split splits subset partition".split())
"""Words of a column's name beside ``train`` or ``test``; a class may be called ``train``."""
_OTHER = {"train": "test", "test": "train"}


@dataclass(frozen=True)
class PartColumn:
    """A column of parts.

    Args:
        name: The column.
        parts: (rows,), the part of each row.
        meaning: What entries were taken for where these are no usual words, to follow the column's name.
    """

    name: str
    parts: Sequence[str]
    meaning: str = ""


def find_part_column(columns: Mapping[str, list[str]], choice: ColumnChoice, key: str) -> PartColumn | None:
    """The column of parts; None where there is none.

    Args:
        columns: The cells by column.
        choice: What the user says about them.
        key: What messages begin with.

    Raises:
        NetworkError: Which part an entry stands for is not clear.
    """
    if choice.part == NONE:
        return None
    values = _given_values(choice.part_values)
    if choice.part is not None:
        return _read(choice.part, columns[choice.part], values, key)
    for name, cells in columns.items():
        if values and {*cells} <= values.keys() and (_speaks_of_parts(name) or name.lower() in _NAMES):
            return _read(name, cells, values, key)
    if values:
        counts = [f"{name} ({len(set(cells))} different values)" for name, cells in columns.items()]
        raise NetworkError(
            f"data.part_values={dict(choice.part_values or {})}: no column is clearly one of parts with these entries "
            f"alone. Name it with data.part_column: {listing(counts, 20)}."
        )
    for name, cells in columns.items():
        if name.lower() in _NAMES and all(part_of_value(cell) for cell in cells):
            return _read(name, cells, values, key)
    for name, cells in columns.items():
        if _speaks_of_parts(name) and {*cells} <= {"0", "1", "0.0", "1.0", "False", "True", "false", "true"}:
            return _flags(name, cells, key)
    return None


def _given_values(given: Mapping[str, object] | None) -> dict[str, str]:
    values = {}
    for part, entries in (given or {}).items():
        for entry in entries if isinstance(entries, list | tuple) else [entries]:
            values[str(entry)] = part
    return values


def _speaks_of_parts(name: str) -> bool:
    """Whether a column's name says that it is about parts: ``is_train``, ``train_test_split``, and not ``train``."""
    words = words_of(name)
    return bool(_WORDS & {*words}) and any(part_of_word(word) for word in words)


def _read(name: str, cells: Sequence[str], values: Mapping[str, str], key: str) -> PartColumn:
    parts = [values[cell] if cell in values else part_of_value(cell) for cell in cells]
    unknown = Counter(cell for cell, part in zip(cells, parts, strict=True) if part is None)
    if unknown:
        seen = [f"{cell!r} ({count} rows)" for cell, count in unknown.most_common()]
        raise NetworkError(
            f"{key}: column '{name}' has {listing(seen, 5)}; train, validation and test are known, and the usual other "
            f"words for them. Say what others stand for: {_example(sorted(unknown))}."
        )
    meaning = f" ({', '.join(f'{cell} is {part}' for cell, part in values.items())})" if values else ""
    return PartColumn(name, [str(part) for part in parts], meaning)


def _flags(name: str, cells: Sequence[str], key: str) -> PartColumn:
    """The parts by a column of 0 and 1: clear where its name says what 1 is, else refused."""
    part_words = {part for word in words_of(name) if (part := part_of_word(word))}
    part = next(iter(part_words))
    counts = Counter(cells)
    ones = {cell for cell in counts if cell.lower() in ("1", "1.0", "true")}
    if len(part_words) > 1 or part not in _OTHER or len(counts) < 2:
        seen = [f"{cell} ({count} rows)" for cell, count in sorted(counts.items())]
        raise NetworkError(
            f"{key}: column '{name}' seems to say the part of an image, by {listing(seen)}. Say what they stand for: "
            f"{_example([*sorted(ones), *sorted(counts.keys() - ones)])}; or that it does not: data.part_column={NONE}."
        )
    parts = [part if cell in ones else _OTHER[part] for cell in cells]
    one = next(iter(ones), "1")
    meaning = f" ({one} is taken for {part}, the other for {_OTHER[part]}; data.part_values says otherwise)"
    return PartColumn(name, parts, meaning)


def _example(entries: Sequence[str]) -> str:
    pairs = zip(("train", "test", "validation"), entries, strict=False)
    return quoted(f"data.part_values={{{', '.join(f'{part}: {entry}' for part, entry in pairs)}}}")
