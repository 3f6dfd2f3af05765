"""The cache in a study's folder: its summary, and a record of the files that a report wrote.

Both carry a key, see :func:`cache_key`, and count for as long as the key is the same. A summary is stored as Arrow
tables (Feather files) and JSON in ``.cache``. That folder may be deleted at any time; what is damaged or has another
key is computed anew. Nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

import ablate
from ablate.analysis import Summary
from ablate.errors import StoreError
from ablate.store import StudyFolder, write_bytes, write_text
from ablate.store.records import read_file
from ablate.store.snapshot import Snapshot

_LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy")
_INPUTS = ("plan.json", "confirmation.json", "costs.json")
_MIN_RUNS = 200  # a smaller study is summarised as fast as its cached summary is read
_FRAMES = ("cells", "effects", "pairs", "runs", "robustness", "convergence", "costs")
_CURVES = "curves"  # apart from the other frames: read only when it is first used


def cache_key(snapshot: Snapshot) -> str:
    """A digest of everything that a report depends on: the study's files and the software.

    Args:
        snapshot: The study.
    """
    return hashlib.sha256("\n".join((snapshot.digest, *_software())).encode()).hexdigest()


@cache
def _software() -> tuple[str, ...]:
    """Our own files, each with time and size, and the versions of the libraries that compute and draw."""
    root = Path(ablate.__file__).parent
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".pyc")  # templates too
    code = [f"{path} {(stat := path.stat()).st_mtime_ns} {stat.st_size}" for path in files]
    return (*code, *(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES))


def load_summary(snapshot: Snapshot, key: str) -> dict[str, Any] | None:
    """The keyword arguments of the :class:`ablate.analysis.Summary` that was cached under a key; None without one.

    Args:
        snapshot: The study.
        key: See :func:`cache_key`.
    """
    folder = snapshot.folder.path / ".cache"
    stored = _read_json(folder / "summary.json", key)
    if stored is None:
        return None
    try:
        frames: dict[str, Any] = {name: _read_frame(folder / f"{name}.arrow") for name in _FRAMES}
    except (OSError, ValueError, pa.ArrowException):
        return None

    def read_curves() -> pd.DataFrame:
        try:
            # Another process may have cached the summary of a later state since; then the runs' own files are read.
            is_same = _read_json(folder / "summary.json", key) is not None
            return _read_frame(folder / f"{_CURVES}.arrow") if is_same else snapshot.curves
        except (OSError, ValueError, StoreError, pa.ArrowException):
            return snapshot.curves

    frames["read_curves"] = read_curves
    values = {cell: {int(seed): value for seed, value in seeds.items()} for cell, seeds in stored["values"].items()}
    notes, sentences = tuple(stored["notes"]), stored["sentences"]
    return {"plan": snapshot.record.plan, **frames, "values": values, "notes": notes, "sentences": sentences}


def save_summary(snapshot: Snapshot, key: str, summary: Summary) -> None:
    """Cache a summary if its study is large, and if it cannot change without a change of a file.

    Args:
        snapshot: The study.
        key: See :func:`cache_key`.
        summary: The summary.
    """
    states = set(summary.runs["state"]) | set(summary.runs["reason"])
    # The death of a run's process changes the run's state but no file, so a summary with running or killed runs is not
    # cached. Neither is one with the state of a sequential rule, which the cache cannot hold.
    if len(summary.runs) < _MIN_RUNS or states & {"running", "killed"} or summary.round is not None:
        return
    folder = snapshot.folder.path / ".cache"
    values = {cell: {int(seed): value for seed, value in seeds.items()} for cell, seeds in summary.values.items()}
    contents = {"key": key, "values": values, "notes": summary.notes, "sentences": summary.sentences}
    try:
        # The file with the key is removed first and written last, so that it never describes tables of another key.
        (folder / "summary.json").unlink(missing_ok=True)
        for name in (*_FRAMES, _CURVES):
            _write_frame(folder / f"{name}.arrow", getattr(summary, name))
        write_text(folder / "summary.json", json.dumps(contents))
    except (OSError, ValueError, TypeError, StoreError, pa.ArrowException):
        return  # the folder cannot be written, or a table holds values that Feather or JSON cannot


def _write_frame(path: Path, frame: pd.DataFrame) -> None:
    # Columns of the dtype object hold texts that repeat: as categories they are written and read several times as fast.
    objects = {name: "category" for name in frame.columns if frame[name].dtype == object}
    buffer = io.BytesIO()
    frame.astype(objects).to_feather(buffer)
    write_bytes(path, buffer.getvalue())


def _read_frame(path: Path) -> pd.DataFrame:
    frame = pd.read_feather(io.BytesIO(read_file(path) or b""))
    return frame.astype({name: object for name in frame.columns if frame[name].dtype == "category"})


def files_are_current(study: StudyFolder, key: str) -> bool:
    """Whether the files of the last report were written under this key and are all still there, unchanged.

    Args:
        study: The study's folder.
        key: That of the files; it begins with the :func:`cache_key` and adds the options of the report.
    """
    stored = _read_json(study.path / ".cache" / "files.json", key)
    if stored is None:
        return False
    return all(_file_version(study.path / name) == version for name, version in stored["files"].items())


def save_files(study: StudyFolder, key: str) -> None:
    """Record the files of a report with their versions, for :func:`files_are_current`.

    Args:
        study: The study's folder.
        key: That of the files, see :func:`files_are_current`.
    """
    paths = [*study.path.glob("*.*"), *study.tables.rglob("*"), *study.figures.rglob("*")]
    names = [str(path.relative_to(study.path)) for path in paths if path.is_file() and path.name not in _INPUTS]
    files = {name: _file_version(study.path / name) for name in sorted(names) if not name.startswith(".")}
    try:
        write_text(study.path / ".cache" / "files.json", json.dumps({"key": key, "files": files}))
    except StoreError:
        return


def _file_version(path: Path) -> list[int]:
    """Time, size and inode of a file, of which one changes when it is written again; empty where it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def _read_json(path: Path, key: str) -> dict[str, Any] | None:
    """The contents of a JSON file that carries this key; None where it is missing, damaged or has another key."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) and values.get("key") == key else None
