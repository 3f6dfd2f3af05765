"""Any image-classification set of tensorflow-datasets, by name; without a network it says so within seconds."""

from __future__ import annotations

import logging
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import numpy as np

from ablate.errors import NetworkError, suggestion
from ablate.keras.data.dataset import Pool
from ablate.keras.data.images import fitted, picture
from ablate.keras.data.store import cache_folder, stacked
from ablate.keras.options import Option, flag, optional, text

__all__ = ["OPTIONS", "pool"]

OPTIONS = {
    "name": Option(None, text()),
    "data_dir": Option(None, optional(text())),
    "manual_dir": Option(None, optional(text())),
    "download": Option(True, flag()),
    "train_split": Option(None, optional(text())),
    "validation_split": Option(None, optional(text())),
    "test_split": Option(None, optional(text())),
}
_PATIENCE = 3.0
"""Seconds to wait for a server's first answer."""


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
    with _quiet():
        builder = _builder(values)
        image_key, label_key = _keys(builder)
        _prepare(builder, values)
    splits = _splits(builder, values)
    shape = builder.info.features[image_key].shape
    if size is None:
        if None in shape[:2]:
            raise NetworkError(
                f"The images of data set '{values['name']}' differ in size: set data.size, a number or [height, width]."
            )
        size = (shape[0], shape[1])
    counts = {part: builder.info.splits[split].num_examples for part, split in splits.items()}
    labels = np.concatenate([_labels(builder, split, label_key) for split in splits.values()])
    if labels.size and labels.min() < 0:
        raise NetworkError(
            f"Data set '{values['name']}' has images without a class in {_unlabelled(splits, counts, labels)}. Choose "
            f"other parts with data.train_split, data.validation_split and data.test_split from: "
            f"{', '.join(sorted(builder.info.splits))}."
        )

    def images() -> Iterator[np.ndarray]:
        for split in splits.values():
            for example in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator():
                yield _fit(example[image_key], values, size)

    array = stacked(
        images(),
        (len(labels), *size, values["channels"]),
        share=values["memory"],
        folder=cache_folder(values["cache"]),
        identity=[builder.info.full_name, str(builder.data_dir), splits, values["fit"]],
    )
    ends = np.cumsum(list(counts.values()))
    official = {part: np.arange(end - counts[part], end) for part, end in zip(counts, ends, strict=True)}
    return Pool(values["name"], array, labels, tuple(builder.info.features[label_key].names), official)


