"""The image files below a folder, found in one walk, and what is wrong with those that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from PIL import Image

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.images import UNREADABLE, fitted, opened

ENDINGS = frozenset(
    ".avif .bmp .dib .gif .j2k .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tga .tif .tiff .webp".split()
)
"""Endings of the files that count as images; so does a file without one whose contents Pillow recognises."""
LISTED = 5
"""Files, folders or endings that a message names."""

RelativePath = tuple[str, ...]
"""The parts of a path below the folder of a data set."""

_SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information"})
"""What archives and file systems leave behind, in lower case."""
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class FolderContents:
    """The files below a folder, without hidden ones and those that a system leaves behind.

    Args:
        root: The folder.
        images: Image files, sorted.
        others: Other files, sorted.
        folders: All folders below the root, empty ones too.
        excluded: How many files the patterns of ``data.exclude`` left out.
    """

    root: Path
    images: tuple[RelativePath, ...]
    others: tuple[RelativePath, ...]
    folders: tuple[RelativePath, ...]
    excluded: int = 0

    def below(self, prefix: RelativePath) -> list[RelativePath]:
        """The image files in a folder and in those below it."""
        return [path for path in self.images if path[: len(prefix)] == prefix]

    def subfolders(self, prefix: RelativePath = ()) -> list[str]:
        """The names of the folders in a folder, sorted."""
        depth = len(prefix)
        return [path[depth] for path in self.folders if len(path) == depth + 1 and path[:depth] == prefix]

    def image_folders(self, prefix: RelativePath = ()) -> list[str]:
        """The names of the folders in a folder that hold an image, at whatever depth; sorted."""
        depth = len(prefix)
        return list(dict.fromkeys(path[depth] for path in self.below(prefix) if len(path) > depth + 1))

    def direct_images(self, prefix: RelativePath = ()) -> list[RelativePath]:
        """The image files that lie in a folder itself."""
        return [path for path in self.below(prefix) if len(path) == len(prefix) + 1]

    def file(self, path: RelativePath) -> Path:
        """The whole path of a file."""
        return self.root.joinpath(*path)


def scan(root: Path, exclude: Iterable[str] = ()) -> FolderContents:
    """Walks a folder; links to folders are followed, each target once.

    Args:
        root: The folder.
        exclude: Patterns of file names or of paths below the folder, such as ``*_mask.*``, that are left out.

    Raises:
        OSError: A folder cannot be read.
    """
    images: list[RelativePath] = []
    others: list[RelativePath] = []
    folders: list[RelativePath] = []
    patterns = tuple(exclude)
    excluded = 0
    visited = {os.path.realpath(root)}
    waiting: list[RelativePath] = [()]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(root.joinpath(*prefix)) as entries:
            for entry in entries:
                path = (*prefix, entry.name)
                if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FOLDERS | _SYSTEM_FILES:
                    continue
                if entry.is_dir():
                    target = os.path.realpath(entry.path)
                    if entry.is_symlink() and target in visited:
                        continue
                    visited.add(target)
                    folders.append(path)
                    waiting.append(path)
                elif any(fnmatchcase(entry.name, one) or fnmatchcase("/".join(path), one) for one in patterns):
                    excluded += 1
                else:
                    (images if is_image(Path(entry.path)) else others).append(path)
    return FolderContents(root, tuple(sorted(images)), tuple(sorted(others)), tuple(sorted(folders)), excluded)


def is_image(file: Path) -> bool:
    """Whether a file counts as an image: by its ending, or without one by how its contents begin."""
    if file.suffix:
        return file.suffix.lower() in ENDINGS
    with suppress(*UNREADABLE), Image.open(file):
        return True
    return False


def picture_files(folder: Path) -> list[Path]:
    """The image files in a folder and those in it, sorted; hidden ones do not count."""
    contents = scan(folder)
    return [contents.file(path) for path in contents.images]


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
        raise NetworkError(f"data.path={root}: {fault} cannot be read: {_reasons(root, corrupt)}")
    names = listing([file.relative_to(root) for file in corrupt], LISTED)
    return (f"{fault} of {root} cannot be read and are left out: {names}.",)


def _reasons(root: Path, corrupt: Sequence[Path]) -> str:
    reasons = listing([f"{file.relative_to(root)} ({_fault(file)})" for file in corrupt], LISTED)
    if any(_is_pointer(file) for file in corrupt):
        return f"{reasons}. Pointers of Git LFS stand for files that were not fetched: run 'git lfs pull' there."
    return f"{reasons}. Mend them, or leave them out with data.skip_corrupt=true."


def first_size(root: Path, files: Sequence[Path]) -> tuple[int, int]:
    """Height and width of the first image that can be read.

    Raises:
        NetworkError: None can be read.
    """
    for file in files:
        with suppress(*UNREADABLE), opened(file, None) as (_, size):
            return size
    if files and _is_pointer(files[0]):
        raise NetworkError(
            f"data.path={root}: the {len(files)} images are pointers of Git LFS, and their contents were not fetched: "
            "run 'git lfs pull' there."
        )
    raise NetworkError(f"data.path={root}: none of its {len(files)} images can be read.")


def _is_pointer(file: Path) -> bool:
    with suppress(OSError), file.open("rb") as stream:
        return stream.read(len(_POINTER)) == _POINTER
    return False


def _fault(file: Path) -> str:
    if _is_pointer(file):
        return "a pointer of Git LFS"
    try:
        with opened(file, None) as (image, _):
            fitted(image, None, 3, "stretch")
    except UNREADABLE as error:
        return str(error)
    return "readable now"
