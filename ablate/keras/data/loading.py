"""Loads a data set: decoded once a process, split for a seed, with its scaling, in the size that a network takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import ConfigError, NetworkError
from ablate.keras.data import SOURCES
from ablate.keras.data.dataset import Dataset, Pool, Subset
from ablate.keras.data.forms import LabelForm
from ablate.keras.data.source_notes import darkness_note
from ablate.keras.data.split import split
from ablate.keras.input_scaling import BYTES, InputScaling, input_scaling, scaling_notes
from ablate.keras.models import ModelSignature, build, least_side, resolve_name, scales_itself
from ablate.keras.settings import TRAINING_KEYS, check_data
from ablate.keras.tasks import Task, chosen_task

_NOT_OF_THE_EXAMPLES = ("validation", "test", "resplit", "limit", "scaling", *TRAINING_KEYS)
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
    task, settings = chosen_task(config)
    if chosen_shape := model.get("input_shape"):
        data |= {"size": list(chosen_shape[:2]), "channels": chosen_shape[2]}
    dataset = load(data, config["seed"], task, settings)
    if not dataset.pool.are_images:
        if chosen_shape:
            raise ConfigError(
                f"model.input_shape={list(chosen_shape)}: '{dataset.name}' has no images that could be resized to it. "
                "Set it to null."
            )
        return dataset, ()
    built = _model_input(config["model"], dataset, task.signature(dataset.pool))
    shape, reason = (dataset.input_shape, "") if chosen_shape else _needed_shape(model, built, dataset)
    notes = []
    if shape != dataset.input_shape:
        before, after = ("x".join(map(str, one)) for one in (dataset.input_shape, shape))
        dataset = load(data | {"size": list(shape[:2]), "channels": shape[2]}, config["seed"], task, settings)
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
        least = least_side(model, cast(Any, current))
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


def _model_input(model: Mapping[str, Any], dataset: Dataset, signature: ModelSignature) -> _ModelInput | None:
    """What the network of a run takes; None for networks that leave shape and scaling to us."""
    resolved = resolve_name(model)
    least = 1
    if resolved["name"] not in _USER_MODELS:
        if not scales_itself(resolved):
            return None
        least = least_side(resolved, cast(Any, dataset.input_shape))
    height, width, channels = dataset.input_shape
    shape = (max(least, height), max(least, width), channels)
    return _built_input(json.dumps(model, sort_keys=True, default=str), replace(signature, input_shape=shape))


@lru_cache(maxsize=8)
def _built_input(model_json: str, signature: ModelSignature) -> _ModelInput:
    model = build(json.loads(model_json), signature)
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return _ModelInput((), None)
    sides = tuple(inputs[0].shape[1:])
    try:
        of_images = len(inputs) == 1 and len(sides) == len(signature.input_shape) == 3
        scaling = input_scaling(model, cast(Any, signature.input_shape)) if of_images else None
    except NetworkError:
        scaling = None  # a model without a graph, which building it for a run will refuse
    return _ModelInput(sides, scaling)


def load(
    config: Mapping[str, Any], seed: int, task: Task | None = None, settings: Mapping[str, Any] | None = None
) -> Dataset:
    """A data set, decoded once a process and split for one seed.

    Args:
        config: The ``data`` node of the configuration: ``source`` and its keys.
        seed: Seed of the split; with ``resplit: false`` every seed has the split of seed 0.
        task: What a network will be trained for; None is classification.
        settings: The section ``task``, checked.

    Returns:
        The examples in three subsets that share none.

    Raises:
        ConfigError: Unknown keys or values, all of them in one message, or labels of another form than the task takes.
        NetworkError: The data cannot be had, or cannot be split.
    """
    if task is None or settings is None:
        task, settings = chosen_task({})
    values, faults = check_data(config)
    if faults:
        raise ConfigError("\n".join(faults))
    forms = SOURCES[values["source"]].FORMS
    if task.form not in forms:
        others = [name for name, module in SOURCES.items() if task.form in module.FORMS]
        raise ConfigError(
            f"task={task.name} needs {task.form.value}; data.source={values['source']} has "
            f"{' or '.join(form.value for form in forms)}. Sources that have it: {', '.join(others)}."
        )
    of_examples = {name: value for name, value in values.items() if name not in _NOT_OF_THE_EXAMPLES}
    pool = _load_pool(json.dumps(of_examples, sort_keys=True), task.form)
    if label_faults := task.label_faults(pool, settings):
        raise NetworkError("\n".join(label_faults))
    shares = {key: values[key] for key in ("validation", "test", "limit")}
    positions = split(pool, seed if values["resplit"] else 0, **shares)
    train = Subset(pool, positions["train"])
    offset, factor = _scaling(train, values["scaling"])
    dataset = Dataset(train, Subset(pool, positions["validation"]), Subset(pool, positions["test"]), offset, factor)
    return task.prepared(dataset, settings)


def clear_pools() -> None:
    """Drops the decoded images that this process holds."""
    _load_pool.cache_clear()


# Two data sets: every run of a study in this process reads the same images.
@lru_cache(maxsize=2)
def _load_pool(values_json: str, form: LabelForm) -> Pool:
    values = json.loads(values_json)
    size = [values["size"]] * 2 if isinstance(values["size"], int) else values["size"]
    source = SOURCES[values["source"]]
    height_width = None if size is None else tuple(size)
    # Most sources have classes alone, and need not be told.
    pool: Pool = source.read(values, height_width, *([form] if len(source.FORMS) > 1 else []))
    return replace(pool, notes=(*pool.notes, *darkness_note(pool.images))) if pool.are_images else pool


def _scaling(train: Subset, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and factor by channel or column; ``standard`` reads the training part and nothing else."""
    pool = train.pool
    channels = pool.images.shape[-1]
    offset, factor = np.zeros(channels), np.ones(channels)
    if pool.images.dtype.kind == "i":
        return offset.astype(np.float32), factor.astype(np.float32)
    if not pool.are_images and scaling == "unit":
        raise ConfigError(f"data.scaling=unit: '{pool.name}' has no images. Choose auto, standard or none.")
    if pool.are_images and scaling in ("auto", "unit"):
        factor /= 255
    elif scaling in ("auto", "standard"):
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
        # A column that says whether a category is there stays 0 or 1; of one that training never sees it is always 0.
        indicators = np.isin(np.arange(channels), pool.indicators)
        factor = np.where(indicators, np.where(total > 0, 1.0, 0.0), factor)
        offset = np.where(indicators, 0.0, offset)
    return offset.astype(np.float32), factor.astype(np.float32)
