"""The curves of many runs at once: read in large pieces, and kept in the study's folder as numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablate.errors import StoreError
from ablate.store.atomic import write_bytes
from ablate.store.run_folder import RunFolder

if TYPE_CHECKING:
    from ablate.store.study_folder import PlannedRun, StudyFolder, StudyRecord

__all__ = ["CurveTable", "curve_table", "read_curves", "write_curves"]

_PIECE = 16_000_000
_WORTH_KEEPING = 200
_DISPLACED = ("study", "cell", "seed")
# Newer versions read numbers exactly by themselves and warn of the argument.
_EXACT: dict[str, Any] = {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {
    "float_precision": "round_trip"
}  # fmt: skip

Stamp = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class CurveTable:
    """The curves of some runs below each other.

    Args:
        names: The columns, ``epoch`` first.
        values: A row an epoch; NaN where a run has no such column.
        counts: How many rows each run has, in the order of the runs.
    """

    names: tuple[str, ...]
    values: np.ndarray
    counts: np.ndarray


def curve_table(study: StudyFolder, runs: Sequence[PlannedRun]) -> CurveTable:
    """The curves of runs; what has not changed since the last time is not read again.

    Args:
        study: The study's folder.
        runs: The runs, in the order that is wanted.
    """
    paths = {run.id: study.run(run).path for run in runs}
    kept = _Kept.load(study.path / ".cache") if len(runs) >= _WORTH_KEEPING else _Kept()
    stamps = {key: _stamp(path) for key, path in paths.items()} if len(runs) >= _WORTH_KEEPING else {}
    parts = {
        key: kept.part(key) for key, stamp in stamps.items() if stamp is not None and kept.stamps.get(key) == stamp
    }
    todo = [key for key in paths if key not in parts]
    parts |= dict(zip(todo, _read([paths[key] for key in todo]), strict=True))
    ordered = [parts[run.id] for run in runs]
    table = _stacked(ordered)
    if todo and stamps:
        heads = [names for names, _ in ordered]
        _Kept.save(study.path / ".cache", table, heads, [(run.id, stamps[run.id]) for run in runs])
    return table


Part = tuple[tuple[str, ...], np.ndarray]
"""Column names, and a row an epoch."""

_NOTHING: Part = (("epoch",), np.empty((0, 1)))


def _read(folders: Sequence[Path]) -> list[Part]:
    """The curves of each folder."""
    found: dict[int, Part] = {}
    waiting: dict[bytes, list[tuple[int, bytes]]] = {}
    size = 0
    for place, folder in enumerate(folders):
        pieces = _plain_lines(folder)
        if pieces is None:
            found[place] = _one_by_one(RunFolder(folder))
            continue
        head, body = pieces
        waiting.setdefault(head, []).append((place, body))
        size += len(body)
        if size > _PIECE:
            found |= _parse(waiting, folders)
            waiting, size = {}, 0
    found |= _parse(waiting, folders)
    return [found[place] for place in range(len(folders))]


def _plain_lines(folder: Path) -> tuple[bytes, bytes] | None:
    """Header and whole lines of ``curves.csv``, if it is the plain file that a run leaves; None for anything else."""
    try:
        text = (folder / "curves.csv").read_bytes()
    except OSError:
        return None
    head, _, rest = text.partition(b"\n")
    body = rest[: rest.rfind(b"\n") + 1]
    columns = head.count(b",") + 1
    plain = head.startswith(b"epoch") and b'"' not in head and b"\r" not in text
    return (head, body) if plain and body.count(b",") == body.count(b"\n") * (columns - 1) else None


def _parse(waiting: Mapping[bytes, list[tuple[int, bytes]]], folders: Sequence[Path]) -> dict[int, Part]:
    found: dict[int, Part] = {}
    for head, group in waiting.items():
        names = tuple(head.decode(errors="replace").split(","))
        lengths = [body.count(b"\n") for _, body in group]
        try:
            frame = pd.read_csv(
                io.BytesIO(b"".join(body for _, body in group)),
                header=None, names=list(range(len(names))), dtype=float, skip_blank_lines=False, **_EXACT,
            )  # fmt: skip
            values = frame.to_numpy()
        except (ValueError, pd.errors.ParserError):
            values = np.empty((0, len(names)))
        epochs = values[:, 0]
        sound = len(values) == sum(lengths) and len(set(names)) == len(names) and names[0] == "epoch"
        if not sound or not np.isfinite(epochs).all() or (epochs % 1).any():
            found |= {place: _one_by_one(RunFolder(folders[place])) for place, _ in group}
            continue
        ends = np.cumsum(lengths)
        for (place, _), end, length in zip(group, ends, lengths, strict=True):
            found[place] = (names, values[end - length : end])
    return found


def _one_by_one(folder: RunFolder) -> Part:
    rows = [row for row in read_curves(folder) if np.isfinite(row.get("epoch", np.nan))]
    if not rows:
        return _NOTHING
    names = tuple(dict.fromkeys(["epoch", *(name for row in rows for name in row)]))
    return names, np.array([[row.get(name, np.nan) for name in names] for row in rows])


def read_curves(folder: RunFolder) -> list[dict[str, float]]:
    """The curves of a run: ``curves.csv``, or else the only CSV beside it that has an ``epoch`` column."""
    rows = folder.curves()
    if rows and "epoch" in rows[0]:
        return rows
    for path in sorted(folder.path.glob("*.csv")):
        try:
            frame = pd.read_csv(path)
        except (OSError, ValueError):
            continue
        if "epoch" in frame.columns:
            numbers = frame.select_dtypes("number").dropna(subset=["epoch"])
            return [
                {str(name): value for name, value in row.items() if pd.notna(value)}
                for row in numbers.to_dict(orient="records")
            ]
    return []


def _stacked(parts: Sequence[Part]) -> CurveTable:
    names = tuple(
        dict.fromkeys(
            ["epoch", *(name for own, values in parts if len(values) for name in own if name not in _DISPLACED)]
        )
    )
    counts = np.array([len(values) for _, values in parts], dtype=int)
    table = np.full((int(counts.sum()), len(names)), np.nan)
    begin = 0
    places: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}
    for own, values in parts:
        if own not in places:
            shared = [(names.index(name), index) for index, name in enumerate(own) if name in names]
            places[own] = ([to for to, _ in shared], [index for _, index in shared])
        to, index = places[own]
        table[begin : begin + len(values), to] = values[:, index]
        begin += len(values)
    return CurveTable(names, table, counts)


def write_curves(study: StudyFolder, record: StudyRecord, frame: pd.DataFrame) -> None:
    """Write ``curves.csv``.

    Where the runs' files have the same columns it is made of their own lines, ten times as fast as from numbers.

    Args:
        study: The study's folder.
        record: What its plan says.
        frame: The same curves as numbers, ordered by cell, seed and epoch.
    """
    text = _joined(study, record, len(frame))
    write_bytes(study.path / "curves.csv", frame.to_csv(index=False).encode() if text is None else text)


def _joined(study: StudyFolder, record: StudyRecord, rows: int) -> bytes | None:
    """The lines of all runs; None where their files differ in their columns or are not as a run leaves them."""
    if len(record.runs) < _WORTH_KEEPING:
        return None
    places = {cell.name: (place, cell.label) for place, cell in enumerate(record.plan.cells)}
    name = study.name
    head: bytes | None = None
    blocks: list[bytes] = []
    for run in sorted(record.runs, key=lambda run: (places[run.cell][0], run.seed)):
        pieces = _plain_lines(study.run(run).path)
        # NaN and infinite numbers are written in other words.
        if pieces is None or (head is not None and pieces[0] != head) or b"n" in pieces[1] or b"N" in pieces[1]:
            return None
        head, body = pieces
        if body:
            prefix = _prefix([name, places[run.cell][1], run.seed])
            blocks.append(prefix + body[:-1].replace(b"\n", b"\n" + prefix) + b"\n")
            rows -= body.count(b"\n")
    names = head.decode().split(",") if head is not None else []
    if rows or names[:1] != ["epoch"] or len(set(names)) < len(names) or {*names} & {*_DISPLACED}:
        return None
    return b"study,cell,seed," + (head or b"") + b"\n" + b"".join(blocks)


def _prefix(words: Sequence[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator=",").writerow(words)
    return line.getvalue().encode()


def _stamp(folder: Path) -> Stamp | None:
    """What tells whether a run's curves have changed; None where they are not where a run of ours puts them."""
    try:
        found = (folder / "curves.csv").stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Kept:
    """The numbers of the last time: ``curves.npy``, and by run id its rows in there and the stamp of its file."""

    def __init__(self, index: Mapping[str, Any] | None = None, values: Any = None) -> None:
        index = index or {"names": [], "heads": [], "runs": {}}
        self._values = values
        self._heads = [tuple(map(str, head)) for head in index["heads"]]
        self._places = [[index["names"].index(name) for name in head] for head in self._heads]
        self.stamps: dict[str, Stamp] = {}
        self._rows: dict[str, tuple[int, int, int]] = {}
        for key, (begin, end, head, *stamp) in index["runs"].items():
            self._rows[key], self.stamps[key] = (begin, end, head), tuple(stamp)

    def part(self, key: str) -> Part:
        begin, end, head = self._rows[key]
        return self._heads[head], self._values[begin:end, self._places[head]]

    @classmethod
    def load(cls, folder: Path) -> _Kept:
        """What was kept; nothing where it is missing or damaged."""
        try:
            index = json.loads((folder / "curves.json").read_text())
            values = np.load(folder / "curves.npy", allow_pickle=False)
            whole = values.shape == (index["rows"], len(index["names"])) and str(values.dtype) == "float64"
            whole = whole and index["bytes"] == (folder / "curves.npy").stat().st_size
            return cls(index, values) if whole else cls()
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError):
            return cls()

    @staticmethod
    def save(
        folder: Path, table: CurveTable, heads: Sequence[tuple[str, ...]], stamps: Sequence[tuple[str, Stamp | None]]
    ) -> None:
        """Keep the numbers; a folder that cannot be written costs time the next time and nothing else."""
        ends = np.cumsum(table.counts).tolist()
        own = [tuple(name for name in head if name in table.names) for head in heads]
        numbers = {head: number for number, head in enumerate(dict.fromkeys(own))}
        rows = zip(stamps, own, ends, table.counts.tolist(), strict=True)
        runs = {
            key: [end - count, end, numbers[head], *stamp]
            for (key, stamp), head, end, count in rows
            if stamp is not None
        }
        buffer = io.BytesIO()
        np.save(buffer, table.values, allow_pickle=False)
        index = {
            "names": list(table.names),
            "heads": list(numbers),
            "rows": len(table.values),
            "bytes": buffer.tell(),
            "runs": runs,
        }
        try:
            # The index goes last, and away first: it never speaks of other numbers than those that are there.
            (folder / "curves.json").unlink(missing_ok=True)
            write_bytes(folder / "curves.npy", buffer.getvalue())
            write_bytes(folder / "curves.json", json.dumps(index).encode())
        except (OSError, StoreError):
            return
