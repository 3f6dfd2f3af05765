"""The cache of a study's folder: its summary and the files made of it, for as long as no input has changed.

A summary is stored as Arrow tables (Feather files) and JSON in ``.cache``, which may be deleted at any time; a damaged
or foreign one is made again. Nothing in it is executed.
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
_MIN_RUNS = 200  # smaller studies are summarised as fast as a cache is read
_FRAMES = ("cells", "effects", "pairs", "runs", "robustness", "convergence", "costs")
_CURVES = "curves"  # read when they are first used


def cache_key(snapshot: Snapshot) -> str:
    """A digest of what everything in a report depends on: the study's files and the software.

    Args:
        snapshot: The study.
    """
    return hashlib.sha256("\n".join((snapshot.digest, *_software())).encode()).hexdigest()


@cache
def _software() -> tuple[str, ...]:
    root = Path(ablate.__file__).parent
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".pyc")  # templates too
    code = [f"{path} {(stat := path.stat()).st_mtime_ns} {stat.st_size}" for path in files]
    return (*code, *(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES))


def load_summary(snapshot: Snapshot, key: str) -> dict[str, Any] | None:
    """The arguments of the summary that was cached under a key, or None where there is none.

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
            # Another process may have collected the study again in the meantime.
            is_same = _read_json(folder / "summary.json", key) is not None
            return _read_frame(folder / f"{_CURVES}.arrow") if is_same else snapshot.curves
        except (OSError, ValueError, StoreError, pa.ArrowException):
            return snapshot.curves

    frames["read_curves"] = read_curves
    values = {cell: {int(seed): value for seed, value in seeds.items()} for cell, seeds in stored["values"].items()}
    notes, sentences = tuple(stored["notes"]), stored["sentences"]
    return {"plan": snapshot.record.plan, **frames, "values": values, "notes": notes, "sentences": sentences}


def save_summary(snapshot: Snapshot, key: str, summary: Summary) -> None:
    """Cache a summary, if its study is large and nothing in it may change while no file does.

    Args:
        snapshot: The study.
        key: See :func:`cache_key`.
        summary: The summary.
    """
    states = set(summary.runs["state"]) | set(summary.runs["reason"])
    # No file changes when the process of a run dies. The state of the sequential rule is not stored.
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
        return  # a folder that cannot be written, or a table of other things than texts and numbers


def _write_frame(path: Path, frame: pd.DataFrame) -> None:
    # Columns of objects, texts that repeat, are stored and read several times as fast as categories.
    objects = {name: "category" for name in frame.columns if frame[name].dtype == object}
    buffer = io.BytesIO()
    frame.astype(objects).to_feather(buffer)
    write_bytes(path, buffer.getvalue())


def _read_frame(path: Path) -> pd.DataFrame:
    frame = pd.read_feather(io.BytesIO(read_file(path) or b""))
    return frame.astype({name: object for name in frame.columns if frame[name].dtype == "category"})


def files_are_current(study: StudyFolder, key: str) -> bool:
    """Whether all files that were made under a key are still there, unchanged.

    Args:
        study: The study's folder.
        key: See :func:`cache_key`.
    """
    stored = _read_json(study.path / ".cache" / "files.json", key)
    if stored is None:
        return False
    return all(_file_version(study.path / name) == version for name, version in stored["files"].items())


def save_files(study: StudyFolder, key: str) -> None:
    """Record time and size of the files that were made of a study's runs.

    Args:
        study: The study's folder.
        key: See :func:`cache_key`.
    """
    paths = [*study.path.glob("*.*"), *study.tables.rglob("*"), *study.figures.rglob("*")]
    names = [str(path.relative_to(study.path)) for path in paths if path.is_file() and path.name not in _INPUTS]
    files = {name: _file_version(study.path / name) for name in sorted(names) if not name.startswith(".")}
    try:
        write_text(study.path / ".cache" / "files.json", json.dumps({"key": key, "files": files}))
    except StoreError:
        return


def _file_version(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def _read_json(path: Path, key: str) -> dict[str, Any] | None:
    """The values of a file that was written under a key; None where there is none."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) and values.get("key") == key else None
