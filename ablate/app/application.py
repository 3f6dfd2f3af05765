"""The Hydra application: what one run does, alone or within a study, and how a command line is handed to Hydra."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ablate.app.schema import check_values, conf_dir, register
from ablate.app.verb import fail
from ablate.errors import AblateError, ConfigError, suggestion
from ablate.formatting import duration
from ablate.objects import load_object
from ablate.store import RunFolder
from ablate.sweep.console import say
from ablate.sweep.progress import print_epoch
from ablate.sweep.recorder import record

register()


@hydra.main(config_path=conf_dir(), config_name="config", version_base="1.3")
def application(config: DictConfig) -> Any:
    """One run: Hydra calls this for a single run, and once a run of a study."""
    job = HydraConfig.get()
    folder = RunFolder(Path(job.runtime.output_dir))
    values: dict[str, Any] = OmegaConf.to_container(config, resolve=True, enum_to_str=True)  # type: ignore[assignment]
    if job.mode is not None and job.mode.name == "MULTIRUN":
        task = load_object(str(config.trainer), "trainer")
        if str(job.sweeper._target_).startswith("hydra_plugins.ablate_sweeper."):
            return task(values, folder)  # our sweeper records its runs itself
        return record(lambda: task(values, folder), folder)
    # A SystemExit passes through Hydra; an exception would be announced by it as well.
    try:
        check_values(values)
        preflight = values["study"]["preflight"]
        if preflight is not None and (error := load_object(preflight, "study.preflight")([values])[0].get("error")):
            raise ConfigError(str(error))
        _train_alone(values, folder)
    except AblateError as error:
        raise SystemExit(fail(str(error), 2)) from None
    except Exception as error:
        message = f"The run failed: {type(error).__name__}: {error}\nThe traceback is in {folder.log}"
        raise SystemExit(fail(message, 1)) from None


def _train_alone(values: Mapping[str, Any], folder: RunFolder) -> None:
    task = load_object(str(values["trainer"]), "trainer")
    metrics = record(lambda: task(values, folder, progress=print_epoch), folder) or {}
    results = {name: value for name, value in metrics.items() if not name.startswith("seconds")}
    metric = values["study"]["metric"]
    say(f"{metric} {results.pop(metric, float('nan')):.4f}")
    numbers = {name: value for name, value in results.items() if isinstance(value, int | float)}
    say(", ".join(f"{name} {value:.6g}" for name, value in numbers.items()))
    say(f"{duration(metrics['seconds'])}; {folder.path}")


def run_hydra(arguments: Sequence[str]) -> int:
    """Hand a command line to Hydra.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The exit code 0.

    Raises:
        SystemExit: Where Hydra, the sweeper or a single run ends the process itself.
        ConfigError: If there is an unknown option.
        Exception: Whatever Hydra raises.
    """
    _check_options(arguments)
    sys.argv[1:] = arguments
    if os.environ.get("HYDRA_FULL_ERROR") != "1":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Hydra prints an error and exits with 1, and the sweeper explains it as it does for any application; with this set
    # they let the error through.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    application()
    return 0


def _check_options(arguments: Sequence[str]) -> None:
    """Refuse options that are not Hydra's in our form; its own parser prints a page."""
    options = [option for action in get_args_parser()._actions for option in action.option_strings]
    for argument in arguments:
        name = argument.partition("=")[0]
        if argument.startswith("--") and not any(option.startswith(name) for option in options):
            raise ConfigError(f"Unknown option '{name}'. Options: {', '.join(options)}.{suggestion(name, options)}")
