"""What a reader of foreign results is, and what it returns: plain values, before a study is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ablate.logs.files import FileNote, SourceFolder
from ablate.logs.number_table import NumberTable

if TYPE_CHECKING:
    from ablate.foreign.request import AdoptSettings

SEED_NAMES = (
    *("seed", "random_seed", "random_state", "rng_seed", "manual_seed"),
    *("rep", "replicate", "replication", "repetition", "repeat", "fold", "cv_fold"),
)
"""What keys and columns are called that tell the repetitions of a cell apart, in every format; the most certain names
first."""


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
