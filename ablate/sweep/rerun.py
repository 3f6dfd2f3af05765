"""Running a run again from its frozen configuration, to see whether its result can be reproduced."""

from __future__ import annotations

import functools
import inspect
import runpy
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, OmegaConf

from ablate.errors import RunError, StoreError
from ablate.objects import load_object
from ablate.store import PlannedRun, Result, RunFolder, StudyFolder
from ablate.sweep.recorder import record


@dataclass(frozen=True)
class RerunResult:
    """The result of running a run again, with its first one.

    Args:
        first: The run's result, or None if it has none.
        second: The result of running it again.
        folder: The folder of ``second``.
        different: Metrics that are not bit-identical, timings left out.
    """

    first: Result | None
    second: Result
    folder: Path
    different: tuple[str, ...]


def task_origin(task: Callable[..., Any]) -> dict[str, str]:
    """Where a task function comes from, as plain values that outlive the process."""
    function = inspect.unwrap(task)
    return {
        "module": function.__module__,
        "name": function.__qualname__,
        "file": str(Path(inspect.getsourcefile(function) or "").absolute()),
    }


def last_command(study: StudyFolder) -> Mapping[str, Any]:
    """The history entry of the last command that trained a study: its arguments, and where its task comes from.

    Raises:
        StoreError: If no command that can be repeated made the study.
    """
    commands = [event for event in study.existing_record().history if "task" in event]
    if not commands:
        raise StoreError(
            f"The study '{study.path}' does not record where its task comes from, so no command can train it again. "
            f"Call ablate.run as before; ablate.run(..., confirms='{study.path}') confirms it."
        )
    return commands[-1]


def run_script(path: Path, name: str) -> dict[str, Any]:
    """Run a script as a module of that name.

    Returns:
        Its global names.

    Raises:
        StoreError: If there is no such script.
    """
    if not path.is_file():
        raise StoreError(f"The script of the study is not there: '{path}'.")
    sys.path.insert(0, str(path.parent))
    return runpy.run_path(str(path), run_name=name)


def rerun(study: StudyFolder, run: PlannedRun) -> RerunResult:
    """Run a run again, in a folder of its own within the run's folder.

    Args:
        study: The study's folder.
        run: Which run.

    Raises:
        StoreError: If its frozen configuration or the origin of its task is not there.
        RunError: If it brings no result.
    """
    folder = study.run(run)
    task = _load_task(last_command(study)["task"])
    config, hydra = (_read_yaml(folder.path / ".hydra" / name) for name in ("config.yaml", "hydra.yaml"))
    again = RunFolder(folder.path / "reruns" / time.strftime("%Y-%m-%d_%H-%M-%S"))
    again.path.mkdir(parents=True, exist_ok=True)
    setup_globals()
    # Hydra expects its node to be typed, and interpolations in it may refer to the task's keys.
    typed = OmegaConf.create({"hydra": OmegaConf.structured(HydraConf)}, flags={"struct": False, "allow_objects": True})
    OmegaConf.set_struct(typed.hydra, False)
    complete: DictConfig = OmegaConf.merge(typed, hydra, config)  # type: ignore[assignment]
    complete.hydra.runtime.output_dir = str(again.path.absolute())
    HydraConfig.instance().set_config(complete)
    record(lambda: task(config), again, study.existing_record().plan.study.metric)
    first, second = folder.result(), again.result()
    if second is None:
        raise RunError(f"The second time brought no result; see {again.path}.")
    first_metrics = first.metrics if first else {}
    names = [name for name in dict.fromkeys([*first_metrics, *second.metrics]) if not name.startswith("seconds")]
    # As text, since a NaN does not equal itself.
    different = tuple(name for name in names if repr(first_metrics.get(name)) != repr(second.metrics.get(name)))
    return RerunResult(first, second, again.path, different)


def _read_yaml(path: Path) -> DictConfig:
    try:
        return OmegaConf.load(path)  # type: ignore[return-value]
    except OSError as error:
        raise StoreError(f"The run has no frozen configuration: cannot read '{path}': {error.strerror}.") from error


def _load_task(origin: Mapping[str, str]) -> Callable[..., Any]:
    """The task function, from its module, or from its file where it was a script."""
    if origin["module"] == "__main__":
        script = SimpleNamespace(**run_script(Path(origin["file"]), "ablate_rerun_task"))
        function: Any = functools.reduce(getattr, origin["name"].split("."), script)
    else:
        function = load_object(f"{origin['module']}.{origin['name']}")
    return inspect.unwrap(function)  # type: ignore[no-any-return]
