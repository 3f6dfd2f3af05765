"""The curves of many runs at once: from their files to one table, and from a table to CSV.

A study of 10,000 runs has a million epochs. Parsing its files one by one, or writing its numbers with pandas, would
take longer than all that is computed from them; so files of equal columns are parsed together, and Arrow turns numbers
into text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from ablate.errors import StoreError
from ablate.store.records import CurvesFile, read_file

_TOGETHER = 250  # runs whose files are in memory at once
_ROWS = 100_000  # rows that are in memory as text at once; what Arrow joins must stay below 2 GB


def read_curves(folders: Sequence[Path]) -> tuple[pd.DataFrame, dict[int, str]]:
    """The curves of runs: ``curves.csv``, or else the first CSV beside it that has an ``epoch`` column.

    Args:
        folders: The folders of the runs.

    Returns:
        A row an epoch, in the order of the runs: ``run`` (its position in ``folders``), ``epoch``, then the columns
        that the runs wrote, NaN where a run has no such column. And by position of a run, why there is no curve in the
        ``curves.csv`` that it has.
    """
    frames: list[pd.DataFrame] = []
    faults: dict[int, str] = {}
    for begin in range(0, len(folders), _TOGETHER):
        frames += _read_some(folders, range(begin, min(begin + _TOGETHER, len(folders))), faults)
    if not frames:
        return pd.DataFrame({"run": [], "epoch": []}, dtype=int), faults
    # Columns in the order in which the runs bring them.
    frames.sort(key=lambda frame: int(frame["run"].iloc[0]))
    table = pd.concat(frames, ignore_index=True)
    if not table["run"].is_monotonic_increasing:
        table = table.sort_values("run", kind="stable", ignore_index=True)
    return table, faults


def _read_some(folders: Sequence[Path], places: Iterable[int], faults: dict[int, str]) -> list[pd.DataFrame]:
    """The curves of the runs at some places, in tables of runs with equal columns; faults are added to ``faults``."""
    regular: dict[bytes, list[tuple[int, bytes]]] = {}
    others: list[tuple[int, bytes | None]] = []
    for place in places:
        try:
            data = read_file(folders[place] / "curves.csv")
        except StoreError:
            data, faults[place] = None, "cannot be read"
        header, body = _regular_lines(data or b"")
        if body:
            regular.setdefault(header, []).append((place, body))
        elif not header:
            others.append((place, data))
    frames: list[pd.DataFrame] = []
    for header, group in regular.items():
        frame = _parse_together(header, group)
        if frame is None:
            others += [(place, header + b"\n" + body) for place, body in group]
        else:
            frames.append(frame)
    for place, data in others:
        frame = _parse_alone(folders[place], data)
        if frame is not None:
            frames.append(frame.assign(run=place))
            faults.pop(place, None)
        elif data is not None and (fault := CurvesFile.parse(data).fault):
            faults[place] = fault
    return frames


def _regular_lines(data: bytes) -> tuple[bytes, bytes]:
    """Header and complete lines of a ``curves.csv`` as runs write it; nothing of one in any other form."""
    header, _, rest = data.partition(b"\n")
    body = rest[: rest.rfind(b"\n") + 1]
    separators = header.count(b",")
    is_regular = header.startswith(b"epoch") and b'"' not in header and b"\r" not in data
    return (header, body) if is_regular and body.count(b",") == body.count(b"\n") * separators else (b"", b"")


def _parse_together(header: bytes, group: Sequence[tuple[int, bytes]]) -> pd.DataFrame | None:
    """The rows of runs whose files have the same header; None where one of them must be looked at alone."""
    names = header.decode(errors="replace").split(",")
    if names[0] != "epoch" or len({*names, "run"}) <= len(names):
        return None
    lengths = [body.count(b"\n") for _, body in group]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(b"".join(body for _, body in group)),
            read_options=arrow_csv.ReadOptions(column_names=names),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
    except pa.ArrowInvalid:
        return None
    epochs = table["epoch"].to_numpy()
    if len(epochs) != sum(lengths) or not np.isfinite(epochs).all() or (epochs % 1).any():
        return None
    frame: pd.DataFrame = table.to_pandas()
    frame["epoch"] = epochs.astype(int)
    frame.insert(0, "run", np.repeat([place for place, _ in group], lengths))
    return frame


def _parse_alone(folder: Path, data: bytes | None) -> pd.DataFrame | None:
    """The rows of one run whose ``curves.csv`` has another form than runs give it, or is missing."""
    rows = [] if data is None else CurvesFile.parse(data).rows
    if not rows or "epoch" not in rows[0]:
        rows = _foreign_rows(folder, data)
    frame = pd.DataFrame([row for row in rows if np.isfinite(row.get("epoch", np.nan))], dtype=float)
    if frame.empty:
        return None
    names = dict.fromkeys(["epoch", *(name for name in frame if name != "run")])
    return frame[list(names)].astype({"epoch": int})


def _foreign_rows(folder: Path, data: bytes | None) -> list[dict[str, float]]:
    """The rows of the first CSV in a folder that has a column ``epoch``, whatever else is in it."""
    for path in sorted(folder.glob("*.csv")):
        try:
            frame = pd.read_csv(io.BytesIO((data if path.name == "curves.csv" else read_file(path)) or b""))
        except (StoreError, ValueError):
            continue
        numbers = frame.select_dtypes("number")
        if "epoch" in numbers.columns:
            rows = [
                {str(name): value for name, value in row.items() if pd.notna(value)}
                for row in numbers.to_dict(orient="records")
            ]
            return [row for row in rows if "epoch" in row and len(row) > 1]
    return []


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
    for begin in range(0, len(frame), _ROWS):
        rows = frame.iloc[begin : begin + _ROWS]
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
