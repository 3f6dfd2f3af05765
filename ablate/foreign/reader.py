"""What a reader of foreign results is, and what it returns: plain values, before a study is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ablate.foreign.files import FileNote, SourceFolder

if TYPE_CHECKING:
    import pandas as pd

    from ablate.foreign.request import AdoptSettings

SEED_NAMES = (
    *("seed", "random_seed", "random_state", "rng_seed", "manual_seed"),
    *("rep", "replicate", "replication", "repetition", "repeat", "fold", "cv_fold"),
)
"""What keys and columns are called that tell the repetitions of a cell apart, in every format; the most certain names
first."""

Kind = Literal["single", "curve", "rows"]
"""What the rows of a table of results are.

``single``: one row, the result. ``curve``: a row an epoch or step. ``rows``: several rows that nothing tells apart;
they are no replicates, since they belong to one run.
"""


@dataclass(frozen=True, eq=False)
class NumberTable:
    """The numeric columns of a file of results.

    Args:
        kind: What its rows are.
        frame: The numbers; of a curve a row a step, in order.
        step: The column that counts epochs or steps, in a curve.
    """

    kind: Kind
    frame: pd.DataFrame
    step: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the numbers, without the column that counts."""
        return tuple(str(name) for name in self.frame.columns if name != self.step)

    def result(self) -> dict[str, float]:
        """One number a column: the only one, the last of a curve, or the mean of rows."""
        columns = {name: self.frame[name].dropna() for name in self.metrics}
        return {
            name: float(values.mean() if self.kind == "rows" else values.iloc[-1])
            for name, values in columns.items()
            if len(values)
        }


@dataclass(frozen=True, eq=False)
class ForeignRun:
    """A run that another tool recorded.

    Args:
        location: Where it is, relative to the adopted path.
        config: Its configuration: plain values by dotted key.
        declared: Its levels by key as its command line and the names of its folders give them.
        tables: Its numbers by file name.
        modified: When it was written, in seconds since the epoch; of two runs of one configuration the later counts.
        fault: Why it cannot be used; empty if it can.
        overridden: Keys that its command line set.
    """

    location: str
    config: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, NumberTable] = field(default_factory=dict)
    modified: float = 0.0
    fault: str = ""
    overridden: frozenset[str] = frozenset()

    @property
    def has_config(self) -> bool:
        """Whether its levels are known, so that it has a cell, with or without a result."""
        return bool(self.config) or not self.fault


@dataclass(frozen=True, eq=False)
class ForeignRuns:
    """All runs that a reader found.

    Args:
        runs: The runs, in the order in which they were started as far as their names show it.
        notes: What a user should know about how they were read, a sentence each.
        ordered_by_time: Whether of several runs of one configuration the latest is the one that counts.
        source: Name of the reader; set by :func:`ablate.foreign.readers.read_runs`.
        file_notes: Files that were not read, or not as they are; set there as well.
    """

    runs: tuple[ForeignRun, ...]
    notes: tuple[str, ...] = ()
    ordered_by_time: bool = True
    source: str = ""
    file_notes: tuple[FileNote, ...] = ()


@dataclass(frozen=True)
class Reader:
    """A format of results; :data:`ablate.foreign.readers.READERS` lists all of them.

    Args:
        name: What ``source=`` calls it.
        description: What it reads, for messages and the help page.
        recognises: Whether a path holds results of this format.
        read: The runs at a path; it may note files in the folder, and raises where nothing can be made of them.
    """

    name: str
    description: str
    recognises: Callable[[SourceFolder], bool]
    read: Callable[[SourceFolder, AdoptSettings], ForeignRuns]
