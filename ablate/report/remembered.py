"""What a study's folder said the last time: the summary and the files made of it, as long as nothing has changed.

Everything is kept as JSON and arrays of numbers in ``.cache`` within the study's folder. It may be deleted at any time;
a damaged or foreign one is made again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

import ablate
from ablate.analysis import Summary
from ablate.analysis.observations import ordered
from ablate.errors import StoreError
from ablate.report.shown import Shown
from ablate.store import StudyFolder, write_text
from ablate.store.study_folder import StudyRecord

__all__ = ["fingerprint", "keep_files", "keep_summary", "kept_files", "kept_summary"]

_LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy")
_SAID = ("plan.json", "confirmation.json", "costs.json")
_APART = ("plan", "runs", "curves", "round")
_WORTH_KEEPING = 200
_PLAIN = {str, int, float, bool, type(None)}


def fingerprint(study: StudyFolder, record: StudyRecord) -> str:
    """What everything in a report depends on, as a digest: the runs' files by size and time, the plan, the software.

    Args:
        study: The study's folder.
        record: What its plan says.
    """
    digest = hashlib.sha256()
    for word in (study.name, *_software()):
        digest.update(word.encode())
    for name in _SAID:
        digest.update((study.path / name).read_bytes() if (study.path / name).is_file() else b"absent")
    root = str(study.path)
    digest.update("\n".join(_files(str(study.diagrams))).encode(errors="surrogateescape"))
    for run in record.runs:
        words = "\n".join([run.id, *_files(f"{root}/{run.folder}")])
        digest.update(words.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files(folder: str) -> Iterator[str]:
    """The files of a run that say something about its result, with what tells one version from the next."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith((".json", ".csv", ".svg"))]
    except OSError:
        return
    for name, stat in sorted(found):
        yield f"{name} {stat.st_mtime_ns} {stat.st_size} {stat.st_ino}"


@cache
def _software() -> tuple[str, ...]:
    root = Path(ablate.__file__).parent
    own = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".pyc")  # templates too
    code = [f"{path} {(stat := path.stat()).st_mtime_ns} {stat.st_size}" for path in own]
    return (*code, *(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES))


def kept_summary(study: StudyFolder, record: StudyRecord, mark: str) -> Summary | None:
    """The summary as it was, if it was made of the same; None otherwise.

    Args:
        study: The study's folder.
        record: What its plan says.
        mark: The fingerprint.
    """
    values = _read(study.path / ".cache" / "summary.json", mark)
    if values is None:
        return None
    try:
        parts = {name: _plain(value) for name, value in values["summary"].items()}
        known = {item.name for item in fields(Summary)} - {"plan", "curves", "round"}
        if parts.keys() != known:
            return None
        return _Remembered.of(study, {**parts, "plan": record.plan, "round": None})
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


class _Remembered(Shown):
    """A summary that reads its curves when they are first asked for: a million rows, of which no table has need."""

    _study: StudyFolder

    @classmethod
    def of(cls, study: StudyFolder, parts: Mapping[str, Any]) -> _Remembered:
        made = object.__new__(cls)
        made.__dict__.update(parts, _study=study)
        return made

    def __getattr__(self, name: str) -> Any:
        if name != "curves":
            raise AttributeError(name)
        self.__dict__["curves"] = ordered(self._study.curves(), self.plan, ("seed", "epoch"))
        return self.__dict__["curves"]


def keep_summary(study: StudyFolder, mark: str, summary: Summary) -> None:
    """Keep a summary, if the study is large and all of it can be told in plain values.

    Args:
        study: The study's folder.
        mark: The fingerprint of what it was made of, taken before.
        summary: The summary.
    """
    states = set(summary.runs["state"]) | set(summary.runs["reason"])
    # Whether a run that was at work still is, no file says.
    if len(summary.runs) < _WORTH_KEEPING or states & {"running", "killed"}:
        return
    if summary.round is not None or summary.study.failures != "drop":
        return
    try:
        parts = {
            item.name: _told(getattr(summary, item.name))
            for item in fields(summary)
            if item.name not in _APART or item.name == "runs"
        }
        write_text(study.path / ".cache" / "summary.json", json.dumps({"mark": mark, "summary": parts}))
    except (TypeError, StoreError):
        return


def kept_files(study: StudyFolder, mark: str) -> bool:
    """Whether all files that were made of the same are still there as they were made.

    Args:
        study: The study's folder.
        mark: The fingerprint.
    """
    values = _read(study.path / ".cache" / "files.json", mark)
    return values is not None and values.get("files") == {name: _stamp(study.path / name) for name in values["files"]}


def keep_files(study: StudyFolder, mark: str) -> None:
    """Remember the files in a study's folder that were made of its runs.

    Args:
        study: The study's folder.
        mark: The fingerprint.
    """
    made = [*study.path.glob("*.*"), *study.tables.rglob("*"), *study.figures.rglob("*")]
    names = [str(path.relative_to(study.path)) for path in made if path.is_file() and path.name not in _SAID]
    files = {name: _stamp(study.path / name) for name in sorted(names) if not name.startswith(".")}
    try:
        write_text(study.path / ".cache" / "files.json", json.dumps({"mark": mark, "files": files}))
    except StoreError:
        return


def _stamp(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def _read(path: Path, mark: str) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_text())
        return values if values["mark"] == mark and isinstance(values, dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told(value: Any) -> Any:
    """A value in JSON, with what JSON does not tell apart marked.

    Raises:
        TypeError: If there is something else than tables, mappings, sequences, texts and numbers in it.
    """
    if isinstance(value, pd.DataFrame):
        columns = [str(name) for name in value.columns]
        if columns != list(value.columns) or not value.index.equals(pd.RangeIndex(len(value))):
            raise TypeError("a table with other names than texts, or another index")
        cells = {name: value[name].tolist() for name in columns}
        coded = [name for name, items in cells.items() if not {*map(type, items)} <= _PLAIN]
        cells |= {name: [_told(item) for item in cells[name]] for name in coded}
        return {"table": cells, "coded": coded, "types": [str(kind) for kind in value.dtypes], "rows": len(value)}
    if isinstance(value, Mapping):
        return {"map": [[_told(key), _told(item)] for key, item in value.items()]}
    if isinstance(value, tuple | list):
        return {"list" if isinstance(value, list) else "tuple": [_told(item) for item in value]}
    if type(value) in _PLAIN:
        return value
    if value is pd.NA:
        return {"na": 0}
    raise TypeError(f"a {type(value).__name__}")


def _plain(value: Any) -> Any:
    """What :func:`_told` told."""
    if not isinstance(value, dict):
        return value
    if "table" in value:
        columns = {
            name: pd.Series([_plain(item) for item in items] if name in value["coded"] else items, dtype=kind)
            for (name, items), kind in zip(value["table"].items(), value["types"], strict=True)
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(value["rows"]))
    if "map" in value:
        return {_plain(key): _plain(item) for key, item in value["map"]}
    if "na" in value:
        return pd.NA
    if "list" in value:
        return [_plain(item) for item in value["list"]]
    return tuple(_plain(item) for item in value["tuple"])
