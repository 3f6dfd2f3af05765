"""Which folders of a data set are its parts (training, validation, test)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.folder_advice import quoted
from ablate.keras.data.folder_layout import NO_PARTS, FoundClasses, Layout
from ablate.keras.data.image_files import LISTED, FolderContents, RelativePath
from ablate.keras.data.part_names import is_generic, part_of, parts_by_name

_PLAIN = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "val", "valid"),
}
"""Names of parts that need no note."""


@dataclass(frozen=True)
class PartFolders:
    """The folders of each part.

    Args:
        folders: By part; the whole folder is the empty path.
        notes: A sentence for each thing that was not plain.
    """

    folders: Mapping[str, Sequence[RelativePath]]
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether no folder is a part, so that all is the training part."""
        return dict(self.folders) == {"train": [()]}


_WHOLE = PartFolders({"train": [()]})


def find_parts(contents: FolderContents, layout: Layout) -> PartFolders:
    """The folders of each part, as the user gives them or as their names say; else all as ``train``.

    Args:
        contents: The files.
        layout: What the user says.

    Raises:
        NetworkError: Folders that are not there, or names that do not say clearly what is a part.
    """
    key = f"data.path={contents.root}"
    if layout.parts == NO_PARTS:
        return _WHOLE
    if isinstance(layout.parts, Mapping):
        return PartFolders(_given_parts(contents, layout.parts, key))
    folders = contents.image_folders()
    named = parts_by_name(folders)
    others = [name for name in folders if name not in named]
    is_flat = {name: not contents.image_folders((name,)) for name in named}
    by_folder = layout.labels is None and layout.pattern is None
    several = len(set(named.values())) > 1
    if not named or (others and not several and (all(is_flat.values()) or not by_folder)):
        return _WHOLE  # a class that is called like a part
    if others and not several:
        part = next(iter(named))
        raise NetworkError(
            f"{key}: {listing(named)} may be a part of the data set or a class beside "
            f"{listing(others, LISTED)}. Say what it is: {quoted(f'data.parts={{{named[part]}: {part}}}')}, which "
            f"leaves out the other folders, or data.parts={NO_PARTS}."
        )
    parts: dict[str, list[RelativePath]] = defaultdict(list)
    for name, part in named.items():
        parts[part].append((name,))
    doubled = {part: prefixes for part, prefixes in parts.items() if len(prefixes) > 1}
    if doubled:
        faults = [f"{' and '.join(one[0] for one in prefixes)} are the same part" for prefixes in doubled.values()]
        raise NetworkError(f"{key}: {'; '.join(faults)}. {parts_to_type(contents)}")
    notes = []
    if others:
        notes.append(
            f"Beside the parts, {contents.root} has folders that are left out: {listing(others, LISTED)}; "
            "data.parts chooses the folders."
        )
    if any(prefix[0].lower() not in _PLAIN[part] for part, prefixes in parts.items() for prefix in prefixes):
        texts = [f"{part} from {prefixes[0][0]}" for part, prefixes in sorted(parts.items())]
        notes.append(f"Parts are read by the names of folders: {listing(texts)}; data.parts chooses others.")
    return PartFolders(dict(parts), tuple(notes))


def _given_parts(contents: FolderContents, given: Mapping[str, Any], key: str) -> dict[str, list[RelativePath]]:
    parts: dict[str, list[RelativePath]] = {}
    for part, folders in given.items():
        names = [folders] if isinstance(folders, str) else list(folders)
        parts[part] = [tuple(piece for piece in str(name).split("/") if piece not in ("", ".")) for name in names]
    prefixes = [prefix for of_part in parts.values() for prefix in of_part]
    missing = ["/".join(prefix) for prefix in prefixes if prefix and prefix not in contents.folders]
    if missing:
        there = listing(["/".join(path) for path in contents.folders], 20) or "none"
        raise NetworkError(f"{key}: data.parts names {listing(missing)}; the folders there are {there}.")
    if "train" not in parts:
        raise NetworkError(f"{key}: data.parts names no folder for train.")
    return parts


def parts_to_type(contents: FolderContents, only: str = "") -> str:
    """How to say which folders are parts.

    Args:
        contents: The files.
        only: The one part that is missing; empty where all may be.
    """
    folders = contents.image_folders()
    example = f"{{train: {folders[0] if folders else 'folder'}" + (
        "}" if only or len(folders) < 2 else f", test: {folders[-1]}}}"
    )
    return (
        f"Say which folders are parts, such as {quoted(f'data.parts={example}')}, or that none is: "
        f"data.parts={NO_PARTS}."
    )


def unwrapped(contents: FolderContents, prefix: RelativePath) -> RelativePath:
    """The folder of class folders in the folder of a part, which some archives wrap into another."""
    while prefix and not contents.direct_images(prefix):
        names = contents.image_folders(prefix)
        if len(names) != 1:
            break
        is_wrapper = names[0].lower() == prefix[-1].lower() or part_of(names[0]) or is_generic(names[0])
        if not is_wrapper:
            break
        prefix = (*prefix, names[0])
    return prefix


def parts_in_classes(contents: FolderContents) -> FoundClasses | None:
    """The classes, where each of their folders holds folders that are called like parts and nothing else."""
    folders = contents.image_folders()
    inner = {name: contents.image_folders((name,)) for name in folders}
    parts = {name: part_of(name) for names in inner.values() for name in names}
    holds_more = any(contents.direct_images((name,)) for name in folders)
    if len(folders) < 2 or holds_more or not all(inner.values()) or None in parts.values():
        return None
    if "train" not in parts.values():
        return None
    classes: dict[str, dict[RelativePath, str]] = {}
    for name in folders:
        for folder in inner[name]:
            paths = contents.below((name, folder))
            classes.setdefault(str(parts[folder]), {}).update(dict.fromkeys(paths, name))
    note = (
        f"The folders {listing(sorted(parts), LISTED)} in each class are its parts; data.parts={NO_PARTS} reads "
        "them as part of the class."
    )
    return FoundClasses(classes, notes=(note,))
