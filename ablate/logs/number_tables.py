"""Tables of numbers in foreign CSV files: decimal commas, cut-off lines, repeated headers, logs that began again."""

from __future__ import annotations

import codecs
import csv
import functools
import io
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.formatting import listing, plural
from ablate.logs.files import FileNote, SourceFolder, decode
from ablate.logs.number_table import NumberTable
from ablate.logs.printing import short_line
from ablate.logs.regular_files import UnreadableFile

if TYPE_CHECKING:
    import pandas as pd

_LARGEST_TABLE = 256_000_000  # bytes
_LONGEST_LINE = 100_000  # bytes; also the longest field that Python's reader takes
MOST_COLUMNS = 5_000
"""The largest number of numbers by name that a file of results is read with."""

MOST_FIELDS = 20_000_000
"""The most fields that a table is read with."""

_STEPS = ("epoch", "step", "global_step", "iteration", "iter", "round", "timestep", "generation")
# Names that hardly anything but a log has: a table of results may have the number of iterations as a level.
_LOG_STEPS = (
    *("epoch", "step", "global_step", "total_timesteps", "timesteps_total", "timesteps", "timestep", "num_timesteps"),
    *("training_iteration", "iteration", "iterations", "iter", "round", "generation", "total_steps"),
)
_MOST_TEXTS = 6  # that tell rows of one epoch apart, such as train, val and test
_NUMBER = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?(?:[eE][-+]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?(?:0,\d|\d{1,3}(?:\.\d{3})+,\d).*")


@functools.lru_cache(maxsize=1)  # the format is recognised by the table that is read right after
def read_table(folder: SourceFolder, file: str) -> pd.DataFrame:
    """The rows of a CSV file (commas, semicolons or tabs) with stripped column names.

    Notes in the folder what was left out or read in another way.

    Raises:
        UnreadableFile: If there is no table in it.
    """
    import pandas as pd

    data = _without_comments(folder.read_bytes(file, _LARGEST_TABLE).removeprefix(codecs.BOM_UTF8))
    if b"\0" in data:
        raise UnreadableFile("is no text")
    head = data.lstrip(b"\r\n").partition(b"\n")[0]
    if not head.strip():
        raise UnreadableFile("is empty")
    separator = max(",;\t", key=lambda letter: head.count(letter.encode()))
    _check_size(data, head, separator)
    decode(data)  # says where it is no UTF-8
    width = len(next(csv.reader([head.decode()], delimiter=separator)))
    last = data.rpartition(b"\n")[2].split(separator.encode())
    if not data.endswith(b"\n") and len(last) < width and b"\n" in data:
        folder.notes.append(FileNote(file, f"its last line was cut off ({len(last)} of {width} fields)"))
        data = data[: data.rindex(b"\n") + 1]
    try:
        frame = pd.read_csv(io.BytesIO(data), sep=separator, index_col=False, on_bad_lines="skip", low_memory=False)
    except (ValueError, OverflowError, pd.errors.ParserError) as error:
        raise UnreadableFile(f"is no table: {error}") from error
    frame.columns = [short_line(" ".join(str(name).split())) for name in frame.columns]
    lines = sum(bool(line.strip()) for line in io.BytesIO(data)) - 1
    if (skipped := lines - len(frame)) > 0:
        folder.notes.append(FileNote(file, f"{plural(skipped, 'line')} of another width left out"))
    # A program that starts again may append its header, too; a column of numbers has no place for its name.
    if all(dtype.kind not in "biuf" for dtype in frame.dtypes):
        is_header = frame.apply(lambda column: column.astype(str).str.strip() == column.name).all(axis=1)
        if is_header.any():
            frame = frame[~is_header].reset_index(drop=True)
            folder.notes.append(FileNote(file, f"its header stands {int(is_header.sum()) + 1} times", changed=True))
    frame, converted = with_decimal_points(frame, separator)
    if converted:
        phrase = f"the comma in {', '.join(converted)} was read as a decimal point"
        folder.notes.append(FileNote(file, phrase, changed=True))
    return frame


def _without_comments(data: bytes) -> bytes:
    """A file without the objects (``#{...}``) above its header, as monitors of environments write them."""
    while data.startswith(b"#{") and b"\n" in data:
        data = data.partition(b"\n")[2]
    return data


def _check_size(data: bytes, head: bytes, separator: str) -> None:
    """Refuse a table that would take more memory than its file lets expect.

    Raises:
        UnreadableFile: If a line is too long, or there are too many columns or fields.
    """
    import numpy as np

    columns = head.count(separator.encode()) + 1
    if columns > MOST_COLUMNS:
        raise UnreadableFile(f"has {columns:,} columns; at most {MOST_COLUMNS:,} are read")
    if (fields := columns * (data.count(b"\n") + 1)) > MOST_FIELDS:
        raise UnreadableFile(f"has {fields:,} fields; at most {MOST_FIELDS:,} are read")
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    longest = int(np.diff(ends, prepend=-1, append=len(data)).max()) - 1
    if longest > _LONGEST_LINE:
        raise UnreadableFile(f"has a line of {longest:,} bytes; at most {_LONGEST_LINE:,} are read")


def with_decimal_points(frame: pd.DataFrame, separator: str) -> tuple[pd.DataFrame, list[str]]:
    """A table whose decimal commas, as in much of Europe, are read as such.

    ``64,128`` may as well be a list of two widths. So a column counts as one of decimal commas only if the table shows
    in some column that it writes numbers so (``0,5`` or ``1.234,5``), or separates its columns by semicolons.

    Args:
        frame: The table.
        separator: What separates its columns.

    Returns:
        The table, and the names of the columns that were converted.

    Example:
        >>> import pandas as pd
        >>> with_decimal_points(pd.DataFrame({"acc": ["0,5", "0,75"], "n": [1, 2]}), ";")[0]["acc"].tolist()
        [0.5, 0.75]
    """
    candidates = []
    is_shown = separator == ";"
    for name in frame.select_dtypes(exclude="number").columns:
        texts = frame[name].dropna().astype(str).str.strip()
        if texts.str.contains(",").any() and texts.str.fullmatch(_NUMBER).all():
            candidates.append(str(name))
            is_shown = is_shown or bool(texts.str.fullmatch(_DECIMAL_COMMA).any())
    if not is_shown:
        return frame, []
    numbers = {
        name: frame[name].astype("string").str.strip().str.replace(".", "").str.replace(",", ".").astype("Float64")
        for name in candidates
    }
    return frame.assign(**{name: values.astype(float) for name, values in numbers.items()}), candidates


def read_log(folder: SourceFolder, file: str) -> NumberTable | None:
    """The numbers of a CSV file that a training wrote line by line; None where there are none.

    Notes in the folder what was left out, and a file that cannot be read.
    """
    table = None
    with folder.noting_faults(file):
        table = log_table(folder, file, read_table(folder, file))
    return table


def log_table(folder: SourceFolder, file: str, frame: pd.DataFrame) -> NumberTable | None:
    """The numbers of rows that a training wrote one after another; None where there are none.

    Rows without a number in the column that counts are left out, those that a restarted program wrote again replace the
    earlier ones, and several rows of an epoch become one: of each column the last number counts, unless a column of
    texts, such as ``train`` and ``val``, tells them apart. All of that is noted in the folder.

    Args:
        folder: Takes the notes.
        file: The name of the file.
        frame: Its rows in the order in which they were written.
    """
    from ablate.logs.restarts import without_superseded_rows

    frame = _counted_rows(folder, file, frame.loc[:, ~frame.columns.duplicated()])
    step = _counter(frame, _LOG_STEPS)
    if not step:
        return number_table(frame)
    current, restarts = without_superseded_rows(frame, step)
    if restarts:
        times = "once" if restarts == 1 else f"{restarts} times"
        phrase = (
            f"its column '{step}' falls back {times}, as where a training began again; "
            f"{len(frame) - len(current)} rows were replaced by later ones"
        )
        folder.notes.append(FileNote(file, phrase, changed=True))
    current = _told_apart(folder, file, current, step)
    table = number_table(current, _LOG_STEPS)
    if table is None or table.step != step:
        return table
    measured = [name for name in table.metrics if plain_name(name) not in _LOG_STEPS]
    filled = current[measured].notna().groupby(current[step]).sum()
    repeated = filled.index[filled.gt(1).any(axis=1)]
    if repeated.empty:
        return table
    phrase = f"has more than one row for {step} {listing((f'{value:g}' for value in repeated), 3)}"
    folder.notes.append(FileNote(file, f"{phrase}; the last number of each column counts", changed=True))
    # Rows with a second counter, such as the steps of an epoch, are those of a log.
    return replace(table, is_repeated=len(measured) == len(table.metrics))


def plain_name(name: object) -> str:
    """The name of a column without what stands before a slash, as counters are called."""
    return str(name).lower().rpartition("/")[2].strip("_ ")


def is_counter(name: str) -> bool:
    """Whether a column is called like one that counts epochs or steps."""
    return plain_name(name) in _LOG_STEPS


def _counter(frame: pd.DataFrame, counters: tuple[str, ...]) -> str:
    """The column that counts, by its name without what stands before a slash; one of whole numbers where there is one.

    An ``epoch`` that also counts parts of epochs gives way to a column of steps.
    """
    numbers: dict[str, str] = {}
    for name in frame.columns:
        if frame[name].dtype.kind in "iuf" and frame[name].notna().any():
            numbers.setdefault(plain_name(name), str(name))
    places = [numbers[counter] for counter in counters if counter in numbers]
    whole = [name for name in places if not (frame[name].dropna() % 1).any()]
    return next(iter(whole or places), "")


def _counted_rows(folder: SourceFolder, file: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a log as numbers: without those whose counter is none, and without single texts among numbers."""
    names = {plain_name(name): name for name in frame.columns}
    key = next((names[counter] for counter in _LOG_STEPS if counter in names), None)
    if key is None:
        return frame
    counts = as_numbers(frame[key].mask(frame[key].map(lambda value: isinstance(value, bool))))
    if counts.notna().sum() * 2 < frame[key].notna().sum() or not counts.notna().any():
        return frame
    if lost := int((counts.isna() & frame[key].notna()).sum()):
        folder.notes.append(FileNote(file, f"{plural(lost, 'row')} without a number in '{key}' left out"))
        frame, counts = frame[counts.notna()].reset_index(drop=True), counts.dropna().reset_index(drop=True)
    frame = frame.assign(**{str(key): counts})
    odd = 0
    for name in frame.columns:
        if frame[name].dtype.kind in "biuf" or name == key:
            continue
        numbers = as_numbers(frame[name].mask(frame[name].map(lambda value: isinstance(value, bool))))
        if numbers.notna().sum() * 2 > frame[name].notna().sum():
            odd += int((numbers.isna() & frame[name].notna()).sum())
            frame = frame.assign(**{str(name): numbers})
    if odd:
        folder.notes.append(FileNote(file, f"{plural(odd, 'field')} without a number left blank"))
    return frame


def _told_apart(folder: SourceFolder, file: str, frame: pd.DataFrame, step: str) -> pd.DataFrame:
    """A row an epoch with a column for each text that tells rows of one epoch apart, where one column of texts does."""
    if not frame[step].duplicated().any():
        return frame
    texts = [name for name in frame.columns if name != step and frame[name].dtype.kind not in "biuf"]
    for name in texts:
        values = frame[name].dropna().unique()
        is_key = frame[name].notna().all() and not frame.duplicated([step, name]).any()
        # Parts of a data set come back in every epoch; a remark does not.
        if not is_key or not 2 <= len(values) <= _MOST_TEXTS or (frame[name].value_counts() > 1).sum() < 2:
            continue
        numbers = [other for other in frame.columns if other != step and frame[other].dtype.kind in "iuf"]
        wide = frame.pivot(index=step, columns=name, values=numbers)
        wide.columns = [f"{pair[1]}_{pair[0]}" for pair in wide.columns]
        folder.notes.append(FileNote(file, f"its rows of one {step} are told apart by '{name}'", changed=True))
        return wide.dropna(axis=1, how="all").reset_index()
    return frame


def number_table(frame: pd.DataFrame, counters: tuple[str, ...] = _STEPS) -> NumberTable | None:
    """The columns of a table that hold numbers, and what its rows are; None where there is no number.

    Args:
        frame: The table.
        counters: What a column may be called that counts epochs or steps, the preferred name first.
    """
    import pandas as pd

    numbers = {}
    for name in frame.columns:
        if not name or str(name).startswith("Unnamed:"):
            continue  # an index that pandas wrote
        column = frame[name]
        is_bool = column.map(lambda value: isinstance(value, bool))
        values = as_numbers(column.mask(is_bool))
        if values.notna().any() and (values.notna() | column.isna()).all():
            numbers[str(name)] = values
    if not numbers:
        return None
    table = pd.DataFrame(numbers)
    step = _counter(table, counters)
    if list(numbers) == [step]:
        return None
    if step:
        # A logger may write the training and the validation of an epoch as two rows with blanks.
        last = table.dropna(subset=[step]).groupby(step, sort=True).last().reset_index()
        return NumberTable("curve", last, step)
    return NumberTable("single" if len(table) == 1 else "rows", table)


def as_numbers(column: pd.Series) -> pd.Series:
    """A column as numbers, NaN where a value is none, or is a whole number that no float holds."""
    import pandas as pd

    try:
        return pd.to_numeric(column, errors="coerce").astype(float)
    except OverflowError:
        return column.map(lambda value: float("nan") if _is_too_large(value) else value).pipe(as_numbers)


def _is_too_large(value: object) -> bool:
    return isinstance(value, int) and abs(value) > sys.float_info.max
