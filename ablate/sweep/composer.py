"""Composing the configurations of all runs at plan time, once."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from omegaconf.errors import OmegaConfBaseException

from ablate.config import conf_dir
from ablate.errors import ConfigError
from ablate.study import Cell, Factor
from ablate.sweep.factors import is_group, reason_of
from ablate.sweep.frozen import FrozenLoader, apply_overrides, parse_overrides
from ablate.sweep.identity import identity, task_part

__all__ = ["Composer", "composed"]


def composed(overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration of a single run of our own application, as plain values.

    Args:
        overrides: Override strings in Hydra's grammar.

    Raises:
        hydra.errors.HydraException: If they do not compose.
    """
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose("config", list(overrides))
    return OmegaConf.to_container(config, resolve=True, enum_to_str=True)  # type: ignore[return-value]


class Composer:
    """Composes what the cells of a study are made of.

    Args:
        loader: Hydra's config loader.
        config: The configuration composed with the fixed overrides alone.
        fixed: The fixed overrides.
        folder: The study's folder, where runs will live.
        ignore: Dotted keys that cannot change a result.
    """

    def __init__(
        self, loader: ConfigLoader, config: DictConfig, fixed: Sequence[str], folder: Path, ignore: Sequence[str]
    ) -> None:
        self._loader = loader
        self._config = config
        self._fixed = tuple(fixed)
        self._folder = folder
        self._ignore = tuple(ignore)
        self._bases: dict[tuple[str, ...], bytes] = {}
        self._tasks: dict[tuple[str, ...], bytes] = {}
        self._base(())

    def overrides(self, cell: Cell, factors: Sequence[Factor]) -> tuple[str, ...]:
        """The override lines that make a cell out of the fixed configuration."""
        return tuple(line for factor in factors for line in factor.level(cell.levels[factor.name]).overrides)

    def configuration(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The whole configuration of a run as plain values.

        Args:
            overrides: What :meth:`overrides` gave, and the seed's override.

        Raises:
            ConfigError: If the overrides do not compose.
        """
        return identity(self._task(overrides), ())

    def identity(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The part of a run's configuration that can change its result, as plain values.

        Args:
            overrides: What :meth:`overrides` gave, and the seed's override.

        Raises:
            ConfigError: If the overrides do not compose.
        """
        return identity(self._task(overrides), self._ignore)

    def identities(self, overrides: Sequence[str], key: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """What tells the runs of a cell apart, one a seed, as :meth:`identity` gives them.

        Args:
            overrides: What :meth:`overrides` gave.
            key: The key of the seed.
            seeds: The seeds.
        """
        lines = (*overrides, f"{key}={seeds[0]}")
        first = self.identity(lines)
        # Where nothing is derived from the seed, the other runs differ from the first in it alone.
        apart = "." not in key and type(first.get(key)) is int and first[key] == seeds[0]
        if apart and not _derives(OmegaConf.to_container(self._task(lines), resolve=False), key):
            return [{**first, key: seed} for seed in seeds]
        return [first, *(self.identity((*overrides, f"{key}={seed}")) for seed in seeds[1:])]

    def _task(self, overrides: Sequence[str]) -> DictConfig:
        groups = tuple(line for line in overrides if is_group(line.split("=", 1)[0].lstrip("+"), self._loader))
        try:
            self._base(groups)
            task: DictConfig = pickle.loads(self._tasks[groups])
            apply_overrides(task, parse_overrides([line for line in overrides if line not in groups]))
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(f"{' '.join(overrides)}: {reason_of(error)}") from error
        return task

    def frozen_loader(self) -> FrozenLoader:
        """A loader for launchers that serves what was composed here."""
        return FrozenLoader(self._loader, self._bases, self._fixed)

    def launch_config(self) -> DictConfig:
        """The configuration to set up a launcher with."""
        return pickle.loads(self._bases[()])  # type: ignore[no-any-return]

    def _base(self, groups: tuple[str, ...]) -> None:
        if groups in self._bases:
            return
        if groups:
            config = self._loader.load_sweep_config(self._config, [*self._fixed, *groups])
        else:
            config = copy.deepcopy(self._config)
        with open_dict(config.hydra), flag_override(config.hydra, "readonly", False):
            config.hydra.sweep.dir = str(self._folder.absolute())
        # By value where pickle would refer to a script's __main__, which a worker does not have.
        self._bases[groups] = cloudpickle.dumps(config)
        task = task_part(config)
        OmegaConf.set_struct(task, True)
        self._tasks[groups] = cloudpickle.dumps(task)


def _derives(value: Any, key: str) -> bool:
    """Whether something may be interpolated from a key: by its name, or by a resolver that can look anywhere."""
    if isinstance(value, dict):
        return any(_derives(item, key) for item in value.values())
    if isinstance(value, list):
        return any(_derives(item, key) for item in value)
    if not isinstance(value, str) or "${" not in value:
        return False
    nested = re.search(r"\$\{[^}]*\$\{", value) is not None
    return nested or key in value or bool({*re.findall(r"\$\{\s*([\w.]+)\s*:", value)} - {"oc.select"})
