"""Loads a data set: decoded once a process, split for a seed, with its scaling, in the size that a network takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import ConfigError, NetworkError
from ablate.keras.data import SOURCES
from ablate.keras.data.dataset import Dataset, Pool, Subset
from ablate.keras.data.source_notes import darkness_note
from ablate.keras.data.split import split
from ablate.keras.input_scaling import BYTES, InputScaling, input_scaling, scaling_notes
from ablate.keras.models import ModelSignature, build, least_side, resolve_name, scales_itself
from ablate.keras.settings import TRAINING_KEYS, check_data

_NOT_OF_THE_IMAGES = ("validation", "test", "resplit", "limit", "scaling", *TRAINING_KEYS)
_USER_MODELS = ("saved", "builder")
"""Models of the user, which may be built for images of one shape, whatever shape is passed to them."""


def load_run_data(config: Mapping[str, Any]) -> tuple[Dataset, tuple[str, ...]]:
    """Loads the data of a run, as its network takes them.

    ``model.input_shape`` wins over ``data.size`` and ``data.channels``. Without it, images that a network would refuse
    are enlarged to the least size that it takes, and a model that was built for images of one shape, such as a saved
    one, gets them in that shape. A network that scales its images itself gets values of 0 to 255 with
    ``data.scaling=auto``.

    Args:
        config: The resolved config of a run, as plain values, checked.

    Returns:
        The data, and a sentence for each change that the config does not ask for.

    Raises:
        ConfigError: Unknown keys or values of the data section, or images that would be scaled twice.
        NetworkError: The data cannot be had, or the network cannot be built.
    """
    data, model = dict(config["data"]), resolve_name(config["model"])
    if chosen_shape := model.get("input_shape"):
        data |= {"size": list(chosen_shape[:2]), "channels": chosen_shape[2]}
    dataset = load(data, config["seed"])
    built = _model_input(config["model"], dataset)
    shape, reason = (dataset.input_shape, "") if chosen_shape else _needed_shape(model, built, dataset)
    notes = []
    if shape != dataset.input_shape:
        before, after = ("x".join(map(str, one)) for one in (dataset.input_shape, shape))
        dataset = load(data | {"size": list(shape[:2]), "channels": shape[2]}, config["seed"])
        notes.append(
            f"The images of '{dataset.name}' are brought from {before} to {after}, {reason}; data.size or "
            "model.input_shape chooses another size."
        )
    if built is None or built.scaling is None:
        return dataset, tuple(notes)
    chosen = check_data(data)[0]["scaling"]
    notes += scaling_notes(built.scaling, chosen)
    if chosen == "auto" and built.scaling.expects == BYTES:
        offset, factor = _scaling(dataset.train, "none")
        dataset = replace(dataset, offset=offset, factor=factor)
    return dataset, tuple(notes)


def _needed_shape(model: Mapping[str, Any], built: _ModelInput | None, dataset: Dataset) -> tuple[Any, str]:
    """Height, width and channels that a network needs, and why."""
    current = dataset.input_shape
    if model["name"] not in _USER_MODELS:
        least = least_side(model, current)
        shape = (max(least, current[0]), max(least, current[1]), current[2])
        return shape, f"the least that {model.get('network') or model['name']} takes"
    if built is None or len(built.sides) != len(current):
        return current, ""  # the model takes no images, which building it for this data will refuse
    needed = tuple(now if side is None else side for side, now in zip(built.sides, current, strict=True))
    return needed, "the shape that the model was built for"


@dataclass(frozen=True)
class _ModelInput:
    """What a model takes.

    Args:
        sides: Height, width and channels; empty if it has no inputs yet.
        scaling: How it scales images itself; None where that cannot be seen.
    """

    sides: tuple[int | None, ...]
    scaling: InputScaling | None


def _model_input(model: Mapping[str, Any], dataset: Dataset) -> _ModelInput | None:
    """What the network of a run takes; None for networks that leave shape and scaling to us."""
    resolved = resolve_name(model)
    least = 1
    if resolved["name"] not in _USER_MODELS:
        if not scales_itself(resolved):
            return None
        least = least_side(resolved, dataset.input_shape)
    height, width, channels = dataset.input_shape
    shape = (max(least, height), max(least, width), channels)
    return _built_input(json.dumps(model, sort_keys=True, default=str), shape, dataset.classes)


@lru_cache(maxsize=8)
def _built_input(model_json: str, input_shape: tuple[int, int, int], classes: int) -> _ModelInput:
    model = build(json.loads(model_json), ModelSignature(input_shape, classes))
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return _ModelInput((), None)
    sides = tuple(inputs[0].shape[1:])
    try:
        scaling = input_scaling(model, input_shape) if len(inputs) == 1 and len(sides) == len(input_shape) else None
    except NetworkError:
        scaling = None  # a model without a graph, which building it for a run will refuse
    return _ModelInput(sides, scaling)


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
    pool: Pool = SOURCES[values["source"]].read(values, None if size is None else tuple(size))
    return replace(pool, notes=(*pool.notes, *darkness_note(pool.images)))


def _scaling(train: Subset, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and factor by channel; ``standard`` reads the training part and nothing else."""
    channels = train.pool.images.shape[-1]
    offset, factor = np.zeros(channels), np.ones(channels)
    if scaling in ("auto", "unit"):
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
