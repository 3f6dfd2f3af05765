"""Running a run again from its frozen configuration, to see whether its result can be reproduced."""

from __future__ import annotations

import contextlib
import itertools
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import RunError, StoreError
from ablate.store import PlannedRun, Result, RunFolder, StudyFolder
from ablate.sweep.frozen import FrozenConfiguration, dotted_paths, read_frozen, task_name
from ablate.sweep.output_metric import MetricSource
from ablate.sweep.recorder import record
from ablate.sweep.task_origin import load_task
from ablate.sweep.trust import Ask, described_task, is_own_command, last_command, require_trust


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


def existing_command(study: StudyFolder, history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The entry of the command with which a study can be trained again: its arguments, and where its task comes from.

    Args:
        study: The study's folder, for the message.
        history: The history that it records.

    Raises:
        StoreError: If no command that can be repeated made the study.
    """
    command = last_command(history)
    if command is None:
        raise StoreError(
            f"The study '{study.path}' does not record where its task comes from, so no command can train it again. "
            f"Call ablate.run as before; ablate.run(..., confirms='{study.path}') confirms it."
        )
    return command


def rerun(study: StudyFolder, run: PlannedRun, *, trust: bool = False, ask: Ask | None = None) -> RerunResult:
    """Run a run again, in a folder of its own within the run's folder.

    Args:
        study: The study's folder.
        run: Which run.
        trust: Whether to execute what a study that came from elsewhere names; this one time, nothing remembers it.
        ask: Asks the user about that; None where there is nobody to ask.

    Raises:
        StoreError: If its frozen configuration or the origin of its task is not there, or it came from elsewhere and
            is not trusted.
        RunError: If it brings no result.
    """
    folder, entered = study.run(run), study.existing_record()
    command = existing_command(study, entered.history)
    origin = command["task"]
    frozen = read_frozen(folder, task_name(origin))
    if not (is_own_command(command) and frozen.is_own):
        what = [*described_task(origin), ("configuration", str(frozen.path))]
        what += [("names", path) for path in dotted_paths(frozen.config)]
        typed = shlex.join(["ablate", "rerun", str(study.path), f"{run.cell}/{run.seed}", "--trust"])
        require_trust(what, typed, trust, ask)
    task = load_task(origin, command["command"])
    again = RunFolder(_make_folder(folder.path / "reruns"))
    _announce(frozen, again)
    metric = entered.plan.study.metric
    record(lambda: task(frozen.config), again, metric, metric_source=MetricSource(metric))
    first, second = folder.result(), again.result()
    if second is None:
        raise RunError(f"The second time brought no result; see {again.path}.")
    first_metrics = first.metrics if first else {}
    names = [name for name in dict.fromkeys([*first_metrics, *second.metrics]) if not name.startswith("seconds")]
    # As text, since a NaN does not equal itself.
    different = tuple(name for name in names if repr(first_metrics.get(name)) != repr(second.metrics.get(name)))
    return RerunResult(first, second, again.path, different)


def _make_folder(parent: Path) -> Path:
    """A new folder that is called by the time; another process may make one within the same second."""
    name = time.strftime("%Y-%m-%d_%H-%M-%S")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            with contextlib.suppress(FileExistsError):
                folder = parent / (name if number == 1 else f"{name}-{number}")
                folder.mkdir()
                break
    except OSError as error:
        raise StoreError(f"Cannot write to '{parent}': {error.strerror or error}.") from error
    return folder


def _announce(frozen: FrozenConfiguration, again: RunFolder) -> None:
    """Make a configuration the one that a task finds as Hydra's, with another output folder."""
    setup_globals()
    # Hydra expects its node to be typed, and interpolations in it may refer to the task's keys.
    typed = OmegaConf.create({"hydra": OmegaConf.structured(HydraConf)}, flags={"struct": False, "allow_objects": True})
    OmegaConf.set_struct(typed.hydra, False)
    try:
        complete: DictConfig = OmegaConf.merge(typed, frozen.hydra, frozen.config)  # type: ignore[assignment]
        complete.hydra.runtime.output_dir = str(again.path.absolute())
        HydraConfig.instance().set_config(complete)
    except OmegaConfBaseException as error:
        raise StoreError(f"'{frozen.path.parent}' is not what Hydra writes: {error}") from error
