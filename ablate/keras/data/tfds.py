"""Any image-classification set of tensorflow-datasets, by name; what cannot be had is an error within seconds."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import AblateError, NetworkError, suggestion
from ablate.study.setting import Setting, flag, optional, text

if TYPE_CHECKING:
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
    from ablate.keras.data.dataset import Pool, consecutive
    from ablate.keras.data.decoding import decode_images
    from ablate.keras.data.tfds_preparation import find_builder, prepare, quiet

    with quiet():
        builder = find_builder(values)
        image_key, label_key = _keys(builder, values)
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
    # Not at the top: it imports tensorflow-datasets, which takes seconds.
    from ablate.keras.data.tfds_records import read_records

    blocks = (read_records(builder, split, image_key, label_key, target, values["fit"]) for split in splits.values())
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
    official = consecutive(counts)
    unlabelled = [splits[part] for part, index in official.items() if (images.labels[index] < 0).any()]
    if unlabelled:
        raise NetworkError(
            f"Data set '{values['name']}' has images without a class in {' and '.join(unlabelled)}. "
            f"Choose other parts with data.train_split, data.validation_split and data.test_split from: "
            f"{', '.join(sorted(builder.info.splits))}."
        )
    names = tuple(builder.info.features[label_key].names)
    return Pool(values["name"], images.images, images.labels, names, official, images.sizes, hashes=images.contents)


def _identity(builder: Any) -> list[Any]:
    """What the decoded images follow from, apart from which of them are read: the set, its files, and the decoders."""
    import PIL
    import tensorflow as tf

    folder = Path(builder.data_dir)
    stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(folder.iterdir())]
    return [builder.info.full_name, str(folder), stamps, tf.__version__, PIL.__version__]


def _keys(builder: Any, values: dict[str, Any]) -> tuple[str, str]:
    """Names of the image and of its class among the features."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict):
        raise NetworkError(f"Data set '{builder.name}' is not one of image classification: it holds {features}.")
    kinds = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    candidates = {
        key: sorted(name for name, feature in features.items() if isinstance(feature, kind))
        for key, kind in kinds.items()
    }
    missing = [plural for key, plural in (("image", "images"), ("label", "class labels")) if not candidates[key]]
    if missing:
        raise NetworkError(
            f"Data set '{builder.name}' is not one of image classification: it has no {' and '.join(missing)}. "
            f"Its features: {', '.join(sorted(features))}."
        )
    supervised = builder.info.supervised_keys or ()
    usual = dict(zip(kinds, supervised, strict=True)) if len(supervised) == 2 else {}
    chosen = {key: _choose(names, values[key], (usual.get(key), key)) for key, names in candidates.items()}
    if None in chosen.values():
        raise NetworkError(
            "\n".join(
                f"data.{key}={values[key] or 'null'}: data set '{builder.name}' has {', '.join(candidates[key])}; name "
                f"one of them.{suggestion(str(values[key]), candidates[key])}"
                for key, name in chosen.items()
                if name is None
            )
        )
    return str(chosen["image"]), str(chosen["label"])


def _choose(names: list[str], configured: str | None, usual: tuple[Any, ...]) -> str | None:
    """The configured name, or else the only one, or else the first of the usual ones; ``None`` if there is none."""
    if configured is not None:
        return configured if configured in names else None
    if len(names) == 1:
        return names[0]
    return next((name for name in usual if name in names), None)


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
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        for split, count in _common(first, second).items():
            faults.append(
                f"data.{one}_split={splits[one]} and data.{other}_split={splits[other]} have {count} images of {split} "
                "in common."
            )
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


def _common(first: Any, second: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for split, begin, end in first:
        for other, start, stop in second:
            if split == other and (shared := min(end, stop) - max(begin, start)) > 0:
                counts[split] = counts.get(split, 0) + shared
    return counts
