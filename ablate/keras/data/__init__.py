"""Data sets: from a config to images in three named parts."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import ConfigError, suggestion
from ablate.keras.data import builder, digits, folder, tfds
from ablate.keras.data.dataset import Dataset, Part, Pool
from ablate.keras.data.images import FITS
from ablate.keras.data.split import split
from ablate.keras.options import Option, Rule, check, choice, flag, fraction, number, optional, sizes, text, whole

__all__ = ["Dataset", "Part", "Pool", "forget", "load", "settings"]


def _channels() -> Rule:
    def rule(value: Any) -> str | None:
        return None if value in (1, 3, 4) and isinstance(value, int) else "1 (grey), 3 (colour) or 4 (with alpha)"

    return rule


_SOURCES: dict[str, ModuleType] = {"builder": builder, "digits": digits, "folder": folder, "tfds": tfds}
# What suits a set; the train section takes it over, and refuses what it does not know.
_FOR_TRAINING = {
    "epochs": Option(None, optional(whole(1))),
    "batch_size": Option(None, optional(whole(1))),
    "schedule": Option(None, optional(text())),
    "learning_rate": Option(None, optional(number(0, open_low=True))),
    "warmup_epochs": Option(None, optional(number(0))),
}
_SHARED = {
    "source": Option(None, choice(_SOURCES)),
    "size": Option(None, optional(sizes())),
    "channels": Option(3, _channels()),
    "fit": Option("stretch", choice(FITS)),
    "validation": Option(0.15, fraction()),
    "test": Option(0.15, fraction()),
    "resplit": Option(True, flag()),
    "limit": Option(None, optional(whole(2))),
    "scaling": Option("unit", choice(("none", "standard", "unit"))),
    "memory": Option(0.25, number(0, 1, open_low=False)),
    "cache": Option(None, optional(text())),
} | _FOR_TRAINING
_NOT_OF_THE_IMAGES = ("validation", "test", "resplit", "limit", "scaling", *_FOR_TRAINING)

# Two data sets decoded in this process: every run of a study reads the same one.
_POOLS: OrderedDict[str, Pool] = OrderedDict()
_KEPT = 2


def settings(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The data section with its defaults, and every fault in it.

    Args:
        config: The ``data`` node of the config.

    Returns:
        The values by key, and one sentence a fault.
    """
    source = config.get("source")
    if source not in _SOURCES:
        near = suggestion(str(source), _SOURCES)
        return dict(config), [f"data.source={source}: must be one of {', '.join(sorted(_SOURCES))}.{near}"]
    own = {key: option for key, option in _SOURCES[source].OPTIONS.items() if key not in _SHARED}
    values, faults = check("data", config, _SHARED | own)
    if source == "digits" and "channels" not in config:
        values["channels"] = 1
    if not faults and values["validation"] + values["test"] >= 1:
        faults.append(
            f"data.validation={values['validation']} and data.test={values['test']} leave nothing to train on: "
            "their sum must be below 1."
        )
    return values, faults


def load(config: Mapping[str, Any], seed: int) -> Dataset:
    """A data set, decoded once a process and split for one seed.

    Args:
        config: The ``data`` node of the config: ``source`` and the keys of ``conf/data``.
        seed: Seed of the split; with ``resplit: false`` every seed has the split of seed 0.

    Returns:
        The images in three parts that share none.

    Raises:
        ConfigError: Unknown keys or values, all of them in one message.
        NetworkError: The data cannot be had, or cannot be split.
    """
    values, faults = settings(config)
    if faults:
        raise ConfigError("\n".join(faults))
    pool = _pool(values)
    parts = split(
        pool,
        seed if values["resplit"] else 0,
        validation=values["validation"],
        test=values["test"],
        limit=values["limit"],
    )
    train = Part(pool, parts["train"])
    offset, factor = _scaling(train, values["scaling"])
    return Dataset(train, Part(pool, parts["validation"]), Part(pool, parts["test"]), offset, factor)


def forget() -> None:
    """Drops the decoded images that this process keeps."""
    _POOLS.clear()


def _pool(values: dict[str, Any]) -> Pool:
    key = json.dumps({name: value for name, value in values.items() if name not in _NOT_OF_THE_IMAGES}, sort_keys=True)
    if key not in _POOLS:
        size = values["size"]
        both = None if size is None else (size, size) if isinstance(size, int) else (size[0], size[1])
        _POOLS[key] = _SOURCES[values["source"]].pool(values, both)
        while len(_POOLS) > _KEPT:
            _POOLS.popitem(last=False)
    _POOLS.move_to_end(key)
    return _POOLS[key]


def _scaling(train: Part, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and factor by channel; ``standard`` reads the training part and nothing else."""
    channels = train.pool.images.shape[-1]
    offset, factor = np.zeros(channels), np.ones(channels)
    if scaling == "unit":
        factor /= 255
    elif scaling == "standard":
        total, squares, pixels = np.zeros(channels), np.zeros(channels), 0
        for rows in np.array_split(np.sort(train.index), max(1, len(train) // 1024)):
            values = train.pool.images[rows].reshape(-1, channels).astype(np.float64)
            total += values.sum(axis=0)
            squares += np.square(values).sum(axis=0)
            pixels += len(values)
        offset = total / pixels
        factor = 1 / np.maximum(np.sqrt(np.maximum(squares / pixels - offset**2, 0)), 1e-6)
    return offset.astype(np.float32), factor.astype(np.float32)
