"""Images and their masks in files: in two folders, or a mask beside each image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, list_of, number, optional, text, whole

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Pool

SETTINGS = {
    "path": Setting(None, text(), "the folder"),
    "name": Setting(None, optional(text()), "what tables call the set; null is the folder's name"),
    "images": Setting("images", text(), "the folder of images within it; . where masks lie beside their images"),
    "masks": Setting(
        "masks", text(), "the folder of masks within it, with the names of the images (endings may differ)"
    ),
    "mask_suffix": Setting(
        None, optional(text()), "what a mask's name has behind that of its image: cat.jpg and cat_mask.png, _mask"
    ),
    "class_names": Setting(
        None, optional(list_of(text(), "a list of names: [ground, cat]")), "names of the classes, by number"
    ),
    "values": Setting(
        None,
        optional(list_of(whole(0, 255), "a list of values: [0, 255]", empty=False)),
        "the values of the classes in masks, in their order: [0, 255]; null: 0, 1, 2, ...",
    ),
    "group_pattern": Setting(
        None, optional(text()), "a regular expression whose group names the group of an image, such as its patient"
    ),
    "white": Setting(None, optional(number(0, open_low=True)), "what white is in images of 16 bits or floats"),
}
DEFAULTS: dict[str, Any] = {"size": 64}
FORMS = (LabelForm.MASK,)

_GREY, _PALETTE = ("1", "L", "I", "I;16"), ("P",)


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The images of a folder with their masks.

    The value of a pixel in a mask is its class: of palette images the index, of grey ones the value.

    Args:
        values: The checked data section.
        size: Height and width, or None where all images have the same.

    Returns:
        All images; there is no official part.

    Raises:
        NetworkError: No such folder, images without masks, or masks of other sizes.
    """
    import re

    import numpy as np
    from PIL import Image

    from ablate.keras.data.array_labels import VOID, names_of_places
    from ablate.keras.data.dataset import Pool
    from ablate.keras.data.decoding import Example, decode_blocks, decode_images
    from ablate.keras.data.images import UNREADABLE, fitted, opened, peak_of
    from ablate.keras.data.masks_fitted import fitted_mask
    from ablate.keras.data.order_and_groups import group_numbers
    from ablate.keras.data.source_notes import digest_of, source_notes

    root = Path(values["path"]).expanduser()
    key = f"data.path={values['path']}"
    pairs = _pairs(key, root, values)
    channels, fit, white = values["channels"], values["fit"], values["white"]
    with Image.open(pairs[0][0]) as first:
        height_width = size or (first.height, first.width)
    masks = np.zeros((len(pairs), *height_width), np.uint8)
    faults: list[str] = []

    def decode(number: int) -> Example:
        file, mask_file = pairs[number]
        try:
            data = file.read_bytes()
            with opened(data, None) as (image, original):
                peak = peak_of(image)
                pixels = fitted(image, size, channels, fit, white)
            with Image.open(mask_file) as mask:
                classes = _classes(mask)
        except UNREADABLE as error:
            faults.append(f"{file} with {mask_file}: {error}")
            return Example(np.zeros((*height_width, channels), np.uint8), 0, (0, 0))
        if classes.shape != tuple(original):
            faults.append(
                f"{mask_file} has {classes.shape[0]} x {classes.shape[1]} pixels, and its image {file.name} has "
                f"{original[0]} x {original[1]}: they must agree."
            )
        elif pixels.shape[:2] != height_width:
            faults.append(f"{file} differs in size from the first image: set data.size, a number or [height, width].")
        else:
            masks[number] = fitted_mask(classes, size, fit, VOID)
            return Example(pixels, 0, original, peak, source=digest_of(data + classes.tobytes()))
        return Example(np.zeros((*height_width, channels), np.uint8), 0, (0, 0))

    # Masks are read with their images, so that nothing of a file is taken from an earlier reading.
    images = decode_images(
        decode_blocks(range(len(pairs)), decode), len(pairs), (*height_width, channels), values, identity=None
    )
    if faults:
        raise NetworkError(f"{key}: {len(faults)} of {len(pairs)} images cannot be used.\n" + "\n".join(faults[:10]))
    masks, notes = _numbered(key, masks, values["values"])
    groups = None
    if values["group_pattern"] is not None:
        pattern = re.compile(values["group_pattern"])
        found = [pattern.search(file.relative_to(root).as_posix()) for file, _ in pairs]
        names = [None if one is None else one.group(pattern.groups and 1) for one in found]
        groups = group_numbers(f"data.group_pattern={values['group_pattern']}", np.array(names, object))
    class_names = values["class_names"] or names_of_places(masks)
    name = values["name"] or root.resolve().name
    content = [[file.relative_to(root).as_posix() for file, _ in pairs], images.columns["sources"].tobytes()]
    origin = hashlib.blake2b(repr(content).encode(), digest_size=6).hexdigest()
    return Pool(
        name,
        images.images,
        masks,
        tuple(map(str, class_names)),
        {"train": np.arange(len(pairs))},
        images.columns["sizes"],
        (*notes, *source_notes(images.columns, (height_width[0], height_width[1]), white)),
        images.columns["contents"],
        origin={f"data/{name}": origin},
        form=LabelForm.MASK,
        groups=groups,
    )


