"""Factors that a function finds in the reference configuration, before there is a plan."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from ablate.errors import ConfigError, DesignError, RunError
from ablate.sweep.composer import Composer
from ablate.sweep.frozen import parse_overrides
from ablate.sweep.preflight import in_worker
from ablate.sweep.settings import Settings

__all__ = ["found_factors"]


def found_factors(
    arguments: Sequence[str], config: DictConfig, loader: ConfigLoader, settings: Settings
) -> Mapping[str, Any]:
    """What the function ``settings.factors_from`` finds, called in a process of its own.

    Args:
        arguments: Overrides as typed, without those of ``hydra``.
        config: The configuration composed without the sweeps: the reference.
        loader: Hydra's loader.
        settings: The sweeper's settings.

    Raises:
        DesignError: If the command sweeps factors too.
        ConfigError: If the function fails.
    """
    function = str(settings.factors_from)
    keys = [one.key_or_group for one in parse_overrides(arguments, loader) if one.is_sweep_override()]
    if swept := [key for key in keys if key != settings.seed_key]:
        raise DesignError(f"The factors come from {function}: {', '.join(swept)} cannot be swept beside them.")
    reference = Composer(loader, config, (), Path(), settings.ignore).configuration(())
    with tempfile.TemporaryDirectory() as place:
        try:
            found: Mapping[str, Any] = in_worker(function, (reference,), Path(place) / "factors.log", None)
        except RunError as error:
            raise ConfigError(str(error)) from error
    return found
