"""The curves of many runs at once: from their files to one table, and from a table to CSV.

A study of 10,000 runs has about a million epochs. Parsing its files one by one, or writing the table with pandas, would
take longer than the whole analysis. So files with the same header are parsed together, and Arrow formats the numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from ablate.characters import csv_text
from ablate.errors import StoreError
from ablate.store.curve_file import NoEpochs, UnusableCurve, parse_curve
from ablate.store.files import read_file
from ablate.store.run_folder import COLLECTED_CURVE, RunFolder, digest

_CURVES = "curves.csv"
_FILES_AT_ONCE = 250  # files that are read and parsed in one batch
_ROWS_AT_ONCE = 100_000  # rows that are formatted in one batch; Arrow cannot join texts of more than 2 GB


@dataclass(frozen=True)
class Curves:
    """The curves of many runs.

    Args:
        table: One row per run and epoch, in the order of the runs: ``run`` (the position of the run), ``epoch``, then
            the columns that the runs wrote, NaN where a run lacks a column.
        missing: Why a run has no curve although it has a file for one, by the run's position: the name of the file,
            and what is wrong with it.
        changes: How the rows of a run were read in another way than they stand in its file, likewise.
    """

    table: pd.DataFrame
    missing: Mapping[int, str]
    changes: Mapping[int, str]


def read_curves(folders: Sequence[RunFolder], digests: Sequence[Mapping[str, str] | None] = ()) -> Curves:
    """Read the curves of runs.

    Each is that which was collected of the run's files when it ended, or its ``curves.csv``, or, of a run that has not
    ended, another CSV with a column ``epoch``: of several the first by name that gives a curve. A file that is not what
    it was when its run finished is not used. Whatever is wrong with a file costs only the curve of its run.

    Args:
        folders: The folders of the runs.
        digests: For each finished run the digests of its CSV files (see :attr:`ablate.store.Result.files`), None for
            a run that has not finished and may have left an unfinished line; empty if none has finished.
    """
    frames: list[pd.DataFrame] = []
    missing: dict[int, str] = {}
    changes: dict[int, str] = {}
    collected: set[int] = set()
    stored = digests or [None] * len(folders)
    for begin in range(0, len(folders), _FILES_AT_ONCE):
        by_header: dict[bytes, dict[int, bytes]] = {}
        for position in range(begin, min(begin + _FILES_AT_ONCE, len(folders))):
            data = b""
            try:
                data = _lines(folders[position], COLLECTED_CURVE, stored[position])
                collected |= {position} if data else set()
                data = data or _lines(folders[position], _CURVES, stored[position])
            except UnusableCurve as error:
                missing[position] = f"{_CURVES} {error}"
            by_header.setdefault(data.partition(b"\n")[0], {})[position] = data
        for header, files in by_header.items():
            together = _parse_together(header, files)
            if together is not None:
                frames.append(together)
                continue
            for position, data in files.items():
                if position in collected and data.count(b"\n") <= 1:
                    continue  # its files give no curve; result.json says why
                frame, remark = _parse_alone(folders[position], data, stored[position])
                if frame is not None:
                    frames.append(frame.assign(run=position))
                    missing.pop(position, None)
                    changes |= {position: remark} if remark else {}
                elif remark:
                    missing.setdefault(position, remark)
    if not frames:
        return Curves(pd.DataFrame({"run": [], "epoch": []}, dtype=int), missing, changes)
    # Concatenating in the order of the runs makes the first run that has a column decide the column's place.
    frames.sort(key=lambda frame: int(frame["run"].iloc[0]))
    table = pd.concat(frames, ignore_index=True)
    return Curves(table.sort_values("run", kind="stable", ignore_index=True), missing, changes)


def _lines(folder: RunFolder, name: str, digests: Mapping[str, str] | None) -> bytes:
    """The complete lines of a CSV file of a run; empty where there is no such file.

    Args:
        folder: The run's folder.
        name: The file's name.
        digests: See :func:`read_curves`.

    Raises:
        UnusableCurve: If it cannot be read, or is not what it was when the run finished.
    """
    try:
        data = read_file(folder.path / name, folder.root)
    except StoreError as error:
        raise UnusableCurve(f"cannot be read: {error}".removesuffix(".")) from error
    if digests is not None and name in digests:
        if data is None:
            raise UnusableCurve("is missing, though it was there when the run finished")
        if digest(data) != digests[name]:
            raise UnusableCurve("was changed after the run had finished (result.json has its digest)")
    if not data:
        return b""
    if digests is None:
        return data[: data.rfind(b"\n") + 1]
    return data if data.endswith(b"\n") else data + b"\n"


def _parse_together(header: bytes, files: Mapping[int, bytes]) -> pd.DataFrame | None:
    """Parse files that all begin with ``header`` as one; None where one of them is not plain numbers, epoch by epoch.

    Args:
        header: Their first line.
        files: The complete lines of each file, header included, by position of the run.
    """
    try:
        names = next(csv.reader([header.decode(errors="replace")]), [])
    except csv.Error:  # a field that is too long
        return None
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
    is_whole = np.isfinite(epochs).all() and not (epochs % 1).any() and (np.abs(epochs) < 2**53).all()
    if len(epochs) != sum(row_counts) or not is_whole:
        return None
    runs = np.repeat(list(files), row_counts)
    if ((np.diff(epochs) <= 0) & (np.diff(runs) == 0)).any():
        return None  # an epoch stands twice, as after a restart
    frame: pd.DataFrame = table.to_pandas()
    frame["epoch"] = epochs.astype(int)
    frame.insert(0, "run", runs)
    return frame


def _parse_alone(folder: RunFolder, data: bytes, digests: Mapping[str, str] | None) -> tuple[pd.DataFrame | None, str]:
    """The curve of one run from its ``curves.csv``, or else from the first other CSV file that gives one.

    Args:
        folder: The run's folder.
        data: The lines of its ``curves.csv``, which is not read a second time.
        digests: See :func:`read_curves`.

    Returns:
        The curve, or None; and how it was read in another way than it stands there, or why there is none: the name of
        the file and what is wrong with it, empty where the run has no file for a curve.
    """
    others = sorted(path.name for path in folder.path.glob("*.csv") if path.name != _CURVES)
    faults = []
    for name in [*([_CURVES] if data.count(b"\n") > 1 else []), *others]:
        try:
            lines = data if name == _CURVES else _lines(folder, name, digests)
            if lines.count(b"\n") <= 1:
                continue  # the run has not written its first row yet
            frame, change = parse_curve(lines)
        except UnusableCurve as error:
            if name == _CURVES or not isinstance(error, NoEpochs):  # an application writes other tables, too
                faults.append(f"{name} {error}")
            continue
        return frame, f"{name} {change}" if change else ""
    return None, faults[0] if faults else ""


def curves_csv(frame: pd.DataFrame) -> bytes:
    r"""A table as CSV: the text that :func:`ablate.characters.frame_csv` gives, in a fifth of its time.

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
    csv.writer(line, lineterminator="\n").writerow([csv_text(text), ""])
    return line.getvalue().removesuffix(",\n")
