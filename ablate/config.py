"""The typed configuration of ``python -m ablate``, and where its YAML files are."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ablate.errors import ConfigError, suggestion
from ablate.figures.choice import choice_faults

__all__ = ["Config", "ReportConfig", "StudyConfig", "conf_dir", "faults", "register"]

_EXTRA = ("tensorflow", "keras")
_BACKENDS = ("jax", "tensorflow", "torch")
_METRICS = (
    *(f"{part}_{kind}" for part in ("test", "val", "train") for kind in ("accuracy", "loss")),
    *("weights", "epoch", "epochs", "seconds", "seconds_fit", "seconds_test"),
)
_LEVELS = {
    "bn_placement": ("before", "after"),
    "head": ("gap", "gmp", "flatten"),
    "norm": ("built", "batch", "layer", "group", "none"),
    "pooling": ("built", "max", "average", "strided"),
}


@dataclass
class StudyConfig:
    """The ``study`` node: what is compared, how often, and by which number."""

    name: Any = None
    design: str | None = None
    seeds: Any = 3
    max_seeds: int = 20
    metric: str = "test_accuracy"
    direction: str = "max"
    margin: float | None = None
    failures: Any = "drop"
    resolution: int = 4
    cells: int | None = None
    workers: Any = "auto"
    gpu_memory: Any = None
    retry_failed: bool = False
    keep_going: bool = True
    dry_run: Any = False
    factors: dict[str, Any] = field(default_factory=dict)
    factors_from: str | None = None
    requires: Any = field(default_factory=dict)
    forbidden: Any = field(default_factory=list)
    labels: Any = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)
    extra_factors: Any = None
    ignore: list[str] = field(default_factory=list)
    check: str | None = None
    preflight: str | None = None
    costs: str | None = None
    diagrams: str | None = None
    # Handed on to the sweeper, which must not look into a node `report` that another application may have.
    figures: Any = "${report.figures}"
    width: Any = "${report.width}"
    statements: Any = "${report.statements}"


@dataclass
class ReportConfig:
    """The ``report`` node: what is written about a study."""

    figures: Any = None
    width: str = "auto"
    statements: Any = field(default_factory=dict)


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
    norm: str = "built"
    squeeze_excite: bool = True
    dropout: bool = True
    dense_connections: bool = True
    activation: str = "built"
    pooling: str = "built"
    augmentation: Any = "built"
    flip: Any = "built"
    rotation: Any = "built"
    zoom: Any = "built"
    contrast: Any = "built"
    without_block: str = "none"
    blocks: dict[str, Any] = field(default_factory=dict)
    only: dict[str, Any] = field(default_factory=dict)
    ingredients: dict[str, Any] = field(default_factory=dict)
    task: str = "ablate.keras.train.train"
    model: Any = None
    data: Any = None
    train: Any = None
    study: StudyConfig = field(default_factory=StudyConfig)
    report: ReportConfig = field(default_factory=ReportConfig)


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
        ["head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?"]
        >>> faults({"batch_norm": False, "train": {"epochs": -1}})
        ['train.epochs=-1: must be a whole number of at least 1.']
        >>> faults({"batch_norm": False, "bn_placement": "after"})
        ['bn_placement=after: without batch norm there is nothing to place. Leave it out, or set batch_norm=true.']
    """
    own = _own_ingredients(values)
    rest = {name: value for name, value in values.items() if name not in own}
    found = [*_unknown(rest, Config, ""), *_unknown(values.get("study") or {}, StudyConfig, "study.")]
    report = values.get("report") or {}
    found += [*_unknown(report, ReportConfig, "report."), *choice_faults(report.get("figures"), report.get("width"))]
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
    metric = (values.get("study") or {}).get("metric", StudyConfig.metric)
    if values.get("task", Config.task) == Config.task and metric not in _METRICS:
        found.append(f"study.metric={metric}: a run reports {', '.join(_METRICS)}.{suggestion(str(metric), _METRICS)}")
    rate = train.get("learning_rate", 1.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        found.append(f"train.learning_rate={rate}: must be a positive number.")
    task = str(values.get("task", Config.task))
    if task.startswith("ablate.keras.") and not all(map(find_spec, _EXTRA)):
        found.append("Training networks needs TensorFlow and Keras: pip install 'ablate-study[keras]'.")
    elif task.startswith("ablate.keras."):
        found += _backend_faults(os.environ.get("KERAS_BACKEND") or "tensorflow")
    elif not task.startswith("ablate.") and not _importable(task.rpartition(".")[0]):
        found.append(f"task={task}: there is no such module. Name a function by its dotted path.")
    return [*found, *_void(values)] if explicit else found


def _backend_faults(chosen: str) -> list[str]:
    if chosen not in _BACKENDS:
        near = suggestion(chosen, _BACKENDS)
        return [f"KERAS_BACKEND={chosen}: networks are trained with {', '.join(_BACKENDS)}.{near}"]
    if find_spec(chosen) is None:
        return [f"KERAS_BACKEND={chosen} is not installed: pip install 'ablate-study[{chosen}]'."]
    return []


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _own_ingredients(values: Mapping[str, Any]) -> set[str]:
    """Words for ingredients that the configuration or an installed package brings; their levels stand at the top."""
    return {*(values.get("ingredients") or {}), *_installed_ingredients()}


@cache
def _installed_ingredients() -> frozenset[str]:
    return frozenset(entry_points(group="ablate.ingredients").names)


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
