"""Tables of numbers in foreign CSV files: decimal commas, cut-off lines, repeated headers, logs that began again."""

from __future__ import annotations

import codecs
import csv
import functools
import io
import re
import sys
from typing import TYPE_CHECKING

from ablate.foreign.files import FileNote, SourceFolder, decode
from ablate.foreign.printing import short_line
from ablate.foreign.reader import NumberTable
from ablate.foreign.regular_files import UnreadableFile
from ablate.formatting import plural

if TYPE_CHECKING:
    import pandas as pd

_LARGEST_TABLE = 256_000_000  # bytes
_LONGEST_LINE = 100_000  # bytes; also the longest field that Python's reader takes
MOST_COLUMNS = 5_000
"""The largest number of numbers by name that a file of results is read with."""

_MOST_FIELDS = 20_000_000
_STEPS = ("epoch", "step", "global_step", "iteration", "iter", "round", "timestep", "generation")
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

    data = folder.read_bytes(file, _LARGEST_TABLE).removeprefix(codecs.BOM_UTF8)
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


def _check_size(data: bytes, head: bytes, separator: str) -> None:
    """Refuse a table that would take more memory than its file lets expect.

    Raises:
        UnreadableFile: If a line is too long, or there are too many columns or fields.
    """
    import numpy as np

    columns = head.count(separator.encode()) + 1
    if columns > MOST_COLUMNS:
        raise UnreadableFile(f"has {columns:,} columns; at most {MOST_COLUMNS:,} are read")
    if (fields := columns * (data.count(b"\n") + 1)) > _MOST_FIELDS:
        raise UnreadableFile(f"has {fields:,} fields; at most {_MOST_FIELDS:,} are read")
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
    from ablate.store.curve_file import without_superseded_rows

    table = None
    with folder.noting_faults(file):
        frame = read_table(folder, file)
        table = number_table(frame)
        if table is not None and table.step:
            current, restarts = without_superseded_rows(frame, table.step)
            if restarts:
                times = "once" if restarts == 1 else f"{restarts} times"
                phrase = (
                    f"its column '{table.step}' falls back {times}, as where a training began again; "
                    f"{len(frame) - len(current)} rows were replaced by later ones"
                )
                folder.notes.append(FileNote(file, phrase, changed=True))
                table = number_table(current)
    return table


def number_table(frame: pd.DataFrame) -> NumberTable | None:
    """The columns of a table that hold numbers, and what its rows are; None where there is no number."""
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
    step = next((name for counter in _STEPS for name in numbers if name.lower() == counter), "")
    if not numbers or list(numbers) == [step]:
        return None
    table = pd.DataFrame(numbers)
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