def _builder(values: dict[str, Any]) -> Any:
    import tensorflow_datasets as tfds

    name = values["name"]
    try:
        return tfds.builder(name, data_dir=values["data_dir"], try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        near = suggestion(name.split("/")[0].split(":")[0], known)
        raise NetworkError(
            f"data.name={name}: tensorflow-datasets has no such set.{near} "
            "All names: https://www.tensorflow.org/datasets/catalog/overview."
        ) from error
    except (ValueError, AssertionError) as error:
        plain = name.split("/")[0].split(":")[0]
        builder_class = tfds.builder_cls(plain)
        configs = sorted(config.name for config in builder_class.BUILDER_CONFIGS)
        asked = name.partition("/")[2].split(":")[0]
        near = suggestion(asked, configs) if asked not in configs else ""
        raise NetworkError(
            f"data.name={name}: tensorflow-datasets has {plain} with "
            f"{'the configs ' + ', '.join(configs) if configs else 'no configs'}"
            f"{f' in version {builder_class.VERSION}' if builder_class.VERSION else ''}.{near} "
            "The form is name/config:version."
        ) from error


def _prepare(builder: Any, values: dict[str, Any]) -> None:
    if builder.is_prepared():
        return
    import tensorflow_datasets as tfds

    downloads = Path(builder._data_dir_root) / "downloads"
    manual = Path(values["manual_dir"]).expanduser() if values["manual_dir"] else downloads / "manual"
    missing = {url: info for url, info in _urls(builder).items() if not (manual / info.filename).exists()}
    online = bool(missing) and values["download"] and _online(missing)
    if missing and not online:
        why = "there is no network" if values["download"] else "data.download=false"
        files = "\n".join(f"  {info.filename}  {info.size}  {url}" for url, info in sorted(missing.items()))
        raise NetworkError(
            f"Data set '{values['name']}' is not prepared in {builder.data_dir}, and {why}. Prepare it where there is "
            f"one and set data.data_dir to that folder, or put these files into {manual} and run again:\n{files}"
        )
    config = tfds.download.DownloadConfig(manual_dir=str(manual), try_download_gcs=False)
    try:
        with nullcontext() if online else _impatient():
            builder.download_and_prepare(download_dir=str(downloads), download_config=config)
    except Exception as error:
        raise NetworkError(
            f"Data set '{values['name']}' cannot be prepared in {builder.data_dir} (files from {manual}): {error}"
        ) from error


def _urls(builder: Any) -> dict[str, Any]:
    """What the set downloads; of a set with several configs only what names this one, where any does."""
    urls = dict(builder.url_infos)
    config = builder.builder_config
    own = {url: info for url, info in urls.items() if config is not None and config.name in url}
    return own or urls


def _online(urls: dict[str, Any]) -> bool:
    """Whether the first of the servers, or the proxy in front of it, takes a connection."""
    address = urlsplit(next(iter(urls)))
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        address = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    port = address.port or {"http": 80, "ftp": 21}.get(address.scheme, 443)
    try:
        socket.create_connection((address.hostname, port), timeout=_PATIENCE).close()
    except OSError:
        return False
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what the library logs on its way; what matters comes as an error."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _impatient() -> Iterator[None]:
    """One attempt with a time limit a download, in place of eleven without: all files ought to be there."""
    from tensorflow_datasets.core.download import downloader

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        with mock.patch.object(downloader, "MAX_RETRIES", 0, create=True):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _keys(builder: Any) -> tuple[str, str]:
    import tensorflow_datasets as tfds

    features = builder.info.features
    kinds = (tfds.features.Image, tfds.features.ClassLabel)
    if not isinstance(features, tfds.features.FeaturesDict):
        raise NetworkError(f"Data set '{builder.name}' is not one of image classification: it holds {features}.")
    found = []
    for kind, place in zip(kinds, (0, 1), strict=True):
        names = [name for name, feature in features.items() if isinstance(feature, kind)]
        supervised = builder.info.supervised_keys
        if supervised and len(supervised) == 2 and supervised[place] in names:
            names = [supervised[place]]
        found.append(names)
    if not all(found):
        lacking = " and ".join(word for word, names in zip(("images", "class labels"), found, strict=True) if not names)
        raise NetworkError(
            f"Data set '{builder.name}' is not one of image classification: it has no {lacking}. "
            f"Its features: {', '.join(sorted(features))}."
        )
    return found[0][0], found[1][0]


def _splits(builder: Any, values: dict[str, Any]) -> dict[str, str]:
    """The set's split by part; a set with a validation part alone is tested on it, as its users do."""
    known = sorted(builder.info.splits)
    asked = {part: values[f"{part}_split"] for part in ("train", "validation", "test")}
    wrong = [
        f"data.{part}_split={split}" for part, split in asked.items() if split and split.split("[")[0] not in known
    ]
    if asked["train"] is None and "train" not in known and not wrong:
        wrong = ["data.train_split=null"]
    if wrong:
        raise NetworkError(f"{' and '.join(wrong)}: data set '{values['name']}' has the parts {', '.join(known)}.")
    train = asked["train"] or "train"
    test = asked["test"] or next((split for split in ("test", "validation") if split in known and split != train), None)
    validation = asked["validation"] or ("validation" if "validation" in known and test != "validation" else None)
    return {part: split for part, split in (("train", train), ("validation", validation), ("test", test)) if split}


def _labels(builder: Any, split: str, key: str) -> np.ndarray:
    import tensorflow_datasets as tfds

    only = tfds.decode.PartialDecoding({key: True})
    examples = builder.as_dataset(split=split, shuffle_files=False, decoders=only).as_numpy_iterator()
    return np.array([example[key] for example in examples], np.int64)


def _unlabelled(splits: dict[str, str], counts: dict[str, int], labels: np.ndarray) -> str:
    ends = np.cumsum(list(counts.values()))
    bad = [splits[part] for part, end in zip(splits, ends, strict=True) if (labels[end - counts[part] : end] < 0).any()]
    return " and ".join(bad)


def _fit(image: np.ndarray, values: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    if image.dtype == np.uint8 and image.shape == (*size, values["channels"]):
        return image
    try:
        return fitted(picture(image), size, values["channels"], values["fit"])
    except ValueError as error:
        raise NetworkError(f"Data set '{values['name']}': {error}.") from error
