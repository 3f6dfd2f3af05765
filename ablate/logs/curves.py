"""One curve out of the tables of a run: rows of several files that count the same are put beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from ablate.logs.number_table import NumberTable
from ablate.logs.number_tables import plain_name

if TYPE_CHECKING:
    import pandas as pd

_LARGEST_COUNT = 2**53
_KEYS = ("run", "epoch")


class JoinedCurve(NamedTuple):
    """The curve of a run.

    Args:
        frame: A row an epoch: whole numbers ``epoch`` in order, then numbers; None where there is no curve.
        notes: What a reader must know of how it was made, a phrase each.
        files: The files that it was made of.
        columns: The file and the column there that each column of it comes from.
    """

    frame: pd.DataFrame | None
    notes: tuple[str, ...]
    files: tuple[str, ...]
    columns: Mapping[str, tuple[str, str]]


def joined_curve(tables: Mapping[str, NumberTable]) -> JoinedCurve:
    """The curve in the tables of a run.

    Files that count epochs are preferred to files that count steps, whose numbers then stand in place of epochs. A
    column that stands in several files gets the name of its file before it. A file that counts parts of epochs is left
    out, and so is one with many rows of an epoch, such as predictions, beside one that has one row of each.

    Args:
        tables: The tables by file name.

    Example:
        >>> import pandas as pd
        >>> table = lambda loss: NumberTable("curve", pd.DataFrame({"epoch": [1, 2], "loss": loss}), "epoch")
        >>> joined_curve({"train.csv": table([3, 2]), "val.csv": table([4, 3])}).frame.columns.tolist()
        ['epoch', 'train_loss', 'val_loss']
    """
    notes = []
    whole: dict[str, NumberTable] = {}
    for file, table in tables.items():
        if table.kind == "rows":
            notes.append(f"{file} has rows that nothing counts, and is no curve")
        if table.kind != "curve":
            continue
        counts = table.frame[table.step]
        if parts := [value for value in counts if value % 1 or abs(value) >= _LARGEST_COUNT]:
            notes.append(f"{file} counts in parts of epochs ({parts[0]:g}), and is no curve")
        else:
            whole[file] = table
    counters = Counter(plain_name(table.step) for table in whole.values())
    counter = "epoch" if "epoch" in counters else next(iter(counters), "")
    chosen = {file: table for file, table in whole.items() if plain_name(table.step) == counter}
    if left := [file for file in whole if file not in chosen]:
        notes.append(f"{', '.join(left)} counts something else than {', '.join(chosen)}, and is not in the curve")
    if any(table.is_repeated for table in chosen.values()) and not all(table.is_repeated for table in chosen.values()):
        left = [file for file, table in chosen.items() if table.is_repeated]
        notes.append(f"{', '.join(left)} has many rows of an epoch, and is not in the curve of the other files")
        chosen = {file: table for file, table in chosen.items() if file not in left}
    if not chosen:
        return JoinedCurve(None, tuple(notes), (), {})
    if counter != "epoch":
        step = next(iter(chosen.values())).step
        notes.append(f"the curve counts '{step}' of {', '.join(chosen)} in place of epochs")
    frame, columns = _joined(chosen)
    return JoinedCurve(frame, tuple(notes), tuple(chosen), columns)


def _joined(tables: Mapping[str, NumberTable]) -> tuple[pd.DataFrame, dict[str, tuple[str, str]]]:
    """The rows of several tables side by side, and where each column comes from."""
    import pandas as pd

    # A second counter, of parts of epochs or of a run, is no number of the curve; its name is not free, either.
    metrics = {
        file: [name for name in table.metrics if name not in _KEYS and not name.startswith("_")]
        for file, table in tables.items()
    }
    names = Counter(name for own in metrics.values() for name in own)
    prefixes = _prefixes(list(tables))
    frames = []
    sources: dict[str, tuple[str, str]] = {}
    for file, table in tables.items():
        columns = {name: f"{prefixes[file]}_{name}" if names[name] > 1 else name for name in metrics[file]}
        frame = table.frame[[table.step, *columns]].dropna(subset=[table.step])
        frame = frame.rename(columns={**columns, table.step: "epoch"})
        sources = {**{new: (file, name) for name, new in columns.items()}, **sources}
        frames.append(frame.astype({"epoch": int}).set_index("epoch"))
    joined = pd.concat(frames, axis=1).sort_index()
    joined = joined.loc[:, ~joined.columns.duplicated() & joined.notna().any(axis=0)]
    return joined.reset_index(), {name: sources[name] for name in joined.columns}


def _prefixes(files: list[str]) -> dict[str, str]:
    """A short name of each file: its own, or with its folders where several files have the same."""
    stems = {file: PurePosixPath(file).stem for file in files}
    counts = Counter(stems.values())
    return {
        file: stem if counts[stem] == 1 else str(PurePosixPath(file).with_suffix("")).replace("/", ".")
        for file, stem in stems.items()
    }
