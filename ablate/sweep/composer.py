"""Composing the configurations of all runs at plan time, once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import ConfigError
from ablate.study import Cell, Factor
from ablate.sweep.factors import is_group, reason_of
from ablate.sweep.frozen import FrozenLoader, apply_overrides, parse_overrides
from ablate.sweep.identity import identity, task_part, without
from ablate.sweep.plain import PlainConfiguration, is_value

__all__ = ["Composer"]

_MOST_PLAIN = 256
"""Plain configurations that are kept at a time."""


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
        self._plain: dict[tuple[tuple[str, ...], tuple[str, ...]], PlainConfiguration] = {}
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
        values = self._put_together(overrides)
        return identity(self._task(overrides), ()) if values is None else values

    def identity(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The part of a run's configuration that can change its result, as plain values.

        Args:
            overrides: What :meth:`overrides` gave, and the seed's override.

        Raises:
            ConfigError: If the overrides do not compose.
        """
        return without(self.configuration(overrides), self._ignore)

    def _groups(self, overrides: Sequence[str]) -> tuple[str, ...]:
        return tuple(line for line in overrides if is_group(line.split("=", 1)[0].lstrip("+"), self._loader))

    def _put_together(self, overrides: Sequence[str]) -> dict[str, Any] | None:
        """A configuration without composing it, or None where only composing can tell."""
        groups = self._groups(overrides)
        others = [line for line in overrides if line not in groups]
        held = tuple(line for line in others if not is_value(line))
        known = self._plain.get((groups, held))
        if known is None:
            try:
                task = self._task((*groups, *held))
            except ConfigError:
                return None  # composing it whole will say what is wrong
            if len(self._plain) == _MOST_PLAIN:
                self._plain.clear()
            known = self._plain[groups, held] = PlainConfiguration(task, held)
        return known.under([line for line in others if is_value(line)])

    def _task(self, overrides: Sequence[str]) -> DictConfig:
        groups = self._groups(overrides)
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
