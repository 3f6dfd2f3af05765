"""The curves of many runs at once: from their files to one table, and from a table to CSV.

A study of 10,000 runs has about a million epochs. Parsing its files one by one, or writing the table with pandas, would
take longer than the whole analysis. So files with the same header are parsed together, and Arrow formats the numbers.
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

_FILES_AT_ONCE = 250  # files that are read and parsed in one batch
_ROWS_AT_ONCE = 100_000  # rows that are formatted in one batch; Arrow cannot join texts of more than 2 GB


def read_curves(folders: Sequence[Path]) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read the curves of runs, each from its ``curves.csv`` or else from another CSV with a column ``epoch``.

    Of several other CSVs the first by name counts.

    Args:
        folders: The folders of the runs.

    Returns:
        Two values. A table with one row per run and epoch, in the order of the runs: ``run`` (the position of its
        folder in ``folders``), ``epoch``, then the columns that the runs wrote, NaN where a run lacks a column. And the
        faults: by the same position, why a run has no curve although it has a ``curves.csv``.
    """
    frames: list[pd.DataFrame] = []
    faults: dict[int, str] = {}
    for begin in range(0, len(folders), _FILES_AT_ONCE):
        frames += _read_batch(folders, range(begin, min(begin + _FILES_AT_ONCE, len(folders))), faults)
    if not frames:
        return pd.DataFrame({"run": [], "epoch": []}, dtype=int), faults
    # Concatenating in the order of the runs makes the first run that has a column decide the column's place.
    frames.sort(key=lambda frame: int(frame["run"].iloc[0]))
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values("run", kind="stable", ignore_index=True), faults


def _read_batch(folders: Sequence[Path], positions: Iterable[int], faults: dict[int, str]) -> list[pd.DataFrame]:
    """The curves of the runs at ``positions``, as few tables as possible; what is wrong is added to ``faults``.

    Files with the same header share a table, unless one of them needs the slower parser, which takes each by itself.
    """
    files: dict[int, bytes] = {}
    by_header: dict[bytes, list[int]] = {}
    for position in positions:
        try:
            data = read_file(folders[position] / "curves.csv") or b""
        except StoreError:
            data, faults[position] = b"", "cannot be read"
        files[position] = data[: data.rfind(b"\n") + 1]  # without the unfinished last line of a killed run
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
    """Parse files that all begin with ``header`` as one; None where one of them is not plain numbers by epoch.

    Args:
        header: Their first line.
        files: The complete lines of each file, header included, by position of the run.
    """
    names = next(csv.reader([header.decode(errors="replace")]), [])
    bodies = [data[len(header) + 1 :] for data in files.values()]
    # The second condition: a column occurs twice, or one is called like our own column ``run``.
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
    row_counts = [body.count(b"\n") for body in bodies]
    if len(epochs) != sum(row_counts) or not np.isfinite(epochs).all() or (epochs % 1).any():
        return None
    frame: pd.DataFrame = table.to_pandas()
    frame["epoch"] = epochs.astype(int)
    frame.insert(0, "run", np.repeat(list(files), row_counts))
    return frame


def _foreign_curves(folder: Path, data: bytes) -> pd.DataFrame:
    """The numeric columns of the first CSV by name in a folder that has a column ``epoch``; empty where none has.

    Args:
        folder: The folder of a run.
        data: The complete lines of its ``curves.csv``, which is not read a second time.
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
    """The rows whose ``epoch`` is a number, with ``epoch`` as the first column; empty without such a column."""
    if "epoch" not in frame:
        return pd.DataFrame()
    frame = frame[np.isfinite(frame["epoch"])].drop(columns="run", errors="ignore")
    return frame[["epoch", *frame.columns.drop("epoch")]].astype({"epoch": int})


def curves_csv(frame: pd.DataFrame) -> bytes:
    r"""A table as CSV: the bytes that ``frame.to_csv(index=False)`` gives, in a fifth of its time.

    Args:
        frame: A table whose columns hold texts, integers or floats.

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
        # Arrow joins the lines of a list, so all lines go into one list; Python's join takes ten times as long.
        buffer.write(pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0].as_buffer())
        buffer.write(b"\n")
    return buffer.getvalue()


def _texts(column: pd.Series) -> pa.Array:
    """The fields of a column as pandas writes them; a missing value stays missing."""
    values = column.to_numpy()
    if column.dtype.kind in "iu":
        return pc.cast(pa.array(values), pa.string())
    if column.dtype.kind != "f":
        codes, labels = pd.factorize(values)
        quoted = pa.array([_quoted(str(label)) for label in labels], pa.string())
        return quoted.take(pa.array(codes, mask=codes < 0))
    texts = pc.cast(pa.array(values, from_pandas=True), pa.string())
    # Arrow and Python write the same digits, but small, large and whole numbers in another notation: Python's counts.
    magnitudes = np.abs(values)
    differing = (magnitudes < 1e-4) | (magnitudes >= 1e9) | (values == np.floor(values))
    return pc.replace_with_mask(texts, differing, pa.array(map(repr, values[differing].tolist()), pa.string()))


def _quoted(text: str) -> str:
    line = io.StringIO()
    # The csv module quotes an empty field that is alone in its line, so a second field is added and cut off again.
    csv.writer(line, lineterminator="\n").writerow([text, ""])
    return line.getvalue().removesuffix(",\n")
