"""The settings of our own application, declared once, and the checks that need no Keras.

Nothing here loads Keras, TensorFlow or NumPy, so that the help page, the configuration schema and the check of a
command line can use it. What needs Keras (names of optimizers, callbacks) is checked by
:func:`ablate.keras.run_config.check_config`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from ablate.errors import suggestion
from ablate.keras.data import SOURCES
from ablate.keras.data.sets import EXAMPLE, set_overrides, sets_rule, several_sets_fault
from ablate.keras.tasks import check_task
from ablate.study.setting import (
    Rule,
    Setting,
    check_section,
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
    written,
)

TRAINER = "ablate.keras.train.train"
"""The function that trains, as the configuration names it; it belongs to the identity of a run."""

BACKENDS = ("jax", "tensorflow", "torch")
"""The back ends of Keras that can train, as ``KERAS_BACKEND`` names them."""

SCHEDULES = ("constant", "cosine", "exponential", "linear", "step")
"""Schedules of the learning rate; see :class:`ablate.keras.optimization.Schedule`."""

_positive, _below_one = number(0, open_low=True), number(0, 1, open_high=True)

PARTIAL = Setting(
    False, flag(), "whether an ingredient may stay inside layers of your own, which cannot be rewritten: else refused"
)
"""The key ``partial``. It changes no network: it allows some."""

TRAIN_SETTINGS: Mapping[str, Setting] = {
    "epochs": Setting(10, whole(1), "how often the network sees the training images", fallback="data.epochs"),
    "batch_size": Setting(32, whole(1), "images a step", fallback="data.batch_size"),
    "optimizer": Setting("adam", text(), "any optimizer of Keras, by name"),
    "learning_rate": Setting(0.001, _positive, "the highest of the schedule", fallback="data.learning_rate"),
    "schedule": Setting("constant", choice(SCHEDULES), " | ".join(SCHEDULES), fallback="data.schedule"),
    "warmup_epochs": Setting(
        0, number(0), "epochs in which the learning rate rises from 0; need not be whole", fallback="data.warmup_epochs"
    ),
    "weight_decay": Setting(
        None, optional(number(0)), "decoupled, not of biases and normalisations; null is the optimizer's own default"
    ),
    "momentum": Setting(None, optional(_below_one), "of optimizers that have one; null is their own default"),
    "clip_norm": Setting(None, optional(_positive), "greatest norm of a weight's gradient; null does not clip"),
    "label_smoothing": Setting(0.0, _below_one, "share of a label that is spread over all classes"),
    "early_stopping": Setting(
        None, optional(whole(1)), "stop after so many epochs without a lower validation loss; null never stops"
    ),
    "epoch": Setting(
        "last",
        choice(("last", "best_val")),
        "whose weights are tested: last | best_val (by the first metric of the task, such as accuracy)",
    ),
    "mixed_precision": Setting(None, optional(choice(("bfloat16", "float16"))), "null | float16 | bfloat16"),
    "jit": Setting(False, flag(), "compile with XLA; slow on a CPU"),
    "threads": Setting(1, whole(1), "threads within an operation on the CPU; another number gives other results"),
    "callbacks": Setting({}, mapping(), "{plateau: {name: ReduceLROnPlateau, patience: 3}}; {run} is the run's folder"),
    "save": Setting(
        None, optional(choice(("best", "last"))), "null | best | last: save weights as best.keras, last.keras"
    ),
    "backup": Setting(
        True, flag(), "save the state after epochs, in 2% of the time at most, to resume an interrupted run"
    ),
}
"""The ``train`` section."""

TRAINING_KEYS = tuple(key for key, setting in TRAIN_SETTINGS.items() if setting.fallback == f"data.{key}")
"""Keys of the train section whose default a data set may bring; nothing else reads them in the data section."""


_CHANNELS = Rule(lambda value: isinstance(value, int) and value in (1, 3, 4), "1 (grey), 3 (colour) or 4 (with alpha)")

DATA_SETTINGS: Mapping[str, Setting] = {
    "source": Setting(None, choice(SOURCES), "where the images come from"),
    "size": Setting(None, optional(sizes()), "pixels a side, or [height, width]; null keeps them where all are equal"),
    "channels": Setting(3, _CHANNELS, "1 grey, 3 colour, 4 with alpha; transparent becomes white without alpha"),
    "fit": Setting(
        "stretch", choice(("crop", "pad", "stretch")), "to the size: stretch | crop (the middle) | pad (black)"
    ),
    "validation": Setting(0.15, fraction(), "share that becomes the validation subset, where the source has none"),
    "test": Setting(0.15, fraction(), "share that becomes the test subset, where the source has none"),
    "resplit": Setting(True, flag(), "every seed draws its own split; false: one for all; subsets of the source stay"),
    "limit": Setting(
        None,
        optional(whole(2)),
        "most images for training and validation together; a larger limit contains the smaller",
    ),
    "scaling": Setting(
        "auto",
        choice(("auto", "none", "standard", "unit")),
        "unit (0 to 1) | standard (mean 0, deviation 1, of the training subset) | none (0 to 255) | auto: none for a "
        "network that scales images itself, else unit",
    ),
    "memory": Setting(
        0.25, number(0, 1), "share of the machine's memory for decoded images; beyond it they stay in their file"
    ),
    "sets": Setting(None, optional(sets_rule()), f"several sets in one study, compared within each: '{EXAMPLE}'"),
    "cache": Setting(None, optional(text()), "folder of decoded images; null is $ABLATE_CACHE or ~/.cache/ablate"),
    **{
        key: replace(
            TRAIN_SETTINGS[key],
            rule=optional(TRAIN_SETTINGS[key].rule),
            description=f"what suits this set: the default of train.{key}",
            fallback=None,
        )
        for key in TRAINING_KEYS
    },
}
"""The keys of the ``data`` section that all sources have."""


def check_train(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The ``train`` section with its defaults, and every fault that shows without Keras.

    Args:
        config: The ``train`` node of the configuration.

    Returns:
        The values by key, and one sentence a fault.
    """
    values, messages = check_section("train", config, TRAIN_SETTINGS)
    if not messages and values["warmup_epochs"] >= values["epochs"]:
        messages.append(
            f"train.warmup_epochs={values['warmup_epochs']}: must be below train.epochs={values['epochs']}."
        )
    return values, messages


