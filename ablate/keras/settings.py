"""The settings of training, declared without Keras, and what is wrong with a configuration of our own application."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from ablate.errors import suggestion
from ablate.study.setting import (
    Rule,
    Setting,
    choice,
    flag,
    fraction,
    mapping,
    number,
    optional,
    setting_fault,
    sizes,
    text,
    whole,
)

__all__ = ["METRICS", "SCHEDULES", "TRAIN_SETTINGS", "faults"]

SOURCES = ("builder", "digits", "folder", "tfds")
SCHEDULES = ("constant", "cosine", "exponential", "linear", "step")

METRICS = (
    *(f"{part}_{kind}" for part in ("test", "val", "train") for kind in ("accuracy", "loss")),
    *("weights", "epoch", "epochs", "seconds", "seconds_fit", "seconds_test"),
)
"""The numbers that a run reports."""

TRAIN_SETTINGS: Mapping[str, Setting] = {
    "epochs": Setting(10, whole(1), "how often the network sees the training part", "data.epochs"),
    "batch_size": Setting(32, whole(1), "images a step", "data.batch_size"),
    "optimizer": Setting("adam", text(), "any optimizer of Keras, by name"),
    "learning_rate": Setting(0.001, number(0, open_low=True), "the highest of the schedule", "data.learning_rate"),
    "schedule": Setting(
        "constant", choice(SCHEDULES), "constant | cosine | exponential | linear | step", "data.schedule"
    ),
    "warmup_epochs": Setting(
        0, number(0), "epochs in which the learning rate rises from 0; need not be whole", "data.warmup_epochs"
    ),
    "weight_decay": Setting(
        None,
        optional(number(0)),
        "decoupled; biases and normalisations are left alone; null is the optimizer's own default",
    ),
    "momentum": Setting(
        None, optional(number(0, 1, open_high=True)), "of optimizers that have one; null is their own default"
    ),
    "clip_norm": Setting(
        None, optional(number(0, open_low=True)), "greatest norm of a weight's gradient; null does not clip"
    ),
    "label_smoothing": Setting(0.0, number(0, 1, open_high=True), "part of a label that is shared among all classes"),
    "early_stopping": Setting(
        None, optional(whole(1)), "stop after so many epochs without a lower validation loss; null never stops"
    ),
    "epoch": Setting(
        "last", choice(("last", "best_val")), "whose weights are tested: last | best_val (highest validation accuracy)"
    ),
    "mixed_precision": Setting(None, optional(choice(("bfloat16", "float16"))), "null | float16 | bfloat16"),
    "jit": Setting(False, flag(), "compile with XLA; slow on a CPU"),
    "threads": Setting(1, whole(1), "threads within an operation on the CPU; another number gives other bits"),
    "callbacks": Setting(
        {},
        mapping(),
        "Keras callbacks: {plateau: {name: ReduceLROnPlateau, patience: 3}}; {run} is the run's folder",
    ),
    "save": Setting(
        None,
        optional(choice(("best", "last"))),
        "null | best | last: keep these weights as best.keras or last.keras",
    ),
    "backup": Setting(True, flag(), "after epochs, a fiftieth of the time at most, so that an interrupted run goes on"),
}

TRAINING_KEYS = tuple(key for key, setting in TRAIN_SETTINGS.items() if setting.fallback == f"data.{key}")
"""Keys of the train section whose default a data set may bring; nothing else reads them in the data section."""


def _channels() -> Rule:
    def rule(value: Any) -> str | None:
        return None if value in (1, 3, 4) and isinstance(value, int) else "1 (grey), 3 (colour) or 4 (with alpha)"

    return rule


DATA_SETTINGS: Mapping[str, Setting] = {
    "source": Setting(None, choice(SOURCES), "where the images come from"),
    "size": Setting(
        None, optional(sizes()), "pixels a side, or [height, width]; null keeps them where all images have the same"
    ),
    "channels": Setting(3, _channels(), "1 grey, 3 colour, 4 with alpha; transparent becomes white without alpha"),
    "fit": Setting(
        "stretch", choice(("crop", "pad", "stretch")), "to the size: stretch | crop (the middle) | pad (black)"
    ),
    "validation": Setting(
        0.15, fraction(), "share of the training images that becomes the validation part, where the source has none"
    ),
    "test": Setting(0.15, fraction(), "share that becomes the test part, where the source has none"),
    "resplit": Setting(
        True, flag(), "every seed draws its own split; false: one split for all; parts of the source stay"
    ),
    "limit": Setting(
        None,
        optional(whole(2)),
        "at most so many images for training and validation together; a larger limit holds the smaller",
    ),
    "scaling": Setting(
        "unit",
        choice(("none", "standard", "unit")),
        "unit (0 to 1) | standard (mean 0, deviation 1, from the training part) | none (0 to 255)",
    ),
    "memory": Setting(
        0.25,
        number(0, 1),
        "share of the machine's memory that decoded images may fill; beyond it they stay in their file",
    ),
    "cache": Setting(
        None, optional(text()), "folder of decoded images, for all processes; null is $ABLATE_CACHE or ~/.cache/ablate"
    ),
    **{
        key: replace(
            TRAIN_SETTINGS[key],
            rule=optional(TRAIN_SETTINGS[key].rule),
            description=f"what suits this set; train.{key} takes it over",
            fallback=None,
        )
        for key in TRAINING_KEYS
    },
}
"""The keys of the ``data`` section that all sources have."""


_OWN: dict[str, dict[str, Setting]] = {
    "builder": {
        "builder": Setting(None, text()),
        "args": Setting({}, mapping()),
        "name": Setting(None, optional(text())),
        "white": Setting(1, number(0, open_low=True)),
    },
    "digits": {"name": Setting("digits", text())},
    "folder": {
        "path": Setting(None, text()),
        "name": Setting(None, optional(text())),
        "skip_corrupt": Setting(False, flag()),
    },
    "tfds": {
        "name": Setting(None, text()),
        "download": Setting(True, flag()),
        "data_dir": Setting(None, optional(text())),
        "manual_dir": Setting(None, optional(text())),
        "image": Setting(None, optional(text())),
        "label": Setting(None, optional(text())),
        "train_split": Setting(None, optional(text())),
        "validation_split": Setting(None, optional(text())),
        "test_split": Setting(None, optional(text())),
    },
}


def data_settings(source: str) -> dict[str, Setting]:
    """The keys of the ``data`` section for one source."""
    return {**DATA_SETTINGS, **_OWN[source]}


_TASK = "ablate.keras.train.train"
_BACKENDS = ("jax", "tensorflow", "torch")
_LEVELS = {
    "bn_placement": ("before", "after"),
    "head": ("gap", "gmp", "flatten"),
    "norm": ("built", "batch", "layer", "group", "none"),
    "pooling": ("built", "max", "average", "strided"),
}


def faults(values: Mapping[str, Any], explicit: bool = True) -> list[str]:
    """What is wrong with a configuration as far as it can be said without Keras.

    Args:
        values: The configuration as plain values.
        explicit: Whether all levels in it are there because somebody asked for them, so that a void one is a mistake.

    Example:
        >>> faults({"head": "flat"})
        ["head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?"]
    """
    found = [
        f"{key}={values[key]}: allowed are {', '.join(levels)}.{suggestion(str(values[key]), levels)}"
        for key, levels in _LEVELS.items()
        if key in values and values[key] not in levels
    ]
    train = values.get("train") or {}
    checked = {key: TRAIN_SETTINGS[key] for key in ("epochs", "batch_size", "threads", "learning_rate") if key in train}
    found += [
        fault
        for key, setting in checked.items()
        if (fault := setting_fault(f"train.{key}", train[key], setting)) is not None
    ]
    task = str(values.get("task", _TASK))
    metric = (values.get("study") or {}).get("metric", METRICS[0])
    if task == _TASK and metric not in METRICS:
        found.append(f"study.metric={metric}: a run reports {', '.join(METRICS)}.{suggestion(str(metric), METRICS)}")
    if task.startswith("ablate.keras.") and not all(map(find_spec, ("tensorflow", "keras"))):
        found.append("Training networks needs TensorFlow and Keras: pip install 'ablate-study[keras]'.")
    elif task.startswith("ablate.keras."):
        found += _backend_faults(os.environ.get("KERAS_BACKEND") or "tensorflow")
    elif not task.startswith("ablate.") and not _is_importable(task.rpartition(".")[0]):
        found.append(f"task={task}: there is no such module. Name a function by its dotted path.")
    return [*found, *_void(values)] if explicit else found


def _is_importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _backend_faults(chosen: str) -> list[str]:
    if chosen not in _BACKENDS:
        near = suggestion(chosen, _BACKENDS)
        return [f"KERAS_BACKEND={chosen}: networks are trained with {', '.join(_BACKENDS)}.{near}"]
    if find_spec(chosen) is None:
        return [f"KERAS_BACKEND={chosen} is not installed: pip install 'ablate-study[{chosen}]'."]
    return []


def _void(values: Mapping[str, Any]) -> list[str]:
    if values.get("batch_norm", True):
        return []
    found = []
    if values.get("bn_placement", "before") != "before":
        found.append(
            f"bn_placement={values['bn_placement']}: without batch norm there is nothing to place. "
            "Leave it out, or set batch_norm=true."
        )
    if values.get("bias", False):
        found.append(
            "bias=true: without batch norm all convolutions have a bias anyway. Leave it out, or set batch_norm=true."
        )
    return found
