"""Images in folders: one folder a class, or such folders within ``train``, ``validation`` and ``test``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ablate.errors import NetworkError
from ablate.keras.data.dataset import Pool
from ablate.keras.data.images import fitted
from ablate.keras.data.store import cache_folder, stacked
from ablate.keras.options import Option, flag, optional, text

__all__ = ["OPTIONS", "pool"]

_logger = logging.getLogger(__name__)

OPTIONS = {
    "path": Option(None, text()),
    "name": Option(None, optional(text())),
    "skip_corrupt": Option(False, flag()),
}
_ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "val", "valid"), "validation"
)


def pool(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The images of a folder.

    Args:
        values: The checked config.
        size: Height and width, or ``None`` where all images have the same.

    Returns:
        All images; ``train``, ``validation`` and ``test`` folders are official parts.

    Raises:
        NetworkError: No such folder, fewer than two classes, images that cannot be read, or sizes that differ.
    """
    root = Path(values["path"]).expanduser()
    files, labels, class_names, official = _listed(root)
    files, labels, official = _readable(root, files, labels, official, skip=values["skip_corrupt"])
    _refuse_empty(root, labels, class_names)
    if size is None:
        size = _common_size(root, files)

    def images() -> Iterator[np.ndarray]:
        for file in files:
            with Image.open(file) as image:
                yield fitted(image, size, values["channels"], values["fit"])

    shape = (len(files), *size, values["channels"])
    identity = [values["fit"], [[str(file.resolve()), *_stamp(file)] for file in files]]
    array = stacked(images(), shape, share=values["memory"], folder=cache_folder(values["cache"]), identity=identity)
    return Pool(values["name"] or root.resolve().name, array, labels, class_names, official)


def _listed(root: Path) -> tuple[list[Path], np.ndarray, tuple[str, ...], dict[str, np.ndarray]]:
    if not root.is_dir():
        raise NetworkError(f"data.path={root}: there is no such folder (looked from {Path.cwd()}).")
    inside = _folders(root)
    parts = {_PARTS[folder.name.lower()]: folder for folder in inside if folder.name.lower() in _PARTS}
    nested = bool(parts) and all(_folders(folder) for folder in parts.values())
    if nested and "train" not in parts:
        raise NetworkError(f"data.path={root} has the parts {', '.join(sorted(parts))}, but no folder 'train'.")
    trees = parts if nested else {"train": root}
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
            own = sorted(file for file in (tree / name).rglob("*") if file.suffix.lower() in _ENDINGS)
            files += own
            labels += [label] * len(own)
        official[part] = np.arange(start, len(files))
    return files, np.array(labels, np.int64), class_names, official


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _readable(
    root: Path, files: list[Path], labels: np.ndarray, official: dict[str, np.ndarray], *, skip: bool
) -> tuple[list[Path], np.ndarray, dict[str, np.ndarray]]:
    faults = {place: fault for place, file in enumerate(files) if (fault := _fault(file))}
    if faults and not skip:
        shown = "; ".join(f"{files[place].relative_to(root)} ({fault})" for place, fault in list(faults.items())[:5])
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise NetworkError(
            f"data.path={root}: {len(faults)} of {len(files)} images cannot be read: {shown}{more}. "
            "Mend them, or leave them out with data.skip_corrupt=true."
        )
    if faults:
        _logger.warning("Left out %d of %d images of %s that cannot be read.", len(faults), len(files), root)
    kept = np.array([place not in faults for place in range(len(files))], bool)
    moved = np.cumsum(kept) - 1
    official = {part: moved[index[kept[index]]] for part, index in official.items()}
    return [file for file, good in zip(files, kept, strict=True) if good], labels[kept], official


def _fault(file: Path) -> str | None:
    if not file.stat().st_size:
        return "empty file"
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "not an image, or cut short"
    return None


def _refuse_empty(root: Path, labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    empty = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if empty:
        raise NetworkError(
            f"data.path={root}: no image in the class folder{'s' * (len(empty) > 1)} {', '.join(empty)}. "
            f"Known endings: {', '.join(sorted(_ENDINGS))}."
        )


def _common_size(root: Path, files: list[Path]) -> tuple[int, int]:
    sizes = set()
    for file in files:
        with Image.open(file) as image:
            sizes.add((image.height, image.width))
    if len(sizes) > 1:
        low, high = np.min(list(sizes), axis=0), np.max(list(sizes), axis=0)
        raise NetworkError(
            f"data.path={root}: the images differ in size, from {low[0]} to {high[0]} pixels high and from {low[1]} "
            f"to {high[1]} wide. Set data.size, a number or [height, width]."
        )
    return sizes.pop()


def _stamp(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_size, state.st_mtime_ns