def data_settings(source: str) -> dict[str, Setting]:
    """The keys of the ``data`` section for one source.

    Args:
        source: A name of `ablate.keras.data.SOURCES`.

    Example:
        >>> settings = data_settings("digits")
        >>> settings["channels"].default, settings["fit"].default, settings["name"].default
        (1, 'stretch', 'digits')
    """
    module = SOURCES[source]
    settings = {**DATA_SETTINGS, **module.SETTINGS}
    for key, default in {"source": source, **module.DEFAULTS}.items():
        settings[key] = replace(settings[key], default=default)
    return settings


def data_sets(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The data sets of ``data.sets``: the overrides that choose each, by its name; empty where there is one set.

    Args:
        config: The ``data`` node of the configuration.

    Raises:
        ConfigError: With every fault of every set, a line each.
    """
    sets = config.get("sets")
    if sets is None:
        return {}
    return set_overrides(sets, DATA_SETTINGS["sets"], {source: data_settings(source) for source in SOURCES})


def data_blocks(config: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """The block that ``data.sets`` stands for: overrides by level, by factor.

    Args:
        config: The whole configuration as plain values.

    Raises:
        ConfigError: With every fault of every set, a line each.
    """
    data = config.get("data")
    levels = data_sets(data) if isinstance(data, Mapping) else {}
    return {"data": {name: list(lines) for name, lines in levels.items()}} if levels else {}


def check_data(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The ``data`` section with its defaults, and every fault in it.

    Args:
        config: The ``data`` node of the configuration.

    Returns:
        The values by key, and one sentence a fault.
    """
    source = str(config.get("source"))
    if (fault := setting_fault("data.source", source, DATA_SETTINGS["source"])) is not None:
        return dict(config), [fault]
    values, messages = check_section("data", config, data_settings(source))
    if values["sets"] is not None:
        messages.append(several_sets_fault(values["sets"]))
    if not messages and values["validation"] + values["test"] >= 1:
        messages.append(
            f"data.validation={values['validation']} and data.test={values['test']} leave nothing to train on: "
            "their sum must be below 1."
        )
    return values, messages


def faults(values: Mapping[str, Any], explicit: bool = True) -> list[str]:
    """What is wrong with a configuration of our own application, as far as it shows without building anything.

    Args:
        values: The resolved configuration as plain values.
        explicit: Whether somebody asked for all levels in it, so that a level without effect is a mistake.

    Returns:
        A sentence a fault; empty if there is none.

    Example:
        >>> faults({"train": {"epochs": -1}})
        ['train.epochs=-1: must be a whole number of at least 1.']
    """
    from ablate.keras.rewrites.registry import INGREDIENTS

    trainer = str(values.get("trainer", TRAINER))
    train = values.get("train") or {}
    messages = level_faults(values, INGREDIENTS)
    task, settings, task_faults = check_task(values.get("task"))
    messages += task_faults
    if trainer == TRAINER and not task_faults:
        numbers = task.numbers(settings)
        metric = (values.get("study") or {}).get("metric", numbers[0])
        if metric not in numbers:
            near = suggestion(str(metric), numbers)
            messages.append(f"study.metric={written(metric)}: a run reports {', '.join(numbers)}.{near}")
        if train.get("label_smoothing") and not task.smooths_labels:
            messages.append(
                f"train.label_smoothing={train['label_smoothing']}: has no meaning in task={task.name}. Leave it at 0."
            )
    if trainer != TRAINER:
        train = {key: value for key, value in train.items() if key in TRAIN_SETTINGS}  # a task may have further keys
    messages += check_train(train)[1] + _installation_faults(trainer)
    return messages + (_void_levels(values, INGREDIENTS) if explicit else [])


def level_faults(config: Mapping[str, Any], ingredients: Mapping[str, Any]) -> list[str]:
    """A sentence for each ingredient whose level in a configuration is not one of its levels.

    Args:
        config: The configuration as plain values.
        ingredients: Ingredients by name.
    """
    return [
        f"{name}={written(config[name])}: allowed are {', '.join(ingredient.allowed())}."
        f"{suggestion(str(config[name]), ingredient.allowed())}"
        for name, ingredient in ingredients.items()
        if name in config and not ingredient.allows(config[name])
    ]


def _void_levels(config: Mapping[str, Any], ingredients: Mapping[str, Any]) -> list[str]:
    """A sentence for each level that changes nothing, because of the level of another ingredient."""
    return [
        f"{name}={written(config[name])}: has no effect with {parent}={written(config[parent])}. "
        f"Leave it out, or set {parent}={written(levels[0])}."
        for name, ingredient in ingredients.items()
        if config.get(name, ingredient.levels[0]) != ingredient.levels[0]
        for parent, levels in ingredient.requires.items()
        if parent in config and config[parent] not in levels
    ]


def _installation_faults(trainer: str) -> list[str]:
    if trainer.startswith("ablate.keras."):
        backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
        if not all(map(find_spec, ("tensorflow", "keras"))):
            return ["Training networks needs TensorFlow and Keras: pip install 'ablate-study[keras]'."]
        if backend not in BACKENDS:
            near = suggestion(backend, BACKENDS)
            return [f"KERAS_BACKEND={backend}: networks are trained with {', '.join(BACKENDS)}.{near}"]
        if find_spec(backend) is None:
            return [f"KERAS_BACKEND={backend} is not installed: pip install 'ablate-study[{backend}]'."]
    elif not trainer.startswith("ablate.") and not _is_importable(trainer.rpartition(".")[0]):
        return [f"trainer={trainer}: there is no such module. Name a function by its dotted path."]
    return []


def _is_importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
