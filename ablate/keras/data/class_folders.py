"""Where the image files of a folder lie, and which class and part each belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.errors import NetworkError

__all__ = ["ENDINGS", "Listing", "few", "listed", "pictures_in"]

ENDINGS = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "val", "valid"), "validation"
)
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Listing:
    """The image files of a folder.

    Args:
        files: In a fixed order.
        labels: (files,), the class of each.
        class_names: Names of the classes, by label.
        official: Places of the files by part.
        notes: A sentence for each kind of thing that is left out.
    """

    files: Sequence[Path]
    labels: np.ndarray
    class_names: tuple[str, ...]
    official: Mapping[str, np.ndarray]
    notes: tuple[str, ...]


def listed(root: Path) -> Listing:
    """The image files of a folder of class folders, or of parts that hold class folders.

    Args:
        root: The folder.

    Raises:
        NetworkError: No such folder, parts that are not clear, or fewer than two classes.
    """
    if not root.is_dir():
        raise NetworkError(f"data.path={root}: there is no such folder (looked from {Path.cwd()}).")
    try:
        trees, notes = _trees(root)
        class_names = tuple(sorted({folder.name for tree in trees.values() for folder in _folders(tree)}))
        if len(class_names) < 2:
            found = f"found {class_names[0]}" if class_names else "found no folder"
            raise NetworkError(f"data.path={root}: at least two class folders are needed, {found}.")
        files: list[Path] = []
        labels: list[int] = []
        official = {}
        for part, tree in sorted(trees.items()):
            start = len(files)
            for label, name in enumerate(class_names):
                own = pictures_in(tree / name)
                files += own
                labels += [label] * len(own)
            official[part] = np.arange(start, len(files))
        notes += _other_files(root, trees)
    except OSError as error:
        raise NetworkError(f"data.path={root}: {error.filename} cannot be read ({error.strerror}).") from error
    return Listing(files, np.array(labels, np.int64), class_names, official, tuple(notes))


def pictures_in(folder: Path) -> list[Path]:
    """The image files in a folder and those in it, by their ending, sorted; hidden ones do not count."""
    return sorted(file for file in _files(folder) if file.suffix.lower() in ENDINGS)


def few(words: Sequence[str]) -> str:
    """The first of some words, and how many there are besides.

    Example:
        >>> few(["a", "b"]), few(list("abcdefg"))
        ('a, b', 'a, b, c, d, e and 2 more')
    """
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")


def _trees(root: Path) -> tuple[dict[str, Path], list[str]]:
    """The folder of class folders of each part, and what lies beside them."""
    inside = _folders(root)
    parts: dict[str, list[Path]] = {}
    for folder in inside:
        if folder.name.lower() in _PARTS:
            parts.setdefault(_PARTS[folder.name.lower()], []).append(folder)
    if not any(_folders(folder) for folders in parts.values() for folder in folders):
        return {"train": root}, []
    faults = [
        f"{' and '.join(folder.name for folder in folders)} are the same part"
        for folders in parts.values()
        if len(folders) > 1
    ]
    faults += [
        f"the part {folder.name} has no class folders"
        for folders in parts.values()
        for folder in folders
        if not _folders(folder)
    ]
    if "train" not in parts:
        faults.append(f"it has the parts {', '.join(sorted(parts))}, but no folder 'train'")
    if faults:
        raise NetworkError(f"data.path={root}: {'; '.join(faults)}.")
    trees = {part: folders[0] for part, folders in parts.items()}
    others = [folder.name for folder in inside if folder not in trees.values()]
    return trees, [f"Beside the parts, {root} has folders that are left out: {few(others)}."] if others else []


def _files(folder: Path) -> list[Path]:
    # A link to nowhere counts: it was meant to be a file.
    return [
        file
        for file in folder.rglob("*")
        if not file.is_dir() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _other_files(root: Path, trees: dict[str, Path]) -> list[str]:
    """A sentence about files that could be images, or lie where none is looked for."""
    others = Counter(
        file.suffix.lower() or "no ending"
        for tree in trees.values()
        for file in _files(tree)
        if file.suffix.lower() not in ENDINGS or file.parent == tree
    )
    if not others:
        return []
    endings = few([f"{ending} ({count})" for ending, count in sorted(others.items())])
    return [f"{root} holds files that are left out, by their ending or outside of class folders: {endings}."]
