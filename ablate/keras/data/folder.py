"""Images in folders: one folder a class, or such folders within ``train``, ``validation`` and ``test``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image

from ablate.errors import NetworkError
from ablate.keras.data.class_folders import ENDINGS, few, listed
from ablate.keras.data.dataset import Pool
from ablate.keras.data.images import UNREADABLE, fitted, opened
from ablate.keras.data.store import blocks_of, cache_folder, decoded
from ablate.keras.options import Option, flag, optional, text

__all__ = ["OPTIONS", "pool"]

OPTIONS = {
    "path": Option(None, text()),
    "name": Option(None, optional(text())),
    "skip_corrupt": Option(False, flag()),
}
_SHOWN = 5


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
    found = listed(root)
    files, labels, class_names = found.files, found.labels, found.class_names
    _refuse_empty(root, labels, class_names)
    if size is None:
        size = _common_size(root, files)
    channels, fit = values["channels"], values["fit"]

    def decode(place: int) -> tuple[np.ndarray, int, tuple[int, int]]:
        try:
            with opened(files[place], size) as (image, original):
                return fitted(image, size, channels, fit), int(labels[place]), original
        except UNREADABLE:
            return np.zeros((*size, channels), np.uint8), -1, (0, 0)

    images = decoded(
        blocks_of(range(len(files)), decode),
        len(files),
        (*size, channels),
        share=values["memory"],
        folder=cache_folder(values["cache"]),
        identity=[PIL.__version__, fit, [[str(file.resolve()), *_stamp(file)] for file in files]],
    )
    notes = found.notes + _without_corrupt(root, files, images.labels, skip=values["skip_corrupt"])
    official = {part: index[images.labels[index] >= 0] for part, index in found.official.items()}
    _refuse_empty(root, images.labels, class_names)
    name = values["name"] or root.resolve().name
    return Pool(name, images.images, images.labels, class_names, official, images.sizes, notes, images.contents)


def _without_corrupt(root: Path, files: Sequence[Path], labels: np.ndarray, *, skip: bool) -> tuple[str, ...]:
    corrupt = [files[place] for place in np.flatnonzero(labels < 0).tolist()]
    if not corrupt:
        return ()
    if not skip:
        shown = [f"{file.relative_to(root)} ({_fault(file)})" for file in corrupt[:_SHOWN]]
        more = f" and {len(corrupt) - _SHOWN} more" if len(corrupt) > _SHOWN else ""
        raise NetworkError(
            f"data.path={root}: {len(corrupt)} of {len(files)} images cannot be read: {'; '.join(shown)}{more}. "
            "Mend them, or leave them out with data.skip_corrupt=true."
        )
    names = few([str(file.relative_to(root)) for file in corrupt])
    return (f"{len(corrupt)} of {len(files)} images of {root} cannot be read and are left out: {names}.",)


def _fault(file: Path) -> str:
    if not file.exists():
        return "a link to nowhere"
    if not file.stat().st_size:
        return "empty file"
    try:
        with opened(file, None) as (image, _):
            fitted(image, None, 3, "stretch")
    except (ValueError, Image.DecompressionBombError) as error:
        return str(error)
    except UNREADABLE:
        pass
    return "not an image, or cut short"


def _refuse_empty(root: Path, labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    counts = np.bincount(labels[labels >= 0], minlength=len(class_names))
    empty = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if empty:
        raise NetworkError(
            f"data.path={root}: no image in the class folder{'s' * (len(empty) > 1)} {', '.join(empty)}. "
            f"Known endings: {', '.join(sorted(ENDINGS))}."
        )


def _common_size(root: Path, files: Sequence[Path]) -> tuple[int, int]:
    sizes = set()
    for file in files:
        try:
            with opened(file, None) as (_, own):
                sizes.add(own)
        except UNREADABLE:
            continue
    if not sizes:
        raise NetworkError(f"data.path={root}: none of its {len(files)} images can be read.")
    if len(sizes) > 1:
        low, high = np.min(list(sizes), axis=0), np.max(list(sizes), axis=0)
        raise NetworkError(
            f"data.path={root}: the images differ in size, from {low[0]} to {high[0]} pixels high and from {low[1]} "
            f"to {high[1]} wide. Set data.size, a number or [height, width]."
        )
    return sizes.pop()


def _stamp(file: Path) -> tuple[int, int]:
    if not file.exists():
        return 0, 0
    state = file.stat()
    return state.st_size, state.st_mtime_ns
