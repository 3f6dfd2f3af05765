"""Images in folders: one folder a class, or such folders within ``train``, ``validation`` and ``test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import NetworkError
from ablate.study.setting import Setting, flag, optional, text

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Pool

SETTINGS = {
    "path": Setting(None, text(), "the folder"),
    "name": Setting(None, optional(text()), "what tables call the set; null is the folder's name"),
    "skip_corrupt": Setting(False, flag(), "true: leave out images that cannot be read, instead of refusing the set"),
}
DEFAULTS = {"size": 64}


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The images of a folder.

    Args:
        values: The checked data section.
        size: Height and width, or ``None`` where all images have the same.

    Returns:
        All images; ``train``, ``validation`` and ``test`` folders are official parts.

    Raises:
        NetworkError: No such folder, fewer than two classes, images that cannot be read, or sizes that differ.
    """
    import numpy as np
    import PIL

    from ablate.keras.data.class_folders import corrupt_notes, first_size, list_images, refuse_empty_classes
    from ablate.keras.data.dataset import Pool
    from ablate.keras.data.decoding import decode_blocks, decode_images
    from ablate.keras.data.images import UNREADABLE, fitted, opened

    root = Path(values["path"]).expanduser()
    listing = list_images(root)
    files, labels, class_names = listing.files, listing.labels, listing.class_names
    height_width = size or first_size(root, files)
    channels, fit = values["channels"], values["fit"]

    def decode(position: int) -> tuple[np.ndarray, int, tuple[int, int]]:
        try:
            with opened(files[position], size) as (image, original):
                pixels = fitted(image, size, channels, fit)
        except UNREADABLE:
            return np.zeros((*height_width, channels), np.uint8), -1, (0, 0)
        if pixels.shape[:2] != height_width:
            raise NetworkError(
                f"data.path={root}: the images differ in size: {files[position]} has {original[0]} x {original[1]} "
                f"pixels, an earlier one {height_width[0]} x {height_width[1]}. Set data.size, a number or "
                "[height, width]."
            )
        return pixels, int(labels[position]), original

    images = decode_images(
        decode_blocks(range(len(files)), decode),
        len(files),
        (*height_width, channels),
        values,
        identity=[PIL.__version__, fit, [[str(file.resolve()), *_stamp(file)] for file in files]],
    )
    columns = images.columns
    notes = listing.notes + corrupt_notes(root, files, columns["labels"], skip=values["skip_corrupt"])
    official = {name: index[columns["labels"][index] >= 0] for name, index in listing.official.items()}
    refuse_empty_classes(root, columns["labels"], class_names)
    name = values["name"] or root.resolve().name
    pixels, sizes, contents = images.images, columns["sizes"], columns["contents"]
    return Pool(name, pixels, columns["labels"], class_names, official, sizes, notes, contents)


def _stamp(file: Path) -> tuple[int, int]:
    """Bytes and time of change: another file at the same place is decoded anew."""
    if not file.exists():
        return 0, 0
    state = file.stat()
    return state.st_size, state.st_mtime_ns
