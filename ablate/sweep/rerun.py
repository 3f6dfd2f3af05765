"""Running a run again from its frozen configuration, to see whether its result can be had twice."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
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
        second: The result of the second time.
        folder: Where that is.
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
    origins = [event["task"] for event in study.existing_record().history if "task" in event]
    if not origins:
        raise StoreError(f"The study '{study.path}' does not say which task its runs are of: it cannot be run again.")
    config, hydra = (_load(folder.path / ".hydra" / name) for name in ("config.yaml", "hydra.yaml"))
    again = RunFolder(folder.path / "reruns" / time.strftime("%Y-%m-%d_%H-%M-%S"))
    again.path.mkdir(parents=True, exist_ok=True)
    setup_globals()
    # Hydra expects its node to be typed, and interpolations in it may refer to the task's keys.
    typed = OmegaConf.create({"hydra": OmegaConf.structured(HydraConf)}, flags={"struct": False, "allow_objects": True})
    OmegaConf.set_struct(typed.hydra, False)
    complete: DictConfig = OmegaConf.merge(typed, hydra, config)  # type: ignore[assignment]
    complete.hydra.runtime.output_dir = str(again.path.absolute())
    HydraConfig.instance().set_config(complete)
    task = _task(origins[-1])
    record(lambda: task(config), again, study.existing_record().plan.study.metric)
    first, second = folder.result(), again.result()
    if second is None:
        raise RunError(f"The second time brought no result; see {again.path}.")
    return RerunResult(first, second, again.path, tuple(_different_metrics(first, second)))


def _different_metrics(first: Result | None, second: Result) -> list[str]:
    before = first.metrics if first else {}
    names = [name for name in dict.fromkeys([*before, *second.metrics]) if not name.startswith("seconds")]
    return [name for name in names if repr(before.get(name)) != repr(second.metrics.get(name))]


def _load(path: Path) -> DictConfig:
    try:
        return OmegaConf.load(path)  # type: ignore[return-value]
    except OSError as error:
        raise StoreError(f"The run has no frozen configuration: cannot read '{path}': {error.strerror}.") from error


def _task(origin: Mapping[str, str]) -> Callable[..., Any]:
    """The task function, from its module, or from its file where it was a script."""
    if origin["module"] == "__main__":
        name = "ablate_rerun_task"
        spec = importlib.util.spec_from_file_location(name, origin["file"])
        if spec is None or spec.loader is None:
            raise StoreError(f"The script of the study is not there: '{origin['file']}'.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, str(Path(origin["file"]).parent))
        try:
            spec.loader.exec_module(module)
        except OSError as error:
            raise StoreError(f"The script of the study cannot be read: {error}.") from error
    else:
        return inspect.unwrap(load_object(f"{origin['module']}.{origin['name']}"))  # type: ignore[no-any-return]
    function: Callable[..., Any] = inspect.unwrap(functools.reduce(getattr, origin["name"].split("."), module))  # type: ignore[arg-type]
    return function
