"""A walk through a foreign folder that reads no file: names only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ablate.adopt.files import natural
from ablate.adopt.material import Unread

__all__ = ["Tree", "walk"]

_TABLES = (".csv", ".tsv")
_PASSED = frozenset({"__pycache__", "node_modules", "site-packages", "wandb", "mlruns"})


@dataclass
class Tree:
    """The files below a folder that may hold results, relative to it and in natural order.

    Args:
        root: The folder.
        runs: Folders with a folder ``.hydra`` in them.
        tables: CSV files.
        values: JSON files.
        events: Event files of TensorBoard.
        unread: Folders that could not be entered.
    """

    root: Path
    runs: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def run_of(self, file: str) -> str | None:
        """The run folder nearest above a file, or None."""
        known = set(self.runs)
        return next((place for parent in Path(file).parents if (place := str(parent)) in known), None)


def walk(root: Path) -> Tree:
    """Look through a folder and all below it; links to folders and hidden folders are not followed."""
    tree = Tree(root)
    for place, name in _names(root, "", tree):
        lower = name.lower()
        file = f"{place}/{name}" if place else name
        if name == ".hydra":
            tree.runs.append(place or ".")
        elif "tfevents" in lower:
            tree.events.append(file)
        elif lower.endswith(_TABLES):
            tree.tables.append(file)
        elif lower.endswith(".json"):
            tree.values.append(file)
    for found in (tree.runs, tree.tables, tree.values, tree.events):
        found.sort(key=natural)
    return tree


def _names(folder: Path, place: str, tree: Tree) -> Iterator[tuple[str, str]]:
    waiting = [(folder, place)]
    while waiting:
        here, at = waiting.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name == ".hydra":
                            yield at, entry.name
                        elif not entry.name.startswith(".") and entry.name not in _PASSED:
                            waiting.append((Path(entry.path), f"{at}/{entry.name}" if at else entry.name))
                    elif not entry.name.startswith("."):
                        yield at, entry.name
        except OSError as error:
            tree.unread.append(Unread(at or ".", error.strerror or str(error)))
