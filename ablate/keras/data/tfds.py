"""Any image-classification set of tensorflow-datasets, by name; without a network it says so within seconds."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import tensorflow as tf

from ablate.errors import AblateError, NetworkError, suggestion
from ablate.keras.data.dataset import Pool
from ablate.keras.data.official import refuse_overlaps
from ablate.keras.data.preparation import found_builder, prepare, quiet
from ablate.keras.data.store import cache_folder, decoded
from ablate.keras.options import Option, flag, optional, text

__all__ = ["OPTIONS", "pool"]

OPTIONS = {
    "name": Option(None, text()),
    "data_dir": Option(None, optional(text())),
    "manual_dir": Option(None, optional(text())),
    "download": Option(True, flag()),
    "image": Option(None, optional(text())),
    "label": Option(None, optional(text())),
    "train_split": Option(None, optional(text())),
    "validation_split": Option(None, optional(text())),
    "test_split": Option(None, optional(text())),
}


def pool(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The images of a set of tensorflow-datasets, prepared first where that is needed.

    Args:
        values: The checked config.
        size: Height and width, or ``None`` where the set gives all images the same.

    Returns:
        All images; the set's own test and validation parts are official.

    Raises:
        NetworkError: Unknown set or part, a set that is not one of image classification, or one that is neither
            prepared nor to be had.
    """
    with quiet():
        builder = found_builder(values)
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
    wanted = (*size, values["channels"])
    from ablate.keras.data import records

    blocks = (records.read(builder, split, image_key, label_key, wanted, values["fit"]) for split in splits.values())
    try:
        images = decoded(
            chain.from_iterable(blocks),
            sum(counts.values()),
            wanted,
            share=values["memory"],
            folder=cache_folder(values["cache"]),
            identity=[*_source(builder), splits, image_key, label_key, values["fit"]],
        )
    except AblateError:
        raise
    except Exception as error:  # a record or picture that is broken, in the words of whoever reads it
        words = str(error).strip().split("\n")[0]
        raise NetworkError(f"Data set '{values['name']}' in {builder.data_dir} cannot be read: {words}") from error
    if len(images.labels) and images.labels.min() < 0:
        raise NetworkError(
            f"Data set '{values['name']}' has images without a class in {_unlabelled(splits, counts, images.labels)}. "
            f"Choose other parts with data.train_split, data.validation_split and data.test_split from: "
            f"{', '.join(sorted(builder.info.splits))}."
        )
    ends = np.cumsum(list(counts.values()))
    official = {part: np.arange(end - counts[part], end) for part, end in zip(counts, ends, strict=True)}
    names = tuple(builder.info.features[label_key].names)
    return Pool(values["name"], images.images, images.labels, names, official, images.sizes, hashes=images.contents)


def _source(builder: Any) -> list[Any]:
    """What the decoded images follow from, beside the choice of them: the set, its files, and who decodes them."""
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
    found = {
        word: sorted(name for name, feature in features.items() if isinstance(feature, kind))
        for word, kind in kinds.items()
    }
    lacking = [words for word, words in (("image", "images"), ("label", "class labels")) if not found[word]]
    if lacking:
        raise NetworkError(
            f"Data set '{builder.name}' is not one of image classification: it has no {' and '.join(lacking)}. "
            f"Its features: {', '.join(sorted(features))}."
        )
    supervised = builder.info.supervised_keys or ()
    usual = dict(zip(kinds, supervised, strict=True)) if len(supervised) == 2 else {}
    chosen = {word: _chosen(names, values[word], (usual.get(word), word)) for word, names in found.items()}
    if None in chosen.values():
        raise NetworkError(
            "\n".join(
                f"data.{word}={values[word] or 'null'}: data set '{builder.name}' has {', '.join(found[word])}; name "
                f"one of them.{suggestion(str(values[word]), found[word])}"
                for word, name in chosen.items()
                if name is None
            )
        )
    return str(chosen["image"]), str(chosen["label"])


def _chosen(names: list[str], asked: str | None, usual: tuple[Any, ...]) -> str | None:
    if asked is not None:
        return asked if asked in names else None
    if len(names) == 1:
        return names[0]
    return next((name for name in usual if name in names), None)


def _splits(builder: Any, values: dict[str, Any]) -> dict[str, str]:
    """The set's split by part; a set with a validation part alone is tested on it, as its users do."""
    known = sorted(builder.info.splits)
    asked = {part: values[f"{part}_split"] for part in ("train", "validation", "test")}
    if asked["train"] is None and "train" not in known:
        raise NetworkError(
            f"data.train_split=null: data set '{values['name']}' has the parts {', '.join(known)}; name one of them."
        )
    train = asked["train"] or "train"
    test = asked["test"] or next((split for split in ("test", "validation") if split in known and split != train), None)
    free = "validation" in known and "validation" not in (train, test)
    validation = asked["validation"] or ("validation" if free else None)
    splits = {part: split for part, split in (("train", train), ("validation", validation), ("test", test)) if split}
    refuse_overlaps(values["name"], builder.info.splits, splits)
    return splits


def _unlabelled(splits: dict[str, str], counts: dict[str, int], labels: np.ndarray) -> str:
    ends = np.cumsum(list(counts.values()))
    bad = [splits[part] for part, end in zip(splits, ends, strict=True) if (labels[end - counts[part] : end] < 0).any()]
    return " and ".join(bad)
