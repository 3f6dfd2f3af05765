"""The typed configuration of ``python -m ablate``, and where its YAML files are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ablate.errors import ConfigError, suggestion

__all__ = ["Config", "StudyConfig", "conf_dir", "faults", "register"]

_LEVELS = {"bn_placement": ("before", "after"), "head": ("gap", "flatten")}


@dataclass
class StudyConfig:
    """The ``study`` node: what is compared, how often, and by which number."""

    name: Any = None
    design: str | None = None
    seeds: Any = 3
    metric: str = "test_accuracy"
    direction: str = "max"
    margin: float | None = None
    workers: Any = "auto"
    retry_failed: bool = False
    keep_going: bool = True
    dry_run: bool = False
    factors: dict[str, Any] = field(default_factory=dict)
    requires: dict[str, Any] = field(default_factory=dict)
    forbidden: list[Any] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    check: str | None = None
    preflight: str | None = None


@dataclass
class Config:
    """The whole configuration; the groups ``model``, ``data`` and ``train`` bring their own keys."""

    seed: int = 0
    residual: bool = True
    batch_norm: bool = True
    bn_placement: str = "before"
    separable: bool = True
    head: str = "gap"
    bias: bool = False
    task: str = "ablate.keras.train.train"
    model: Any = None
    data: Any = None
    train: Any = None
    study: StudyConfig = field(default_factory=StudyConfig)


def conf_dir() -> str:
    """The folder of the YAML files: inside an installed package, beside it in a checkout.

    Raises:
        ConfigError: If neither is there, so the installation is broken.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "conf", here.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return str(folder)
    raise ConfigError(f"The configuration files of ablate are missing beside '{here}'. Install ablate-study again.")


def register() -> None:
    """Tell Hydra the schema."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=Config, provider="ablate")


def faults(values: Mapping[str, Any], explicit: bool = True) -> list[str]:
    """What is wrong with a configuration as far as it can be said without building anything.

    Args:
        values: The configuration as plain values.
        explicit: Whether all levels in it are there because somebody asked for them, so that a void one is a mistake.

    Returns:
        A sentence a fault; empty if there is none.

    Example:
        >>> faults({"head": "flat"})
        ["head=flat: allowed are gap, flatten. Did you mean 'flatten'?"]
        >>> faults({"batch_norm": False, "train": {"epochs": -1}})
        ['train.epochs=-1: must be a whole number of at least 1.']
        >>> faults({"batch_norm": False, "bn_placement": "after"})
        ['bn_placement=after: without batch norm there is nothing to place. Leave it out, or set batch_norm=true.']
    """
    found = [*_unknown(values, Config, ""), *_unknown(values.get("study") or {}, StudyConfig, "study.")]
    found += [
        f"{key}={values[key]}: allowed are {', '.join(levels)}.{suggestion(str(values[key]), levels)}"
        for key, levels in _LEVELS.items()
        if key in values and values[key] not in levels
    ]
    train = values.get("train") or {}
    for key in ("epochs", "batch_size", "threads"):
        value = train.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            found.append(f"train.{key}={value}: must be a whole number of at least 1.")
    rate = train.get("learning_rate", 1.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        found.append(f"train.learning_rate={rate}: must be a positive number.")
    return [*found, *_void(values)] if explicit else found


def _unknown(values: Mapping[str, Any], schema: type, prefix: str) -> list[str]:
    """Keys that a ``+`` brought in although nothing reads them; the groups look after their own."""
    known = [f"{prefix}{name.name}" for name in fields(schema)]
    return [
        f"Unknown key '{prefix}{key}': nothing reads it.{suggestion(f'{prefix}{key}', known)}"
        for key in values
        if f"{prefix}{key}" not in known
    ]


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
