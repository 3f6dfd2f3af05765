"""Runs in the output folders of Hydra, with whichever sweeper and folder layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ablate.adopt.event_files import read_events
from ablate.adopt.files import Unreadable, log_table, number_table, numbers_in, read_json, read_text, read_yaml
from ablate.adopt.material import ForeignRun, Material, NumberTable, Unread
from ablate.adopt.tree import Tree
from ablate.errors import StoreError
from ablate.store import FINISHED, RunFolder
from ablate.sweep.identity import flatten

__all__ = ["find_runs", "words_in_path", "words_of_name"]

_MOST_KEYS = 20_000
_OURS = ("status.json", "result.json", "curves.csv")


def find_runs(tree: Tree) -> Material:
    """The runs of a tree with ``.hydra`` folders.

    The configuration is that of ``.hydra/config.yaml``, with interpolations as they are written: what a resolver gives
    is neither computed nor asked of the environment. Nothing is imported or unpickled.

    Args:
        tree: The names of the files.

    Returns:
        A run a ``.hydra`` folder, with all CSV and JSON files that belong to it, and what could not be read.
    """
    files: dict[str, list[str]] = {place: [] for place in tree.runs}
    events: dict[str, list[str]] = {place: [] for place in tree.runs}
    above = []
    for file in [*tree.tables, *tree.values]:
        owner = tree.run_of(file)
        if owner is not None:
            files[owner].append(file)
        elif file in tree.tables:
            above.append(file)
    for file in tree.events:
        if (owner := tree.run_of(file)) is not None:
            events[owner].append(file)
    unread = list(tree.unread)
    runs = [_read(tree.root, place, files[place], events[place], unread) for place in tree.runs]
    notes = []
    if above:
        listed = ", ".join(above[:3]) + (", ..." if len(above) > 3 else "")
        notes.append(f"{len(above)} CSV files belong to no run, since they lie above the run folders: {listed}.")
    return Material("hydra", tuple(runs), tuple(unread), tuple(notes))


def _read(root: Path, place: str, files: list[str], events: list[str], unread: list[Unread]) -> ForeignRun:
    folder = root / place / ".hydra"
    trouble = ""
    values: dict[str, Any] = {}
    try:
        # Hydra writes {} where nothing is configured; a file without a character was never finished.
        if not read_text(folder / "config.yaml").strip():
            raise Unreadable("is empty")
        values = _flat(read_yaml(folder / "config.yaml"))
    except Unreadable as error:
        trouble = f".hydra/config.yaml {error}"
    given = _overrides(folder, place, unread)
    declared = {**_choices(folder), **words_in_path(place), **given}
    tables, age = _tables(root, place, files, unread)
    if not tables and events:
        tables, failed = read_events(root, place, events)
        unread.extend(failed)
    return ForeignRun(place, values, declared, tables, age, trouble, frozenset(given))


def _flat(plain: Any) -> dict[str, Any]:
    if plain is None:
        return {}
    if not isinstance(plain, Mapping):
        raise Unreadable(f"holds a {type(plain).__name__} in place of keys")
    words = {str(key): value for key, value in plain.items() if key != "hydra"}
    flat = flatten(words)
    if len(flat) > _MOST_KEYS:
        raise Unreadable(f"has {len(flat)} keys; at most {_MOST_KEYS} are read")
    return flat


def _overrides(folder: Path, place: str, unread: list[Unread]) -> dict[str, str]:
    path = folder / "overrides.yaml"
    try:
        lines = read_yaml(path) if path.exists() else []
    except Unreadable as error:
        unread.append(Unread(f"{place}/.hydra/overrides.yaml", str(error)))
        lines = []
    found = {}
    for line in lines if isinstance(lines, list) else ():
        key, sign, value = str(line).partition("=")
        key = key.lstrip("+~").partition("@")[0]
        if sign and not key.startswith("hydra"):
            found[key] = _unquoted(value)
    return found


def _choices(folder: Path) -> dict[str, str]:
    """Which option of each config group was taken; of no consequence where it cannot be read."""
    try:
        plain = read_yaml(folder / "hydra.yaml")
        chosen = plain["hydra"]["runtime"]["choices"]
    except (Unreadable, KeyError, TypeError):
        return {}
    if not isinstance(chosen, Mapping):
        return {}
    return {str(key): str(value) for key, value in chosen.items() if not str(key).startswith("hydra/")}


def words_in_path(place: str) -> dict[str, str]:
    """What a path says of levels: every ``key=value`` in it, nested or joined by commas.

    Example:
        >>> words_in_path("sweep/model=cnn/lr=0.1,layers=[8,4]")
        {'model': 'cnn', 'lr': '0.1', 'layers': '[8,4]'}
    """
    found = {}
    for part in place.split("/"):
        for word in words_of_name(part):
            key, sign, value = word.partition("=")
            if sign and key:
                found[key.lstrip("+")] = _unquoted(value)
    return found


def words_of_name(name: str) -> list[str]:
    """The words of a file's or folder's name that commas separate.

    A comma within brackets belongs to a value, and one that no key follows does too.
    """
    return re.split(r",(?![^\[{(]*[\]})])(?=[^,=]+=)", name)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _tables(root: Path, place: str, files: Iterable[str], unread: list[Unread]) -> tuple[dict[str, NumberTable], float]:
    """The tables of a run's files by their names within its folder, and when the last of them was written."""
    names = {file: file if place == "." else file[len(place) + 1 :] for file in files}
    own = _recorded(RunFolder(root / place))
    tables = dict(own)
    age = _written(root / place / ".hydra")
    for file, name in names.items():
        if own and name in _OURS:
            continue
        try:
            table = _table_of(root / file, file, unread)
        except Unreadable as error:
            unread.append(Unread(file, str(error)))
            continue
        age = max(age, _written(root / file))
        if table is not None:
            tables[name] = table
    return tables, age


def _recorded(folder: RunFolder) -> dict[str, NumberTable]:
    """What our own recorder left, as under Hydra's basic sweeper."""
    import pandas as pd

    try:
        result = folder.result() if folder.status().state == FINISHED else None
    except StoreError:
        return {}
    if result is None:
        return {}
    found = {"result.json": NumberTable("single", pd.DataFrame([dict(result.metrics)]))}
    if rows := folder.curves():
        found["curves.csv"] = NumberTable("curve", pd.DataFrame(rows), "epoch")
    return found


def _table_of(path: Path, file: str, unread: list[Unread]) -> NumberTable | None:
    import pandas as pd

    if path.suffix.lower() != ".json":
        table, said = log_table(path)
        unread.extend(Unread(file, *remark) for remark in said)
        return table
    value = read_json(path)
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        return number_table(pd.DataFrame([numbers_in(row) for row in value]))
    numbers = numbers_in(value)
    return NumberTable("single", pd.DataFrame([numbers])) if numbers else None


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
