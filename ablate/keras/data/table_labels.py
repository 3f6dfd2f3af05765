"""Classes of images by tables of labels (``data.labels``): one, one in each part, several that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.class_folders import class_folders_in
from ablate.keras.data.folder_layout import FoundClasses, Layout
from ablate.keras.data.image_files import LISTED, FolderContents, RelativePath
from ablate.keras.data.label_table import TableLabels, labels_of
from ablate.keras.data.part_folders import PartFolders, find_parts, unwrapped
from ablate.keras.data.table_file import ImageFinder, read_table
from ablate.keras.data.table_join import one_table
from ablate.study.setting import written

TABLES = (".csv", ".tsv", ".txt")
"""Endings of tables of labels that messages suggest."""


def classes_by_table(contents: FolderContents, layout: Layout) -> FoundClasses:
    """The classes of all images that tables name.

    Args:
        contents: The files.
        layout: What the user says; ``labels`` is a table (in the folder or in each of its parts), a list of tables
            that are put together, or either by part.

    Raises:
        NetworkError: Tables that are not there, do not fit together, or whose columns are not clear.
    """
    spec = layout.labels
    if isinstance(spec, Mapping):
        return _by_given_part(contents, layout, spec)
    parts = find_parts(contents, layout)
    key = f"data.labels={written(spec)}"
    if not isinstance(spec, str):
        paths = _existing(contents, spec, key)
        return _assigned(contents, layout, parts, {(): _labels(contents, layout, paths, (), key)})
    places = {prefix: contents.root.joinpath(*prefix, spec) for of_part in parts.folders.values() for prefix in of_part}
    in_parts = {prefix: path for prefix, path in places.items() if prefix and path.is_file()}
    tables = in_parts or dict.fromkeys([()], _existing(contents, [spec], key)[0])
    labels = {prefix: _labels(contents, layout, [path], prefix, key) for prefix, path in tables.items()}
    return _assigned(contents, layout, parts, labels)


def _by_given_part(contents: FolderContents, layout: Layout, spec: Mapping[str, Any]) -> FoundClasses:
    """The classes by the tables of each part."""
    files = {part: [value] if isinstance(value, str) else list(value) for part, value in spec.items()}
    paths = _existing(contents, [name for names in files.values() for name in names], "data.labels")
    by_name = dict(zip([name for names in files.values() for name in names], paths, strict=True))
    classes: dict[str, dict[RelativePath, str]] = {}
    notes: list[str] = []
    for part, names in files.items():
        key = f"data.labels={{{part}: {written(names if len(names) > 1 else names[0])}}}"
        table = _labels(contents, layout, [by_name[name] for name in names], (), key, parts=False)
        classes[part] = dict(table.labels)
        notes += table.notes
    several = [path for part in classes for path in classes[part] if sum(path in one for one in classes.values()) > 1]
    if several:
        listed = listing(["/".join(path) for path in dict.fromkeys(several)], LISTED)
        raise NetworkError(f"data.labels={dict(spec)}: tables of several parts name {listed}.")
    return FoundClasses(classes, notes=tuple(dict.fromkeys(notes)))


def _assigned(
    contents: FolderContents, layout: Layout, parts: PartFolders, tables: Mapping[RelativePath, TableLabels]
) -> FoundClasses:
    """The classes by part: as a column of the tables says, or else by the folder that an image lies in."""
    labels: dict[RelativePath, str] = {}
    stated: dict[RelativePath, str] = {}
    notes = [*parts.notes]
    for table in tables.values():
        labels.update(table.labels)
        stated.update(table.parts)
        notes += [note for note in table.notes if note not in notes]
    classes: dict[str, dict[RelativePath, str]] = {}
    if stated:
        for place, label in labels.items():
            classes.setdefault(stated[place], {})[place] = label
        return FoundClasses(classes, notes=tuple(notes))
    empty: frozenset[str] = frozenset()
    for part, prefix in [(part, prefix) for part, prefixes in parts.folders.items() for prefix in prefixes]:
        within = {place: label for place, label in labels.items() if place[: len(prefix)] == prefix}
        if not within and prefix and prefix not in tables:
            # A table of one part, and class folders in another.
            within, without = class_folders_in(contents, layout, unwrapped(contents, prefix))
            empty |= without
        if within:
            classes.setdefault(part, {}).update(within)
        else:
            where = "/".join(prefix) or contents.root
            notes.append(f"{where} has no image with a row in {layout.labels}: left out.")
    return FoundClasses(classes, empty, tuple(notes))


def _labels(
    contents: FolderContents,
    layout: Layout,
    paths: Sequence[Path],
    folder: RelativePath,
    key: str,
    *,
    parts: bool = True,
) -> TableLabels:
    """What tables say about the images in a folder."""
    finder = ImageFinder(contents, folder)
    columns = layout.columns
    named = (columns.image, columns.label, columns.part)
    tables = [read_table(path, finder, named, key) for path in paths]
    table = one_table(tables, finder, key, parts=parts) if len(tables) > 1 else tables[0]
    return labels_of(table, finder, columns, key, layout.depth)


def _existing(contents: FolderContents, names: Iterable[str], key: str) -> list[Path]:
    """The files of tables, in the folder of the data set or where a path leads."""
    root = contents.root
    found = {}
    for name in names:
        given = Path(name).expanduser()
        found[name] = next((path for path in (root / given, given) if path.is_file()), None)
    missing = [name for name, path in found.items() if path is None]
    if missing:
        tables = [path for path in contents.others if Path(path[-1]).suffix.lower() in TABLES]
        there = listing(["/".join(path) for path in tables], LISTED) or "none"
        raise NetworkError(f"{key}: there is no such file in {root}: {listing(missing)}; tables there: {there}.")
    return [path for path in found.values() if path is not None]
