"""Reading foreign files without trusting them: bounded, never executed, and a reason for all that cannot be read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ablate.adopt.material import NumberTable, Remark
from ablate.adopt.notation import with_points
from ablate.adopt.restarts import without_superseded

__all__ = ["Unreadable", "log_table", "natural", "number_table", "read_json", "read_table", "read_text", "read_yaml"]

_LARGEST_TEXT = 4_000_000
_LARGEST_TABLE = 256_000_000
_MOST_ALIASES = 100

_STEPS = ("epoch", "step", "global_step", "iteration", "iter", "round", "timestep", "generation")


class Unreadable(Exception):
    """A file that cannot be read; its text is the reason, made to follow the file's name."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values only; numbers such as 1e-3 as Hydra reads them."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*(?:[eE][-+]?\d+)|\.\d[\d_]*(?:[eE][-+]?\d+)?)$"),
    list("-+0123456789."),
)


def natural(text: str) -> tuple[Any, ...]:
    """A key that sorts numbers in names by their size.

    Example:
        >>> sorted(["10/a", "9/a", "lr=0.1"], key=natural)
        ['9/a', '10/a', 'lr=0.1']
    """
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def read_text(path: Path, most: int = _LARGEST_TEXT) -> str:
    """The text of a file of at most so many bytes.

    Raises:
        Unreadable: If it is larger, is no UTF-8, or the system does not let it be read.
    """
    try:
        size = path.stat().st_size
        if size > most:
            raise Unreadable(f"has {size / 1e6:,.0f} MB; files of this kind are read up to {most / 1e6:,.0f} MB")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"is no UTF-8 text (byte {error.start})") from error


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file: no objects, no interpolation.

    Raises:
        Unreadable: If it is not that.
    """
    text = read_text(path)
    try:
        if "&" in text and "*" in text:
            # Aliases of aliases can stand for more values than fit into memory.
            aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader))
            if aliases > _MOST_ALIASES:
                raise Unreadable(f"repeats itself by {aliases} aliases; at most {_MOST_ALIASES} are read")
        return yaml.load(text, Loader=_Loader)  # a subclass of the safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise Unreadable(f"is no plain YAML{where}: {getattr(error, 'problem', None) or error}") from error


def read_json(path: Path) -> Any:
    """The values of a JSON file.

    Raises:
        Unreadable: If it is none.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is no JSON: {error}") from error


def read_table(path: Path) -> tuple[pd.DataFrame, list[Remark]]:
    """The rows of a CSV file (commas, semicolons or tabs), all columns as they come.

    Returns:
        The table with stripped column names, and what was left out of it or read in another way.

    Raises:
        Unreadable: If there is no table in it.
    """
    text = read_text(path, _LARGEST_TABLE)
    if "\0" in text[:4096]:
        raise Unreadable("is no text")
    head = text.lstrip("\r\n").partition("\n")[0]
    if not head.strip():
        raise Unreadable("is empty")
    separator = max(",;\t", key=head.count)
    names = next(csv.reader([head], delimiter=separator))
    said: list[Remark] = []
    if not text.endswith("\n") and len(rest := text.rpartition("\n")[2].split(separator)) < len(names) and "\n" in text:
        said.append(Remark(f"its last line was cut off ({len(rest)} of {len(names)} fields)"))
        text = text[: text.rindex("\n") + 1]
    lines = text.count("\n") + (not text.endswith("\n")) - 1
    try:
        frame = pd.read_csv(io.StringIO(text), sep=separator, index_col=False, on_bad_lines="skip", low_memory=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise Unreadable(f"is no table: {error}") from error
    frame.columns = [" ".join(str(name).split()) for name in frame.columns]
    blank = sum(not line.strip() for line in text.splitlines()[1:]) if len(frame) < lines else 0
    if (lost := lines - blank - len(frame)) > 0:
        said.append(Remark(f"{lost} line{'s' if lost > 1 else ''} of another width left out"))
    again = pd.Series(True, index=frame.index)
    for name in frame.columns:
        again &= frame[name].astype(str).str.strip() == name
    if again.any():
        frame = frame[~again].reset_index(drop=True)
        said.append(Remark(f"its header stands {int(again.sum()) + 1} times", otherwise=True))
    frame, commas = with_points(frame, separator)
    return frame, [*said, *commas]


def log_table(path: Path) -> tuple[NumberTable | None, list[Remark]]:
    """The numbers of a CSV file that a training wrote line by line, and what was left out of it, a phrase each.

    Raises:
        Unreadable: If there is no table in it.
    """
    frame, said = read_table(path)
    table = number_table(frame)
    if table is not None and table.step:
        frame, replaced = without_superseded(frame, table.step)
        if replaced:
            return number_table(frame), [*said, *replaced]
    return table, said


def number_table(frame: pd.DataFrame) -> NumberTable | None:
    """The columns of a table that hold numbers, and what its rows are; None where there is no number."""
    numbers = {}
    for name in frame.columns:
        if not name or str(name).startswith("Unnamed:"):
            continue  # an index that pandas wrote
        column = frame[name]
        values = pd.to_numeric(column.mask(column.map(lambda value: isinstance(value, bool))), errors="coerce").astype(
            float
        )
        if values.notna().any() and (values.notna() | column.isna()).all():
            numbers[str(name)] = values
    step = next((name for word in _STEPS for name in numbers if name.lower() == word), "")
    if not numbers or list(numbers) == [step]:
        return None
    table = pd.DataFrame(numbers)
    if step:
        # A logger may write the training and the validation of an epoch as two rows with blanks.
        last = table.dropna(subset=[step]).groupby(step, sort=True).last().reset_index()
        return NumberTable("curve", last, step)
    return NumberTable("single" if len(table) == 1 else "rows", table)


def numbers_in(value: Any, prefix: str = "") -> dict[str, float]:
    """The numbers of nested plain values by dotted name; booleans and lists are none."""
    found: dict[str, float] = {}
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Mapping):
                found |= numbers_in(item, f"{prefix}{key}.")
            elif isinstance(item, int | float) and not isinstance(item, bool):
                found[f"{prefix}{key}"] = float(item)
    return found
