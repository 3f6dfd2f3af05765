"""Any image-classification set of tensorflow-datasets, by name; what cannot be had is an error within seconds."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from itertools import chain, combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import AblateError, NetworkError, suggestion
from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, flag, optional, text

if TYPE_CHECKING:
    from ablate.keras.data.cache import Block
    from ablate.keras.data.dataset import Pool

SETTINGS = {
    "name": Setting(None, text(), "as in the catalogue, with config and version if wanted: cmaterdb/telugu:1.0.0"),
    "data_dir": Setting(
        None,
        optional(text()),
        "where tensorflow-datasets keeps its sets; null is $TFDS_DATA_DIR, or else ~/tensorflow_datasets",
    ),
    "manual_dir": Setting(
        None, optional(text()), "where files fetched by hand lie; null is <data_dir>/downloads/manual"
    ),
    "download": Setting(True, flag(), "false: use only what is prepared or lies in manual_dir"),
    "train_split": Setting(
        None, optional(text()), "the set's own names of its parts, slices too: train[:80%]; null is train"
    ),
    "validation_split": Setting(None, optional(text()), "null is validation, if there is a test part as well"),
    "test_split": Setting(None, optional(text()), "null is test, or else validation"),
    "image": Setting(None, optional(text()), "name of the image among the set's features, where it has several"),
    "label": Setting(None, optional(text()), "name of the class: data.label=coarse_label of cifar100"),
}
DEFAULTS: dict[str, Any] = {}
FORMS = (LabelForm.CLASS,)

_LABEL_TYPES = ("object", "bool", "int64")
"""Types of a feature that may be a class although the set does not declare it as one."""
_PREFETCH = 256
"""Encoded images that are read ahead."""

_Ranges = list[tuple[str, int, int]]
"""Official part, first image, end."""


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The images of a set of tensorflow-datasets, prepared first where that is needed.

    Args:
        values: The checked data section.
        size: Height and width, or ``None`` where the set gives all images the same.

    Returns:
        All images; the set's own test and validation parts are official.

    Raises:
        NetworkError: Unknown set or part, a set that is not one of image classification, or one that is neither
            prepared nor to be had.
    """
    import tensorflow_datasets as tfds

    from ablate.keras.data.dataset import Pool, consecutive
    from ablate.keras.data.decoding import decode_images
    from ablate.keras.data.source_notes import source_notes
    from ablate.keras.data.tfds_preparation import find_builder, prepare

    logging.getLogger("absl").setLevel(logging.ERROR)  # the log of the library
    builder = find_builder(values)
    features = tfds.features
    if not isinstance(builder.info.features, features.FeaturesDict):
        raise NetworkError(
            f"Data set '{builder.name}' is not one of image classification: it holds {builder.info.features}."
        )
    image_key = _feature(builder, "image", features.Image, values["image"])
    label_key = _feature(builder, "label", features.ClassLabel, values["label"])
    prepare(builder, values)
    splits = _splits(builder, values)
    shape = builder.info.features[image_key].shape
    if size is None:
        if None in shape[:2]:
            raise NetworkError(
                f"The images of data set '{values['name']}' differ in size: set data.size, a number or [height, width]."
            )
        size = (shape[0], shape[1])
    counts = {part: builder.info.splits[split].num_examples for part, split in splits.items()}
    target = (*size, values["channels"])
    blocks = (_read_split(builder, split, image_key, label_key, target, values["fit"]) for split in splits.values())
    try:
        images = decode_images(
            chain.from_iterable(blocks),
            sum(counts.values()),
            target,
            values,
            identity=[*_identity(builder), splits, image_key, label_key, values["fit"]],
        )
    except AblateError:
        raise
    except Exception as error:  # each library raises its own for a broken record or picture
        first_line = str(error).strip().split("\n")[0]
        raise NetworkError(f"Data set '{values['name']}' in {builder.data_dir} cannot be read: {first_line}") from error
    columns = images.columns
    official = consecutive(counts)
    unlabelled = [splits[part] for part, index in official.items() if (columns["labels"][index] < 0).any()]
    if unlabelled:
        raise NetworkError(
            f"Data set '{values['name']}' has images without a class in {' and '.join(unlabelled)}. "
            f"Choose other parts with data.train_split, data.validation_split and data.test_split from: "
            f"{', '.join(sorted(builder.info.splits))}."
        )
    names = tuple(builder.info.features[label_key].names)
    name, sizes, contents = values["name"], columns["sizes"], columns["contents"]
    notes = source_notes(columns, size, None)
    cut = [values[key] for key in ("train_split", "validation_split", "test_split", "image", "label") if values[key]]
    origin = {"/".join(["data", name, *cut]): _fingerprint(builder)}
    return Pool(name, images.images, columns["labels"], names, official, sizes, notes, contents, origin=origin)


