"""What is found in results that other tools wrote: plain values, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pandas as pd

__all__ = ["ForeignRun", "Kind", "Material", "NumberTable", "Remark", "Unread"]

Kind = Literal["single", "curve", "rows"]
"""How the rows of a table of results stand for a run.

``single``: one row, the result. ``curve``: a row an epoch or step. ``rows``: several rows that nothing tells apart;
they are no replicates, since they belong to one run.
"""


@dataclass(frozen=True, eq=False)
class NumberTable:
    """The columns of numbers of a file of results.

    Args:
        kind: What its rows are.
        frame: The numbers; of a curve a row a step, in order.
        step: The column that counts, in a curve.
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
        found = {}
        for name in self.metrics:
            values = self.frame[name].dropna()
            if len(values):
                found[name] = float(values.mean() if self.kind == "rows" else values.iloc[-1])
        return found


@dataclass(frozen=True, eq=False)
class ForeignRun:
    """A run that another tool recorded.

    Args:
        place: Where it is, relative to what was asked to be adopted.
        values: Its configuration: plain values by dotted key.
        declared: What its command line and the folders above it call its levels: words by key.
        tables: Its numbers by file name.
        age: When it was written, in seconds since the epoch; of two runs of one configuration the later counts.
        trouble: Why it cannot be used; empty if it can.
        overridden: Keys that its command line set.
    """

    place: str
    values: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, NumberTable] = field(default_factory=dict)
    age: float = 0.0
    trouble: str = ""
    overridden: frozenset[str] = frozenset()


class Remark(NamedTuple):
    """What a reader must know of how a file was read.

    Args:
        words: A phrase that follows the file's name.
        otherwise: Whether all of it was read, in another way than it stands there; if not, something is missing.
    """

    words: str
    otherwise: bool = False


@dataclass(frozen=True)
class Unread:
    """A file or folder that could not be read, or not as it stands there.

    Args:
        place: Where it is, relative to what was asked to be adopted.
        reason: Why.
        otherwise: Whether all of it was read, in another way than it stands there.
    """

    place: str
    reason: str
    otherwise: bool = False


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that was found.

    Args:
        source: Which tool wrote it, in a word.
        runs: The runs, in the order in which they were started as far as their names tell.
        unread: What could not be read, or not as it stands there.
        notes: What a user should know besides, a sentence each.
        ordered_by_time: Whether of several runs of one configuration the last one is the one that counts.
    """

    source: str
    runs: tuple[ForeignRun, ...]
    unread: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()
    ordered_by_time: bool = True
