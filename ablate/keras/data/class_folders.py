"""The image files of a folder: which class and part each belongs to, and which cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.dataset import consecutive
from ablate.keras.data.images import UNREADABLE, fitted, opened

ENDINGS = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_PART_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "val", "valid"), "validation"
)
_LISTED = 5
"""Files or endings that a message names."""


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


def list_images(root: Path) -> Listing:
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
            present = class_names[0] if class_names else "no folder"
            raise NetworkError(f"data.path={root}: at least two class folders are needed, found {present}.")
        files: list[Path] = []
        labels: list[int] = []
        others: list[Path] = []
        counts = {}
        for part, tree in sorted(trees.items()):
            others += [entry for entry in tree.iterdir() if not entry.is_dir() and not entry.name.startswith(".")]
            before = len(files)
            for label, name in enumerate(class_names):
                class_files = picture_files(tree / name)
                files += class_files
                labels += [label] * len(class_files)
                others += [file for file in _files(tree / name) if file.suffix.lower() not in ENDINGS]
            counts[part] = len(files) - before
    except OSError as error:
        raise NetworkError(f"data.path={root}: {error.filename} cannot be read ({error.strerror}).") from error
    if others:
        by_ending = Counter(file.suffix.lower() or "no ending" for file in others)
        endings = listing([f"{ending} ({count})" for ending, count in sorted(by_ending.items())], _LISTED)
        notes.append(f"{root} holds files that are left out, by their ending or outside of class folders: {endings}.")
    return Listing(files, np.array(labels, np.int64), class_names, consecutive(counts), tuple(notes))


def picture_files(folder: Path) -> list[Path]:
    """The image files in a folder and those in it, by their ending, sorted; hidden ones do not count."""
    return sorted(file for file in _files(folder) if file.suffix.lower() in ENDINGS)


def refuse_empty_classes(root: Path, labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    """Refuses classes without an image.

    Args:
        root: The folder.
        labels: (files,), the class of each; -1 where a file is left out.
        class_names: Names of the classes, by label.

    Raises:
        NetworkError: With all empty classes.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(class_names))
    empty = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if empty:
        raise NetworkError(
            f"data.path={root}: no image in the class folder{'s' * (len(empty) > 1)} {', '.join(empty)}. "
            f"Known endings: {', '.join(sorted(ENDINGS))}."
        )


def corrupt_notes(root: Path, files: Sequence[Path], labels: np.ndarray, *, skip: bool) -> tuple[str, ...]:
    """A sentence about files that cannot be read.

    Args:
        root: The folder.
        files: All image files.
        labels: (files,), -1 where a file could not be read.
        skip: Whether to leave such files out.

    Raises:
        NetworkError: There are such files, and ``skip`` is false.
    """
    corrupt = [files[position] for position in np.flatnonzero(labels < 0).tolist()]
    if not corrupt:
        return ()
    fault = f"{len(corrupt)} of {len(files)} images"
    if not skip:
        reasons = listing([f"{file.relative_to(root)} ({_fault(file)})" for file in corrupt], _LISTED)
        raise NetworkError(
            f"data.path={root}: {fault} cannot be read: {reasons}. "
            "Mend them, or leave them out with data.skip_corrupt=true."
        )
    names = listing([file.relative_to(root) for file in corrupt], _LISTED)
    return (f"{fault} of {root} cannot be read and are left out: {names}.",)


def first_size(root: Path, files: Sequence[Path]) -> tuple[int, int]:
    """Height and width of the first image that can be read.

    Raises:
        NetworkError: None can be read.
    """
    for file in files:
        with suppress(*UNREADABLE), opened(file, None) as (_, size):
            return size
    raise NetworkError(f"data.path={root}: none of its {len(files)} images can be read.")


def _fault(file: Path) -> str:
    try:
        with opened(file, None) as (image, _):
            fitted(image, None, 3, "stretch")
    except UNREADABLE as error:
        return str(error)
    return "readable now"


def _trees(root: Path) -> tuple[dict[str, Path], list[str]]:
    """The folder of class folders of each part, and a sentence about further folders."""
    folders_of_root = _folders(root)
    parts: dict[str, list[Path]] = {}
    for folder in folders_of_root:
        if folder.name.lower() in _PART_NAMES:
            parts.setdefault(_PART_NAMES[folder.name.lower()], []).append(folder)
    if not any(_folders(folder) for folders in parts.values() for folder in folders):
        return {"train": root}, []
    faults = []
    for folders in (parts[part] for part in sorted(parts)):
        if len(folders) > 1:
            faults.append(f"{' and '.join(folder.name for folder in folders)} are the same part")
        elif not _folders(folders[0]):
            faults.append(f"the part {folders[0].name} has no class folders")
    if "train" not in parts:
        faults.append(f"it has the parts {', '.join(sorted(parts))}, but no folder 'train'")
    if faults:
        raise NetworkError(f"data.path={root}: {'; '.join(faults)}.")
    trees = {part: folders[0] for part, folders in parts.items()}
    others = [folder.name for folder in folders_of_root if folder not in trees.values()]
    if not others:
        return trees, []
    return trees, [f"Beside the parts, {root} has folders that are left out: {listing(others, _LISTED)}."]


def _files(folder: Path) -> list[Path]:
    # A link to nowhere counts: it was meant to be a file.
    return [
        file
        for file in folder.rglob("*")
        if not file.is_dir() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
