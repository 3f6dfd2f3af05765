"""Numbers in JSON files: one object, a list of them, one a line, or lists of numbers by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ablate.formatting import plural
from ablate.logs.files import FileNote, SourceFolder
from ablate.logs.number_table import NumberTable
from ablate.logs.number_tables import MOST_COLUMNS, MOST_FIELDS, log_table
from ablate.logs.plain_values import flatten, parse_json
from ablate.logs.printing import short_line
from ablate.logs.regular_files import UnreadableFile

JSON_FILES = ("*.json", "*.jsonl", "*.ndjson")
"""What their names look like."""

_LARGEST = 64_000_000  # bytes
_LONGEST_LINE = 100_000  # bytes


def read_json_numbers(folder: SourceFolder, file: str) -> NumberTable | None:
    """The numbers of a JSON file; None where there are none.

    Notes in the folder what was left out, and a file that cannot be read.
    """
    table = None
    with folder.noting_faults(file):
        is_lines = not file.lower().endswith(".json")
        text = folder.read_text(file, _LARGEST) if is_lines else folder.read_text(file)
        try:
            value = None if is_lines else parse_json(text)
        except UnreadableFile:
            first = text.lstrip().partition("\n")[0]
            if not (first.startswith("{") and first.rstrip().endswith("}")):
                raise
            is_lines = True  # a name such as log.json for one object a line
        table = _rows_table(folder, file, _objects(folder, file, text)) if is_lines else _table(folder, file, value)
    return table


def _table(folder: SourceFolder, file: str, value: Any) -> NumberTable | None:
    import pandas as pd

    if isinstance(value, Mapping) and value.keys() >= {"state", "attempts"}:
        return None  # the status that our own recorder writes
    if isinstance(value, Mapping) and value.keys() >= {"metrics", "versions"}:
        value = value["metrics"]  # the result that our own recorder writes, also under Hydra's basic sweeper
    if _is_rows(value):
        return _rows_table(folder, file, value)
    if not isinstance(value, Mapping):
        return None
    flat = flatten(value)
    if len(flat) > MOST_COLUMNS:
        raise UnreadableFile(f"has {len(flat):,} values by name; at most {MOST_COLUMNS:,} are read")
    if (columns := _columns(flat)) is not None:
        folder.notes.append(FileNote(file, "its lists are read as a number an epoch, counted from 1", changed=True))
        return NumberTable("curve", columns, "epoch")
    # Such as the log_history of a trainer's state: the only list of objects among numbers.
    histories = [item for item in value.values() if _is_rows(item) and len(item) > 1]
    if len(histories) == 1 and (table := _rows_table(folder, file, histories[0])) is not None and table.step:
        return table
    numbers = _numbers(value)
    return NumberTable("single", pd.DataFrame([numbers])) if numbers else None


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _columns(flat: Mapping[str, Any]) -> Any:
    """Lists of numbers of one length as columns, such as the history that Keras returns; None where it is not that."""
    import pandas as pd

    lists = {key: item for key, item in flat.items() if isinstance(item, list)}
    lengths = {len(item) for item in lists.values()}
    if len(lists) < len(flat) or len(lengths) != 1 or lengths == {0}:
        return None
    if not all(_is_number(one) for item in lists.values() for one in item):
        return None
    frame = pd.DataFrame({short_line(key): item for key, item in lists.items()}, dtype=float)
    if "epoch" not in frame:
        frame.insert(0, "epoch", range(1, len(frame) + 1))
    return frame


def _objects(folder: SourceFolder, file: str, text: str) -> list[Mapping[str, Any]]:
    """The objects of a text with one a line; other lines are noted."""
    rows, other = [], 0
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            value = json.loads(line) if len(line) <= _LONGEST_LINE else None
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, Mapping):
            rows.append(value)
        else:
            other += 1
    if other:
        folder.notes.append(FileNote(file, f"{plural(other, 'line')} without an object left out"))
    return rows


def _rows_table(folder: SourceFolder, file: str, rows: Sequence[Mapping[str, Any]]) -> NumberTable | None:
    import pandas as pd

    numbers = [_scalars(row) for row in rows]
    names = dict.fromkeys(name for row in numbers for name in row)
    if len(names) > MOST_COLUMNS or len(names) * len(numbers) > MOST_FIELDS:
        raise UnreadableFile(f"has {len(numbers):,} objects of {len(names):,} names, more than are read")
    return log_table(folder, file, pd.DataFrame(numbers)) if names else None


def _scalars(row: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers and short texts of an object by dotted name; texts may tell rows of one epoch apart."""
    return {
        short_line(key): item if isinstance(item, str) else float(item)
        for key, item in flatten(row).items()
        if _is_number(item) or (isinstance(item, str) and len(item) <= 40)
    }


def _numbers(value: Any) -> dict[str, float]:
    """The numbers of nested plain values by dotted name, without booleans, lists and what tools keep for themselves."""
    flat = flatten(value) if isinstance(value, Mapping) else {}
    return {short_line(key): float(item) for key, item in flat.items() if _is_number(item) and not key.startswith("_")}


def _is_number(item: Any) -> bool:
    if isinstance(item, bool) or not isinstance(item, int | float):
        return False
    return isinstance(item, float) or abs(item) < 10**300
