"""A Hydra launcher on worker processes of our own: reused (``workers``) or one a run (``isolated``)."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from ablate.errors import ConfigError, StoreError
from ablate.store import FAILED, RUNNING, RunFolder, StudyFolder
from ablate.study.setting import setting_fault
from ablate.study.settings import LAUNCHER_SETTINGS
from ablate.sweep import own_section as _own_section  # noqa: F401, its resolver
from ablate.sweep.calls import Call, Outcome
from ablate.sweep.gpus import assign_gpus, visible_gpus, worker_environments
from ablate.sweep.memory_budget import MemoryBudget
from ablate.sweep.pool import WorkerPool
from ablate.sweep.worker import redirect_output


class ProcessLauncher(Launcher):
    """Runs jobs in worker processes.

    A job that raises, exits, is killed or takes too long ends alone.

    Args:
        workers: How many at a time: a number, or ``"auto"`` for one for each GPU (see ``gpu_memory``), or for each CPU
            core where there is no GPU, as far as the memory allows. More workers than GPUs share them.
        jobs_per_worker: After how many jobs a worker is replaced by a fresh process; None for never.
        timeout: Seconds after which a run is ended, or None.
        gpus: Identifiers of the GPUs to share out (``CUDA_VISIBLE_DEVICES``), or None to find them.
        gpu_memory: GiB of a GPU's memory that a worker's tensors may take, so that a GPU has as many workers as its
            free memory bears; None for one a GPU.
    """

    def __init__(
        self,
        workers: int | str = "auto",
        jobs_per_worker: int | None = None,
        timeout: float | None = None,
        gpus: Sequence[str | int] | None = None,
        gpu_memory: float | None = None,
    ) -> None:
        values = {"workers": workers, "gpu_memory": gpu_memory, "timeout": timeout}
        checks = (setting_fault(key, value, LAUNCHER_SETTINGS[key]) for key, value in values.items())
        if faults := [fault for fault in checks if fault is not None]:
            raise ConfigError("\n".join(faults))
        cores = len(os.sched_getaffinity(0))
        worker_gpus = assign_gpus(visible_gpus(gpus), gpu_memory, cores)
        count = workers if isinstance(workers, int) else len(worker_gpus) or cores
        common = {"ABLATE_WORKERS": str(count)}  # by which a framework can divide the cores
        environments = [own | common for own in worker_environments(worker_gpus, gpu_memory) or [{}]]
        memory = MemoryBudget() if workers == "auto" else None
        self.pool = WorkerPool(count, jobs_per_worker, timeout, environments, memory)
        self.returns_configs = True
        """Whether jobs return their configurations, as Hydra has it; sending them costs more than a short job."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra's launcher."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """See Hydra's launcher."""
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        sweep = Path(str(self._config.hydra.sweep.dir))
        sweep.mkdir(parents=True, exist_ok=True)
        state = Singleton.get_state()
        job = functools.partial(_run, self._context, self._task, self._config, state, self.returns_configs)
        calls = [
            Call(key=index, arguments=(initial_job_idx + index, list(lines)), group=str(_subdir(lines).parent))
            for index, lines in enumerate(job_overrides)
        ]
        returns: dict[int, JobReturn] = {}
        for outcome in self.pool.run(job, calls):
            lines = job_overrides[outcome.key]
            if outcome.reason in ("exited", "timed out"):
                _record_death(sweep, lines, outcome)
            returns[outcome.key] = _job_return(outcome, lines)
        return [returns[index] for index in range(len(job_overrides))]


def _run(
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    state: Any,
    returns_configs: bool,
    index: int,
    overrides: list[str],
) -> JobReturn:
    """One job, in a worker."""
    setup_globals()
    Singleton.set_state(state)
    sweep_config = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(sweep_config):
        sweep_config.hydra.job.id = str(index)
        sweep_config.hydra.job.num = index
    HydraConfig.instance().set_config(sweep_config)
    folder = Path(str(sweep_config.hydra.sweep.dir)) / str(sweep_config.hydra.sweep.subdir)
    folder.mkdir(parents=True, exist_ok=True)
    # Before the task prints anything. A worker carries out many runs, each with its own log.
    redirect_output(RunFolder(folder).log)
    result = run_job(
        hydra_context=context,
        config=sweep_config,
        task_function=task,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    if not returns_configs:
        result.cfg = result.hydra_cfg = None
    return result


def _subdir(overrides: Sequence[str]) -> Path:
    """The folder of a run within the study's; ``.`` for a job of another sweeper, which names none in its overrides."""
    line = next((line for line in overrides if line.startswith("hydra.sweep.subdir=")), "")
    return Path(line.partition("=")[2].strip("'"))


def _record_death(sweep: Path, overrides: Sequence[str], outcome: Outcome) -> None:
    """Mark the run of a dead process as failed. Not for a killed one, which the engine launches once more."""
    folder = RunFolder(sweep / _subdir(overrides))
    status = folder.status()
    if status.state == RUNNING:
        with suppress(StoreError):  # a folder that its task has spoilt; the engine sees that the run does not end
            folder.write_status(
                replace(
                    status, state=FAILED, reason=outcome.reason, error=str(outcome.error), ended=time.time(), pid=None
                )
            )
        StudyFolder(sweep).halt.touch()  # runs check for it only where one failure is to end the study


def _job_return(outcome: Outcome, overrides: Sequence[str]) -> JobReturn:
    if isinstance(outcome.value, JobReturn):
        return outcome.value
    result = JobReturn()
    result.overrides = list(filter_overrides(overrides))
    result.status = JobStatus.FAILED
    result.return_value = outcome.error
    return result
