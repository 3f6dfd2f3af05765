"""Images in files: in folders by class, by part and class, or with labels in a table or in their names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import NetworkError
from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Rule, Setting, either, flag, list_of, mapping, number, optional, text, whole

if TYPE_CHECKING:
    from ablate.keras.data.dataset import Pool


def _has_label_group(value: Any) -> bool:
    try:
        return isinstance(value, str) and "label" in re.compile(value).groupindex
    except re.error:
        return False


_TEXTS = either(text(), list_of(text(), "", empty=False))
_ENTRIES = either(text(), whole(0), flag(), list_of(either(text(), whole(0), flag()), "", empty=False))


def _by_part(item: Rule) -> Callable[[Any], bool]:
    return lambda value: mapping(item).allows(value) and {*value} <= {"train", "validation", "test"}


def _names_parts(value: Any) -> bool:
    return value == "none" or _by_part(_TEXTS)(value)


def _names_tables(value: Any) -> bool:
    return _TEXTS.allows(value) or (_by_part(_TEXTS)(value) and "train" in value)


SETTINGS = {
    "path": Setting(None, text(), "the folder"),
    "name": Setting(None, optional(text()), "what tables call the set; null is the folder's name"),
    "skip_corrupt": Setting(False, flag(), "true: leave out images that cannot be read, instead of refusing the set"),
    "parts": Setting(
        None,
        optional(Rule(_names_parts, "none, or the folders of each part: {train: seg_train, test: [fold4, fold5]}")),
        "folders of train, validation and test: {train: seg_train, test: seg_test}; null finds them by their names, "
        "none takes no folder for a part",
    ),
    "depth": Setting(
        None, optional(whole(1)), "levels of folders that make a class; null is 1, and refuses what is not clear"
    ),
    "labels": Setting(
        None,
        optional(
            Rule(_names_tables, "a table, a list of tables [images.txt, labels.txt], or such by part {train: a.csv}")
        ),
        "a table of labels (CSV or text) in the folder or in each of its parts; a list of tables that belong together; "
        "tables by part: {train: train.csv, test: test.csv}",
    ),
    "image_column": Setting(None, optional(either(text(), whole(1))), "its column of file names; null finds it"),
    "label_column": Setting(None, optional(either(text(), whole(1))), "its column of classes; null finds it"),
    "part_column": Setting(
        None, optional(either(text(), whole(1))), "its column of parts; null finds it, none: it has none"
    ),
    "part_values": Setting(
        None,
        optional(Rule(_by_part(_ENTRIES), "entries of that column by part: {train: 1, test: 0}")),
        "entries of that column that stand for each part: {train: 1, test: 0}; null: the usual words",
    ),
    "label_pattern": Setting(
        None,
        optional(Rule(_has_label_group, "a regular expression with a group label: '(?P<label>[a-z]+)\\.\\d+'")),
        "where a file's path holds its class: '(?P<label>[a-z]+)\\.\\d+'; a group part may name the part",
    ),
    "exclude": Setting(
        [], list_of(text(), "a list of patterns: ['*_mask*']"), "patterns of files that are left out: ['*_mask*']"
    ),
    "white": Setting(
        None,
        optional(number(0, open_low=True)),
        "what white is in images of 16 bits (4095 where they hold 12) and floating-point numbers; null: 65535 and 1",
    ),
}
DEFAULTS = {"size": 64}
FORMS = (LabelForm.CLASS,)

_READING = (
    *("parts", "depth", "labels", "image_column", "label_column", "part_column", "label_pattern", "exclude"),
    *("part_values", "skip_corrupt"),
)
"""Settings on which files, labels and parts depend."""


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The images of a folder.

    Args:
        values: The checked data section.
        size: Height and width, or ``None`` where all images have the same.

    Returns:
        All images; parts that the folder has are official.

    Raises:
        NetworkError: No such folder, a folder whose meaning is not clear, fewer than two classes, images that cannot
            be read, or sizes that differ.
    """
    import numpy as np
    import PIL

    from ablate.keras.data.dataset import Pool
    from ablate.keras.data.decoding import Example, decode_blocks, decode_images
    from ablate.keras.data.folder_layout import ColumnChoice, Layout
    from ablate.keras.data.image_files import corrupt_notes, first_size
    from ablate.keras.data.image_listing import list_images, refuse_empty_classes
    from ablate.keras.data.images import UNREADABLE, fitted, frames_of, opened, peak_of
    from ablate.keras.data.source_notes import digest_of, file_traits, source_notes

    root = Path(values["path"]).expanduser()
    image, label, part = (
        None if values[key] is None else str(values[key]) for key in ("image_column", "label_column", "part_column")
    )
    columns = ColumnChoice(image, label, part, values["part_values"])
    exclude = tuple(values["exclude"])
    layout = Layout(values["parts"], values["depth"], values["labels"], columns, values["label_pattern"], exclude)
    listing = list_images(root, layout)
    files, labels, class_names = listing.files, listing.labels, listing.class_names
    if not files:
        refuse_empty_classes(root, labels, class_names)
    height_width = size or first_size(root, files)
    channels, fit, white = values["channels"], values["fit"], values["white"]

    def decode(position: int) -> Example:
        try:
            data = files[position].read_bytes()
            with opened(data, size) as (image, original):
                frames, peak = frames_of(files[position]), peak_of(image)
                pixels = fitted(image, size, channels, fit, white)
        except UNREADABLE:
            return Example(np.zeros((*height_width, channels), np.uint8), -1, (0, 0))
        if pixels.shape[:2] != height_width:
            raise NetworkError(
                f"data.path={root}: the images differ in size: {files[position]} has {original[0]} x {original[1]} "
                f"pixels, an earlier one {height_width[0]} x {height_width[1]}. Set data.size, a number or "
                "[height, width]."
            )
        return Example(pixels, int(labels[position]), original, peak, frames, digest_of(data))

    # Labels that are not in the path of a file change without it.
    digest = hashlib.blake2b(labels.tobytes() + repr(class_names).encode(), digest_size=8).hexdigest()
    images = decode_images(
        decode_blocks(range(len(files)), decode),
        len(files),
        (*height_width, channels),
        values,
        identity=[PIL.__version__, fit, white, digest, [[str(file.resolve()), *_stamp(file)] for file in files]],
    )
    columns_of_images = images.columns
    notes = listing.notes + corrupt_notes(root, files, columns_of_images["labels"], skip=values["skip_corrupt"])
    official = {name: index[columns_of_images["labels"][index] >= 0] for name, index in listing.official.items()}
    refuse_empty_classes(root, columns_of_images["labels"], class_names)
    name = values["name"] or root.resolve().name
    # What may differ within a study, since it stands in the configuration, belongs to the name of the fingerprint.
    chosen = [values[key] for key in _READING if values[key] != SETTINGS[key].default]
    variant = f"/{hashlib.blake2b(repr(chosen).encode(), digest_size=4).hexdigest()}" if chosen else ""
    places = [
        (file.relative_to(root).as_posix(), class_names[label] if label >= 0 else "", source.tobytes())
        for file, label, source in zip(files, columns_of_images["labels"], columns_of_images["sources"], strict=True)
    ]
    parts = {part: index.tolist() for part, index in official.items()}
    origin = hashlib.blake2b(repr([places, parts]).encode(), digest_size=6).hexdigest()
    return Pool(
        name,
        images.images,
        columns_of_images["labels"],
        class_names,
        official,
        columns_of_images["sizes"],
        (*notes, *source_notes(columns_of_images, height_width, white)),
        columns_of_images["contents"],
        file_traits(files, class_names),
        {f"data/{name}{variant}": origin},
    )


def _stamp(file: Path) -> tuple[int, int]:
    """Bytes and time of change: another file at the same place is decoded anew."""
    if not file.exists():
        return 0, 0
    state = file.stat()
    return state.st_size, state.st_mtime_ns
