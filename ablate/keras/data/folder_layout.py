"""What a user says about the folders of a data set, and what was read of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.keras.data.image_files import RelativePath

PARTS = ("train", "validation", "test")
NO_PARTS = "none"
"""The value of ``data.parts`` with which no folder is a part."""

ClassesByPart = Mapping[str, Mapping[RelativePath, str]]
"""The class of each image by its path, by part."""


@dataclass(frozen=True)
class ColumnChoice:
    """What the user says about the columns of tables of labels; what is None is found.

    Args:
        image: The column of the file's name or path.
        label: The column of the class.
        part: The column of the part.
        part_values: Entries of that column that stand for each part, where they are not the usual words.
    """

    image: str | None = None
    label: str | None = None
    part: str | None = None
    part_values: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Layout:
    """What the user says about the folders.

    Args:
        parts: Folders of each part, `NO_PARTS`, or None to find them by their names.
        depth: How many levels of folders make a class; None finds out that it is one, or refuses.
        labels: A table of labels, several that belong together, those of each part, or None.
        columns: Their columns.
        pattern: A regular expression with a group ``label``, matched anywhere in a file's path below its part.
        exclude: Patterns of files that are left out.
    """

    parts: Mapping[str, Any] | str | None = None
    depth: int | None = None
    labels: Any = None
    columns: ColumnChoice = field(default_factory=ColumnChoice)
    pattern: str | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundClasses:
    """What was read of a folder in one way or another.

    Args:
        by_part: The class of each image, by part.
        empty: Class folders without an image.
        notes: A sentence for each thing that was not plain.
    """

    by_part: ClassesByPart
    empty: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
