"""Composing the configurations of all runs at plan time, once."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import ConfigError, suggestion
from ablate.study import Cell, Factor
from ablate.sweep.config_loader import ComposedConfigLoader, apply_overrides, parse_overrides
from ablate.sweep.config_template import ConfigTemplate, is_assignment
from ablate.sweep.factors import error_text, is_group_line
from ablate.sweep.identity import drop_keys, flatten, resolved_values, task_config
from ablate.sweep.pickled_value import PickledValue

_MAX_TEMPLATES = 256
"""Templates in memory at a time."""

_SINGLE_RUN = re.compile(r"\$\{hydra[.:]run\.dir\}")
_NUMBERED_RUN = re.compile(r"\$\{hydra[.:]sweep\.dir\}.*\$\{hydra[.:]job\.(num|id)\}.*/")
_LAST_PART = re.compile(r"((?:\$\{[^}]*\}|[^/$])+)$")


class Composer:
    """Composes the configurations of the runs of a study.

    Args:
        loader: Hydra's config loader.
        config: The configuration composed with the fixed overrides alone.
        fixed: The fixed overrides.
        folder: The study's folder, where runs will live.
    """

    def __init__(self, loader: ConfigLoader, config: DictConfig, fixed: Sequence[str], folder: Path) -> None:
        self._loader = loader
        self._config = config
        self._fixed = tuple(fixed)
        self._folder = folder
        # Configurations by the group choices that they contain: with the hydra node, and without it.
        self._bases: dict[tuple[str, ...], PickledValue] = {}
        self._tasks: dict[tuple[str, ...], PickledValue] = {}
        self._volatile: dict[tuple[str, ...], list[str]] = {}
        self._templates: dict[tuple[tuple[str, ...], tuple[str, ...]], ConfigTemplate] = {}
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
        values = self._from_template(overrides)
        if values is None:
            values = resolved_values(self._task(overrides))
        return drop_keys(values, self._volatile[self._groups(overrides)])

    @property
    def volatile_keys(self) -> list[str]:
        """Keys whose value is another one each time that it is resolved, so that it can be part of no identity."""
        return sorted({key for keys in self._volatile.values() for key in keys})

    def _groups(self, overrides: Sequence[str]) -> tuple[str, ...]:
        """Those of the override lines that choose within a config group."""
        return tuple(line for line in overrides if is_group_line(line, self._loader))

    def _from_template(self, overrides: Sequence[str]) -> dict[str, Any] | None:
        """A run's configuration made by setting values in a template, or None where it has to be composed.

        Choices within config groups and overrides that do more than set a value (add, delete, interpolate) are composed
        into the template. Runs of one cell hardly differ in anything but the seed, so a few templates serve all runs.
        """
        groups = self._groups(overrides)
        lines = [line for line in overrides if line not in groups]
        composed = tuple(line for line in lines if not is_assignment(line))
        template = self._templates.get((groups, composed))
        if template is None:
            try:
                task = self._task((*groups, *composed))
            except ConfigError:
                return None  # the lines may be right only together with the others; composing all of them decides
            if len(self._templates) == _MAX_TEMPLATES:
                self._templates.clear()
            template = self._templates[groups, composed] = ConfigTemplate(task, composed)
        return template.with_overrides([line for line in lines if is_assignment(line)])

    def _task(self, overrides: Sequence[str]) -> DictConfig:
        """The composed configuration of a run, without its ``hydra`` node."""
        groups = self._groups(overrides)
        try:
            self._base(groups)
            task: DictConfig = self._tasks[groups].copy()
            apply_overrides(task, parse_overrides([line for line in overrides if line not in groups]))
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(f"{' '.join(overrides)}: {error_text(error)}{_choices(error)}") from error
        return task

    def run_loader(self) -> ComposedConfigLoader:
        """A loader for launchers, which serves what was composed here."""
        return ComposedConfigLoader(self._loader, self._bases, self._fixed)

    def launch_config(self) -> DictConfig:
        """The configuration to set up a launcher with."""
        return self._bases[()].copy()  # type: ignore[no-any-return]

    def _base(self, groups: tuple[str, ...]) -> None:
        """Compose the configuration with some group choices and keep it, unless that is done."""
        if groups in self._bases:
            return
        if groups:
            config = self._loader.load_sweep_config(self._config, [*self._fixed, *groups])
        else:
            config = copy.deepcopy(self._config)
        with open_dict(config.hydra), flag_override(config.hydra, "readonly", False):
            config.hydra.sweep.dir = str(self._folder.absolute())
            if (job_logging := config.hydra.get("job_logging")) is not None:
                _log_into_run_folders(job_logging)
        self._bases[groups] = PickledValue(config)
        task = task_config(config)
        OmegaConf.set_struct(task, True)
        self._tasks[groups] = PickledValue(task)
        values, again = flatten(resolved_values(task)), flatten(resolved_values(task))
        # As text, since a NaN does not equal itself.
        self._volatile[groups] = [key for key, value in values.items() if repr(value) != repr(again.get(key))]


def _log_into_run_folders(job_logging: DictConfig) -> None:
    """Let log files that are to be in a run's folder be in the one that it has in a study.

    Applications name it in their logging as that of a single run, or by the number of the job. There is no such folder
    in a study: logging would not begin, and no run could start.
    """
    values: Any = OmegaConf.to_container(job_logging, resolve=False)
    for name, handler in (values.get("handlers") or {}).items():
        file = handler.get("filename") if isinstance(handler, dict) else None
        if isinstance(file, str) and (_SINGLE_RUN.search(file) or _NUMBERED_RUN.search(file)):
            (last,) = _LAST_PART.findall(file)
            job_logging.handlers[name].filename = f"${{hydra.runtime.output_dir}}/{last}"


def _choices(error: BaseException) -> str:
    """The choices that there are, where an override chose another one."""
    options = [str(option) for option in getattr(error, "options", None) or ()]
    if not options:
        return ""
    chosen = str(getattr(error, "missing_cfg_file", "")).rpartition("/")[2]
    return f". Allowed: {', '.join(options)}.{suggestion(chosen, options)}"
