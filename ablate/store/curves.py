"""The curves of many runs at once: from their files to one table, and from a table to CSV.

A study of 10,000 runs has a million epochs. Parsing its files one by one, or writing its numbers with pandas, would
take longer than all that is computed from them; so files of equal columns are parsed together, and Arrow turns numbers
into text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from ablate.errors import StoreError
from ablate.store.records import CurvesFile, read_file

_FILES_AT_ONCE = 250  # files that are in memory at once
_ROWS_AT_ONCE = 100_000  # rows that are in memory as text at once; what Arrow joins must stay below 2 GB


def read_curves(folders: Sequence[Path]) -> tuple[pd.DataFrame, dict[int, str]]:
    """The curves of runs: ``curves.csv``, or else the first other CSV in the folder that has an ``epoch`` column.

    Args:
        folders: The folders of the runs.

    Returns:
        A row an epoch, in the order of the runs: ``run`` (its position in ``folders``), ``epoch``, then the columns
        that the runs wrote, NaN where a run has no such column. And by position of a run, why its ``curves.csv`` gives
        no curve.
    """
    frames: list[pd.DataFrame] = []
    faults: dict[int, str] = {}
    for begin in range(0, len(folders), _FILES_AT_ONCE):
        frames += _read_batch(folders, range(begin, min(begin + _FILES_AT_ONCE, len(folders))), faults)
    if not frames:
        return pd.DataFrame({"run": [], "epoch": []}, dtype=int), faults
    # Columns in the order in which the runs bring them.
    frames.sort(key=lambda frame: int(frame["run"].iloc[0]))
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values("run", kind="stable", ignore_index=True), faults


def _read_batch(folders: Sequence[Path], positions: Iterable[int], faults: dict[int, str]) -> list[pd.DataFrame]:
    """The curves of some runs, in one table for all files with the same header; faults are added to ``faults``."""
    files: dict[int, bytes] = {}
    by_header: dict[bytes, list[int]] = {}
    for position in positions:
        try:
            data = read_file(folders[position] / "curves.csv") or b""
        except StoreError:
            data, faults[position] = b"", "cannot be read"
        files[position] = data[: data.rfind(b"\n") + 1]  # a run that was killed leaves half of a last line
        by_header.setdefault(data.partition(b"\n")[0], []).append(position)
    frames: list[pd.DataFrame] = []
    for header, group in by_header.items():
        frame = _parse_together(header, {position: files[position] for position in group})
        if frame is not None:
            frames.append(frame)
            continue
        for position in group:
            file = CurvesFile.parse(files[position])
            frame = _numbers_by_epoch(pd.DataFrame(file.rows, dtype=float))
            if frame.empty:
                frame = _foreign_curves(folders[position], files[position])
            if not frame.empty:
                frames.append(frame.assign(run=position))
                faults.pop(position, None)
            elif file.fault:
                faults[position] = file.fault
    return frames


def _parse_together(header: bytes, files: Mapping[int, bytes]) -> pd.DataFrame | None:
    """The rows of runs whose files have the same header; None where each file must be parsed by itself."""
    names = next(csv.reader([header.decode(errors="replace")]), [])
    bodies = [data[len(header) + 1 :] for data in files.values()]
    if names[:1] != ["epoch"] or len({*names, "run"}) <= len(names):
        return None
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(b"".join(bodies)),
            read_options=arrow_csv.ReadOptions(column_names=names),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
    except pa.ArrowInvalid:
        return None
    epochs = table["epoch"].to_numpy()
    lengths = [body.count(b"\n") for body in bodies]
    if len(epochs) != sum(lengths) or not np.isfinite(epochs).all() or (epochs % 1).any():
        return None
    frame: pd.DataFrame = table.to_pandas()
    frame["epoch"] = epochs.astype(int)
    frame.insert(0, "run", np.repeat(list(files), lengths))
    return frame


def _foreign_curves(folder: Path, data: bytes) -> pd.DataFrame:
    """The curves in the first CSV of a folder that has a column ``epoch``, whatever else is in it.

    Args:
        folder: The folder of a run.
        data: The complete lines of its ``curves.csv``.
    """
    for path in sorted(folder.glob("*.csv")):
        try:
            content = data if path.name == "curves.csv" else read_file(path) or b""
            frame = pd.read_csv(io.BytesIO(content)).select_dtypes("number").dropna(axis="columns", how="all")
        except (StoreError, ValueError):
            continue
        if "epoch" in frame:
            return _numbers_by_epoch(frame.dropna(subset=frame.columns.drop("epoch"), how="all").astype(float))
    return pd.DataFrame()


def _numbers_by_epoch(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with the number of an epoch, which becomes the first column; no rows where there is no such column."""
    if "epoch" not in frame:
        return pd.DataFrame()
    frame = frame[np.isfinite(frame["epoch"])].drop(columns="run", errors="ignore")
    return frame[["epoch", *frame.columns.drop("epoch")]].astype({"epoch": int})


def curves_csv(frame: pd.DataFrame) -> bytes:
    r"""A table as CSV, byte for byte as ``frame.to_csv(index=False)`` gives it, in a fifth of the time.

    Args:
        frame: Columns of text, of integers and of floats.

    Example:
        >>> curves_csv(pd.DataFrame({"cell": ["a,b", "c"], "seed": [0, 1], "loss": [1e-5, float("nan")]}))
        b'cell,seed,loss\n"a,b",0,1e-05\nc,1,\n'
    """
    buffer = io.BytesIO()
    buffer.write((",".join(_quoted(str(name)) for name in frame.columns) + "\n").encode())
    for begin in range(0, len(frame), _ROWS_AT_ONCE):
        rows = frame.iloc[begin : begin + _ROWS_AT_ONCE]
        lines = pc.binary_join_element_wise(
            *(_texts(rows[name]) for name in frame.columns), ",", null_handling="replace", null_replacement=""
        )
        # One list that holds all lines, which Arrow joins ten times as fast as Python does.
        buffer.write(pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0].as_buffer())
        buffer.write(b"\n")
    return buffer.getvalue()


def _texts(column: pd.Series) -> pa.Array:
    values = column.to_numpy()
    if column.dtype.kind in "iu":
        return pc.cast(pa.array(values), pa.string())
    if column.dtype.kind != "f":
        codes, labels = pd.factorize(values)
        quoted = pa.array([_quoted(str(label)) for label in labels], pa.string())
        return quoted.take(pa.array(codes, mask=codes < 0))
    texts = pc.cast(pa.array(values, from_pandas=True), pa.string())
    # Arrow writes the same digits as Python, but large, small and whole numbers in another form.
    sizes = np.abs(values)
    others = (sizes < 1e-4) | (sizes >= 1e9) | (values == np.floor(values))
    return pc.replace_with_mask(texts, others, pa.array(map(repr, values[others].tolist()), pa.string()))


def _quoted(text: str) -> str:
    line = io.StringIO()
    # With a second field, since an empty text is quoted where it stands alone.
    csv.writer(line, lineterminator="\n").writerow([text, ""])
    return line.getvalue().removesuffix(",\n")