def _pairs(key: str, root: Path, values: dict[str, Any]) -> list[tuple[Path, Path]]:
    """Each image with its mask, in the order of their paths."""
    from ablate.keras.data.image_files import picture_files

    if not root.is_dir():
        raise NetworkError(f"{key}: there is no such folder (looked from {Path.cwd()}).")
    suffix = values["mask_suffix"]
    is_one_folder = suffix is not None
    lacks_images = is_one_folder and values["images"] == "images" and not (root / "images").is_dir()
    folder = root if lacks_images else root / values["images"]
    mask_folder = folder if is_one_folder else root / values["masks"]
    missing = [str(one) for one in (folder, mask_folder) if not one.is_dir()]
    if missing:
        inside = sorted(one.name for one in root.iterdir())
        raise NetworkError(
            f"{key} lacks the folder {' and '.join(missing)}. It holds {listing(inside, 10) or 'nothing'}. Name the "
            "folders, data.images=... data.masks=..., or where masks lie beside images what their names end in, "
            "data.mask_suffix=_mask."
        )
    files, of_masks = picture_files(folder), picture_files(mask_folder)
    if is_one_folder:
        of_masks = [file for file in of_masks if file.stem.endswith(suffix)]
        taken = set(of_masks)
        files = [file for file in files if file not in taken]
    masks: dict[str, list[Path]] = {}
    for file in of_masks:
        stem = file.relative_to(mask_folder).with_suffix("").as_posix()
        masks.setdefault(stem.removesuffix(suffix) if suffix else stem, []).append(file)
    stems = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
    alone = [str(file) for file, stem in zip(files, stems, strict=True) if stem not in masks]
    several = (
        [stem for stem in stems if len(masks.get(stem, ())) > 1 or stems.count(stem) > 1] if len(stems) < 5000 else []
    )
    if not files or alone or several:
        what = (
            "no image"
            if not files
            else f"{len(alone)} of {len(files)} images without a mask: {listing(alone, 3)}"
            if alone
            else f"several files of one name: {listing(several, 3)}"
        )
        raise NetworkError(f"{key} has {what}. A mask has the name of its image{f' and {suffix}' if suffix else ''}.")
    return [(file, masks[stem][0]) for file, stem in zip(files, stems, strict=True)]


def _classes(mask: Any) -> np.ndarray:
    """The classes of a mask's pixels."""
    import numpy as np

    if mask.mode not in (*_GREY, *_PALETTE):
        raise ValueError(
            f"a mask of mode {mask.mode}; a palette image or a grey one is needed, in which a value stands for a class"
        )
    values = np.asarray(mask)
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.size and int(values.max()) > 255:
        raise ValueError(f"a mask with values of up to {values.max()}; they are from 0 to 255")
    return values.astype(np.uint8)


def _numbered(key: str, masks: np.ndarray, values: Sequence[int] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Masks with classes from 0, and a sentence where their values were guessed."""
    import numpy as np

    found = np.flatnonzero(np.bincount(masks.ravel(), minlength=256)).tolist()
    notes: tuple[str, ...] = ()
    if values is None:
        if found != [0, 255]:
            return masks, ()
        values = found
        notes = (
            f"{key}: masks hold 0 and 255 alone, which are taken for two classes; data.values= chooses otherwise.",
        )
    table = np.full(256, 255, np.uint8)
    table[list(values)] = np.arange(len(values))
    unknown = [value for value in found if value not in values and value != 255]
    if unknown:
        raise NetworkError(f"data.values={list(values)}: masks also hold {listing(list(map(str, unknown)), 10)}.")
    return table[masks], notes
