"""The cache in a study's folder: its summary, and a record of the files that a report wrote.

Both carry a key, see :func:`cache_key`, and count for as long as the key is the same. A summary is stored as Arrow
tables (Feather files) and JSON in ``.cache``. That folder may be deleted at any time; what is damaged or has another
key is computed anew. Nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

import ablate
from ablate.analysis import Summary
from ablate.errors import StoreError
from ablate.store import StudyFolder, write_bytes, write_json
from ablate.store.files import read_file
from ablate.store.json_files import InvalidFile, parse_json
from ablate.store.run_folder import digest
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
    study = snapshot.folder
    stored = _read_json(study, "summary.json", key)
    if stored is None:
        return None
    try:
        frames: dict[str, Any] = {name: _read_frame(study, name, stored) for name in _FRAMES}
    except (KeyError, ValueError, StoreError, pa.ArrowException):
        return None

    def read_curves() -> pd.DataFrame:
        try:
            # Another process may have cached the summary of a later state since; then the runs' own files are read.
            is_same = _read_json(study, "summary.json", key) is not None
            return _read_frame(study, _CURVES, stored) if is_same else snapshot.curves
        except (KeyError, ValueError, StoreError, pa.ArrowException):
            return snapshot.curves

    frames["read_curves"] = read_curves
    frames["read_confusions"] = lambda: snapshot.confusions
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
    folder = snapshot.folder.cache
    values = {cell: {int(seed): value for seed, value in seeds.items()} for cell, seeds in summary.values.items()}
    contents = {"key": key, "values": values, "notes": summary.notes, "sentences": summary.sentences}
    try:
        # The file with the key is removed first and written last, so that it never describes tables of another key.
        (folder / "summary.json").unlink(missing_ok=True)
        digests = {name: _write_frame(folder / f"{name}.arrow", getattr(summary, name)) for name in (*_FRAMES, _CURVES)}
        write_json(folder / "summary.json", {**contents, "digests": digests})
    except (OSError, ValueError, TypeError, StoreError, pa.ArrowException):
        return  # the folder cannot be written, or a table holds values that Feather or JSON cannot


def _write_frame(path: Path, frame: pd.DataFrame) -> str:
    """Write a table; returns the digest of the file."""
    # Columns of the dtype object hold texts that repeat: as categories they are written and read several times as fast.
    objects = {name: "category" for name in frame.columns if frame[name].dtype == object}
    buffer = io.BytesIO()
    frame.astype(objects).to_feather(buffer)
    write_bytes(path, buffer.getvalue())
    return digest(buffer.getvalue())


def _read_frame(study: StudyFolder, name: str, stored: Mapping[str, Any]) -> pd.DataFrame:
    data = read_file(study.cache / f"{name}.arrow", study.path) or b""
    if digest(data) != stored["digests"][name]:
        raise StoreError(f"The cached table {name} is damaged.")  # Arrow itself would read other numbers
    frame = pd.read_feather(io.BytesIO(data))
    return frame.astype({name: object for name in frame.columns if frame[name].dtype == "category"})


def files_are_current(study: StudyFolder, key: str) -> bool:
    """Whether the files of the last report were written under this key and are all still there, unchanged.

    Args:
        study: The study's folder.
        key: That of the files; it begins with the :func:`cache_key` and adds the options of the report.
    """
    stored = _read_json(study, "files.json", key)
    if stored is None or not isinstance(stored.get("files"), dict):
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
        write_json(study.cache / "files.json", {"key": key, "files": files})
    except StoreError:
        return


def _file_version(path: Path) -> list[int]:
    """Time, size and inode of a file, of which one changes when it is written again; empty where it is missing."""
    try:
        stat = path.lstat()
    except OSError:
        return []
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def _read_json(study: StudyFolder, name: str, key: str) -> dict[str, Any] | None:
    """The contents of a JSON file of the cache that carries this key; None where it has another or cannot be read."""
    try:
        values = parse_json(read_file(study.cache / name, study.path) or b"", dict[str, Any])
    except (InvalidFile, StoreError):
        return None
    return values if values.get("key") == key else None
