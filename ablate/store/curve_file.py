"""The curve of one run from a CSV file that any program may have written: one row an epoch, whatever stands there."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd

from ablate.formatting import listing, plural
from ablate.logs.restarts import without_superseded_rows

_SEPARATORS = ",;\t"
_BLANK = ("", "nan", "none", "null", "na", "n/a")  # what stands for a missing number
_LISTED = 5  # epochs or columns that a message names


class UnusableCurve(ValueError):
    """A file that gives no curve; the text says why, as a phrase whose subject is the file."""


class NoEpochs(UnusableCurve):
    """A file that is no log of epochs at all."""


def parse_curve(data: bytes) -> tuple[pd.DataFrame, str]:
    r"""The curve in a CSV file.

    Lines that are no row of numbers are left out, rows that a restarted program wrote again replace the earlier ones,
    and several rows of an epoch, such as one of training and one of validation, become one: of each column the last
    number counts.

    Args:
        data: The bytes of the file, separated by commas, semicolons or tabs.

    Returns:
        Two values: a table with the whole numbers ``epoch`` in order, each once, then the other columns that hold
        numbers; and what was left out or replaced, a phrase each, joined; empty where it was read as it stands.

    Raises:
        NoEpochs: If it has no column ``epoch``.
        UnusableCurve: If it is no table, has no row with the number of an epoch, or counts in parts of epochs.

    Example:
        >>> table, change = parse_curve(b"epoch,loss\n1,0.5\n2,0.3\n2,0.25\n")
        >>> table["loss"].tolist(), change
        ([0.5, 0.25], 'has more than one row for epoch 2: the last one counts')
    """
    header, rows, skipped = _rows(data)
    names = [" ".join(name.split()) for name in header]
    key = next((place for place, name in enumerate(names) if name.lower() == "epoch"), None)
    if key is None:
        raise NoEpochs(f"has no column 'epoch' (its columns: {listing([name[:40] for name in names], 8)})")
    columns = {name: place for place, name in enumerate(names) if name and place != key}
    texts = {name: [row[place] for row in rows] for name, place in columns.items()}
    epochs = _numbers([row[key] for row in rows])
    counted = np.isfinite(epochs)
    skipped += int((~counted).sum())
    table = pd.DataFrame({name: _numbers(column) for name, column in texts.items()}, index=epochs.index)
    odd = sum(
        text.strip().lower() not in _BLANK
        for name in table.columns[table[counted].notna().any()]
        for text in np.array(texts[name], dtype=object)[(table[name].isna() & counted).to_numpy()]
    )
    table, epochs = table[counted].reset_index(drop=True), epochs[counted].reset_index(drop=True)
    if epochs.empty:
        raise UnusableCurve("has no row with the number of an epoch and as many fields as columns")
    if len(parts := epochs[(epochs % 1 != 0) | (epochs.abs() >= 2**53)]):
        raise UnusableCurve(f"counts in parts of epochs ({parts.iloc[0]:g})")
    table = table.drop(columns=[name for name in table if name == "run" or table[name].isna().all()])
    table.insert(0, "epoch", epochs.astype(int))
    phrases = [f"has {plural(skipped, 'line')} without the number of an epoch, left out"] if skipped else []
    phrases += [f"has {plural(odd, 'field')} that {'is' if odd == 1 else 'are'} no number, left blank"] if odd else []
    current, restarts = without_superseded_rows(table, "epoch")
    if restarts:
        times = "once" if restarts == 1 else f"{restarts} times"
        replaced = plural(len(table) - len(current), "earlier row")
        phrases.append(f"began again {times}, as after a restart: {replaced} replaced by later ones")
    merged, repeated = _one_row_an_epoch(current)
    if repeated:
        phrases.append(f"has more than one row for epoch {listing(map(str, repeated), _LISTED)}: the last one counts")
    return merged, "; ".join(phrases)


def _numbers(texts: list[str]) -> pd.Series:
    return pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").astype(float)


def _rows(data: bytes) -> tuple[list[str], list[list[str]], int]:
    """The header, the rows with as many fields as the header, and how many rows have another number of fields."""
    text = data.decode("utf-8-sig", errors="replace").replace("\0", "")
    head = text.lstrip("\r\n").partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator) if line]
    except csv.Error as error:
        raise UnusableCurve(f"is no table: {error}") from error
    if not lines:
        raise NoEpochs("has no complete line")
    header, *rows = lines
    fitting = [row for row in rows if len(row) == len(header)]
    return header, fitting, len(rows) - len(fitting)


def _one_row_an_epoch(table: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """The rows of each epoch put together, and the epochs of which a number was replaced by a later one."""
    values = table.drop(columns="epoch")
    twice = values.notna().groupby(table["epoch"]).sum().gt(1).any(axis=1)
    merged = table.groupby("epoch", sort=True, as_index=False).last()
    return merged, [int(epoch) for epoch in twice.index[twice]]