def _read_split(
    builder: Any, split: str, image_key: str, label_key: str, shape: tuple[int, int, int], fit: str
) -> Iterator[Block]:
    """The images of one split in blocks, in the order of the files, with the given height, width and channels."""
    import numpy as np
    import tensorflow_datasets as tfds

    from ablate.keras.data.decoding import Example, decode_blocks
    from ablate.keras.data.images import fitted, opened, peak_of, picture

    # Images of 8 bits are decoded here, in parallel; only the library knows how it encodes other types.
    is_encoded = builder.info.features[image_key].np_dtype == np.uint8
    decoding = tfds.decode.PartialDecoding(
        {image_key: True, label_key: True}, {image_key: tfds.decode.SkipDecoding()} if is_encoded else None
    )
    # The library would hold a small set in memory, in addition to our pool, and read several files in turn.
    config = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
    examples = builder.as_dataset(split=split, shuffle_files=False, read_config=config, decoders=decoding)

    def decode(example: dict[str, Any]) -> Example:
        image, label = example[image_key], int(example[label_key])
        if is_encoded:
            with opened(image, shape[:2]) as (encoded, size):
                return Example(fitted(encoded, shape[:2], shape[2], fit), label, size)
        pixels = fitted(picture(image), shape[:2], shape[2], fit)
        return Example(pixels, label, image.shape[:2], peak_of(image))

    yield from decode_blocks(examples.prefetch(_PREFETCH).as_numpy_iterator(), decode)


def _fingerprint(builder: Any) -> str:
    """Of the version of a set and how many examples and bytes each of its files has."""
    # In the process that prepares a set its splits have names of a class of their own.
    items = sorted(((str(name), split) for name, split in builder.info.splits.items()), key=lambda item: item[0])
    splits = {name: [list(split.shard_lengths), split.num_bytes] for name, split in items}
    return hashlib.blake2b(repr([builder.info.full_name, splits]).encode(), digest_size=6).hexdigest()


def _identity(builder: Any) -> list[Any]:
    """What the decoded images follow from, apart from which of them are read: the set, its files, and the decoders."""
    import PIL
    import tensorflow as tf

    folder = Path(builder.data_dir)
    stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(folder.iterdir())]
    return [builder.info.full_name, str(folder), stamps, tf.__version__, PIL.__version__]


def _feature(builder: Any, key: str, kind: type, configured: str | None) -> str:
    """Name of the feature that is the image or its class: as configured, or else the only one, or the usual one.

    Args:
        builder: The builder of the set.
        key: ``image`` or ``label``.
        kind: The class of such features.
        configured: The value of ``data.image`` or ``data.label``.
    """
    features = builder.info.features
    names = sorted(name for name, feature in dict(features).items() if isinstance(feature, kind))
    if not names:
        raise NetworkError(
            f"Data set '{builder.name}' is not one of image classification: it has no "
            f"{'images' if key == 'image' else 'class labels'}. Its features: {', '.join(sorted(features))}."
            + ("" if key == "image" else _label_advice(builder.name, features, _first_image(features)))
        )
    usual = names if len(names) == 1 else [*(builder.info.supervised_keys or ()), key]
    chosen = next((name for name in ([configured] if configured else usual) if name in names), None)
    if chosen is None:
        raise NetworkError(
            f"data.{key}={configured or 'null'}: data set '{builder.name}' has {', '.join(names)}; name one of "
            f"them.{suggestion(str(configured), names)}"
        )
    return str(chosen)


