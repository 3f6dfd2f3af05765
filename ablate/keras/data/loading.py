"""Loads a data set: decoded once a process, split for a seed, with its scaling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import ConfigError
from ablate.keras.data import SOURCES
from ablate.keras.data.dataset import Dataset, Pool, Subset
from ablate.keras.data.split import split
from ablate.keras.settings import TRAINING_KEYS, check_data

_NOT_OF_THE_IMAGES = ("validation", "test", "resplit", "limit", "scaling", *TRAINING_KEYS)


def load(config: Mapping[str, Any], seed: int) -> Dataset:
    """A data set, decoded once a process and split for one seed.

    Args:
        config: The ``data`` node of the configuration: ``source`` and its keys.
        seed: Seed of the split; with ``resplit: false`` every seed has the split of seed 0.

    Returns:
        The images in three subsets that share none.

    Raises:
        ConfigError: Unknown keys or values, all of them in one message.
        NetworkError: The data cannot be had, or cannot be split.
    """
    values, faults = check_data(config)
    if faults:
        raise ConfigError("\n".join(faults))
    of_images = {name: value for name, value in values.items() if name not in _NOT_OF_THE_IMAGES}
    pool = _load_pool(json.dumps(of_images, sort_keys=True))
    shares = {key: values[key] for key in ("validation", "test", "limit")}
    positions = split(pool, seed if values["resplit"] else 0, **shares)
    train = Subset(pool, positions["train"])
    offset, factor = _scaling(train, values["scaling"])
    return Dataset(train, Subset(pool, positions["validation"]), Subset(pool, positions["test"]), offset, factor)


def clear_pools() -> None:
    """Drops the decoded images that this process holds."""
    _load_pool.cache_clear()


# Two data sets: every run of a study in this process reads the same images.
@lru_cache(maxsize=2)
def _load_pool(values_json: str) -> Pool:
    values = json.loads(values_json)
    size = [values["size"]] * 2 if isinstance(values["size"], int) else values["size"]
    return SOURCES[values["source"]].read(values, None if size is None else tuple(size))


def _scaling(train: Subset, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and factor by channel; ``standard`` reads the training part and nothing else."""
    channels = train.pool.images.shape[-1]
    offset, factor = np.zeros(channels), np.ones(channels)
    if scaling == "unit":
        factor /= 255
    elif scaling == "standard":
        # In blocks of about 1,024 images, in the order in which they lie in the file: they may not fit into memory.
        total, squares, pixels = np.zeros(channels), np.zeros(channels), 0
        for rows in np.array_split(np.sort(train.index), max(1, len(train) // 1024)):
            values = train.pool.images[rows].reshape(-1, channels).astype(np.float64)
            total += values.sum(axis=0)
            squares += np.square(values).sum(axis=0)
            pixels += len(values)
        offset = total / pixels
        # A channel of one shade everywhere would divide by 0, and rounding can make a variance negative.
        factor = 1 / np.maximum(np.sqrt(np.maximum(squares / pixels - offset**2, 0)), 1e-6)
    return offset.astype(np.float32), factor.astype(np.float32)
