"""Which tool wrote what is at a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ablate.adopt.files import Unreadable, number_table, read_table
from ablate.adopt.hydra_folder import find_runs
from ablate.adopt.material import Material
from ablate.adopt.named_runs import find_event_runs, find_logged_runs
from ablate.adopt.request import Request
from ablate.adopt.tidy_table import find_rows
from ablate.adopt.tree import Tree, walk
from ablate.errors import StoreError

__all__ = ["find_material", "looks_foreign"]

_KNOWN = (
    "Known are folders of Hydra (.hydra/config.yaml in each run), CSV files with an 'epoch' column (Keras' CSVLogger), "
    "event files of TensorBoard, and one tidy CSV file."
)


def find_material(path: Path, request: Request) -> Material:
    """Everything at a path that can be taken for runs.

    Args:
        path: A folder or a file; nothing in it is changed.
        request: Names the source if it is not to be found out.

    Raises:
        StoreError: If there is nothing of the kind, or it cannot be read.
    """
    if path.is_file():
        return _of_file(path, request)
    if not path.is_dir():
        raise StoreError(f"There is no file or folder '{path}'.")
    if (path / "plan.json").is_file():
        raise StoreError(f"'{path}' is a study of ablate already: ablate report {path}")
    tree = walk(path)
    source = request.source or _source_of(tree)
    by_source: dict[str, tuple[list[str], Callable[[Tree], Material]]] = {
        "hydra": (tree.runs, find_runs),
        "tensorboard": (tree.events, lambda tree: find_event_runs(tree, request.seed != "")),
        "csv_logger": (tree.tables, lambda tree: find_logged_runs(tree, request.seed != "")),
        "table": (tree.tables, lambda tree: find_rows(tree.root / tree.tables[0], request)),
    }
    if source in by_source and by_source[source][0]:
        return by_source[source][1](tree)
    closed = "".join(f" {item.place}: {item.reason}." for item in tree.unread[:5])
    asked = f" of {request.source}" if request.source else ""
    raise StoreError(f"There are no results{asked} to adopt in '{path}'. {_KNOWN}{closed}")


def _of_file(path: Path, request: Request) -> Material:
    if request.source not in (None, "table"):
        raise StoreError(f"'{path}' is one file: it can be a table, not a source of {request.source}.")
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise StoreError(f"Cannot adopt the file '{path}'. {_KNOWN}")
    return find_rows(path, request)


def _source_of(tree: Tree) -> str:
    if tree.runs:
        return "hydra"
    if tree.events:
        return "tensorboard"
    if len(tree.tables) == 1 and not _is_log(tree.root / tree.tables[0]):
        return "table"
    return "csv_logger"


def _is_log(path: Path) -> bool:
    """Whether a CSV file is the log of one run: numbers by epoch and no words."""
    try:
        frame, _ = read_table(path)
    except Unreadable:
        return False
    table = number_table(frame)
    return table is not None and table.kind == "curve" and len(table.frame.columns) == len(frame.columns)


def looks_foreign(path: Path) -> bool:
    """Whether a path holds something other than a study of ours, to be adopted."""
    return path.exists() and not (path / "plan.json").is_file()
