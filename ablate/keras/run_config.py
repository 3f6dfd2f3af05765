"""The configuration of a run: checked, and the process that is to carry it out prepared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

from omegaconf import DictConfig, OmegaConf

from ablate.errors import ConfigError, NetworkError
from ablate.keras.optimization import check_training
from ablate.keras.rewrites import Ingredient, catalogue
from ablate.keras.settings import PARTIAL, check_data, level_faults
from ablate.keras.tasks import check_task
from ablate.keras.tasks.keras_objects import object_faults
from ablate.study.setting import setting_fault

_SECTIONS = ("task", "model", "data", "train")


def plain_values(config: Mapping[str, Any] | DictConfig) -> Any:
    """A config as resolved plain values."""
    return OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else config


def validate(config: Mapping[str, Any] | DictConfig) -> None:
    """Refuses a config whose faults show without loading data or building the network.

    Args:
        config: The resolved config of a run.

    Raises:
        ConfigError: With every fault, a line each.
    """
    check_config(plain_values(config))


def check_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the whole config of a run.

    Args:
        config: The resolved config, as plain values.

    Returns:
        The ``train`` section with its defaults.

    Raises:
        ConfigError: With every fault of the whole config, a line each.
    """
    seed = config.get("seed")
    faults = []
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        faults.append(f"seed={seed}: must be a whole number of at least 0.")
    try:
        faults += level_faults(config, catalogue(config.get("ingredients")))
    except NetworkError as error:
        faults.append(str(error))
    if fault := setting_fault("partial", config.get("partial", PARTIAL.default), PARTIAL):
        faults.append(fault)
    blocks = config.get("blocks") or {}
    faults += [
        f"blocks.{name}={value}: must be true or false." for name, value in blocks.items() if value not in (True, False)
    ]
    sections: dict[str, Any] = {name: config.get(name) or {} for name in _SECTIONS}
    for name, section in sections.items():
        if not isinstance(section, Mapping):
            faults.append(f"{name}={section}: must be a mapping.")
            sections[name] = {}
    task, settings, task_faults = check_task(sections["task"])
    if not task_faults:
        task_faults = object_faults(settings, ("loss", *task.curves, *task.recorded_metrics(settings)))
    values, train_faults = check_training(sections["train"])
    faults += task_faults + check_data(sections["data"])[1] + train_faults
    if faults:
        raise ConfigError("\n".join(faults))
    return values


def prepare_process(config: Mapping[str, Any]) -> dict[str, Any]:
    """Checks a config and sets up TensorFlow for it; see `check_config` and `ablate.keras.device.prepare`."""
    values = check_config(config)
    device.prepare(values["threads"])
    return values


def cell_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a config that decide on the network and its training, without the seed."""
    names = catalogue(config.get("ingredients"))
    keys = (*names, "blocks", "only", "ingredients", *_SECTIONS)
    return {key: config[key] for key in keys if key in config}


def levels_of(config: Mapping[str, Any], ingredients: Mapping[str, Ingredient]) -> dict[str, Any]:
    """The levels of the ingredients that a config names; blocks that it leaves out are levels of `without_block`.

    Args:
        config: The config of a run.
        ingredients: All ingredients by name.
    """
    levels = {name: config[name] for name in ingredients if name in config}
    removed = [name for name, present in (config.get("blocks") or {}).items() if not present]
    if not removed:
        return levels
    one = levels.get("without_block", "none")
    return levels | {"without_block": ",".join([*([] if one == "none" else [one]), *removed])}