def _kind(feature: Any) -> str:
    """The type of a feature's values; empty where it has no one type."""
    import numpy as np

    try:
        return np.dtype(feature.np_dtype).name
    except (AttributeError, TypeError):
        return ""


def _first_image(features: Mapping[str, Any]) -> str:
    import tensorflow_datasets as tfds

    return next((str(name) for name, one in dict(features).items() if isinstance(one, tfds.features.Image)), "image")


def _label_advice(name: str, features: Mapping[str, Any], image: str) -> str:
    """How to use a feature that may be a class although the set does not declare it as one: a text or truth value."""
    kinds = {key: _kind(feature) for key, feature in dict(features).items() if getattr(feature, "shape", None) == ()}
    likely = {key: "text" if kind == "object" else kind for key, kind in kinds.items() if kind in _LABEL_TYPES}
    if not likely:
        return ""
    seen = ", ".join(f"{key} ({kind})" for key, kind in likely.items())
    pair = f"(example['{image}'], example['{next(iter(likely))}'])"
    return (
        f" A class may be in {seen}: read it by a function in my_module.py, def load(): return "
        f"tfds.load('{name}', split='train').map(lambda example: {pair}), with data=builder "
        "data.builder=my_module.load data.size=64."
    )


def _splits(builder: Any, values: dict[str, Any]) -> dict[str, str]:
    """The set's split by part; a set with a validation part alone is tested on it, as its users do."""
    known = sorted(builder.info.splits)
    configured = {part: values[f"{part}_split"] for part in ("train", "validation", "test")}
    if configured["train"] is None and "train" not in known:
        raise NetworkError(
            f"data.train_split=null: data set '{values['name']}' has the parts {', '.join(known)}; name one of them."
        )
    train = configured["train"] or "train"
    test = configured["test"] or next(
        (split for split in ("test", "validation") if split in known and split != train), None
    )
    free = "validation" in known and "validation" not in (train, test)
    validation = configured["validation"] or ("validation" if free else None)
    splits = {part: split for part, split in (("train", train), ("validation", validation), ("test", test)) if split}
    _refuse_overlaps(values["name"], builder.info.splits, splits)
    return splits


def _refuse_overlaps(name: str, known: Mapping[str, Any], splits: Mapping[str, str]) -> None:
    """Refuses splits that do not exist, hold nothing, or have an image in common.

    Args:
        name: Name of the set.
        known: The set's ``info.splits``.
        splits: By part, what is to be read: ``train``, ``train[:80%]``, ``train+extra``.

    Raises:
        NetworkError: With every fault, a line each.
    """
    ranges = {part: _ranges(known, split) for part, split in splits.items()}
    faults = [f"data.{part}_split={splits[part]}: {fault}" for part, fault in ranges.items() if isinstance(fault, str)]
    if faults:
        raise NetworkError("\n".join([*faults, f"Data set '{name}' has the parts {', '.join(sorted(known))}."]))
    faults = [
        f"data.{one}_split={splits[one]} and data.{other}_split={splits[other]} have {count} images in common."
        for one, other in combinations(ranges, 2)
        if (count := _common(ranges[one], ranges[other]))
    ]
    if faults:
        raise NetworkError(
            "\n".join([*faults, "Cut parts that do not overlap, such as train[:80%] for training and train[80%:]."])
        )


def _ranges(known: Mapping[str, Any], split: str) -> _Ranges | str:
    """What a split reads, or what is wrong with it."""
    import tensorflow_datasets as tfds

    try:
        pieces = tfds.core.ReadInstruction.from_spec(split).to_absolute(known)
    except Exception:  # of several kinds, some of them assertions
        return f"no such part, nor a slice of one such as train[:80%].{suggestion(split.split('[')[0], known)}"
    bounds = [(piece.splitname, piece.from_ or 0, piece.to) for piece in pieces]
    ranges = [(name, begin, known[name].num_examples if end is None else end) for name, begin, end in bounds]
    return [piece for piece in ranges if piece[2] > piece[1]] or "it holds no image."


def _common(first: Any, second: Any) -> int:
    """How many images two splits share."""
    shared = (
        min(end, stop) - max(begin, start)
        for (split, begin, end), (other, start, stop) in product(first, second)
        if split == other
    )
    return sum(max(0, count) for count in shared)
