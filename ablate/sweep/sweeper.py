"""The sweeper: Hydra hands it a command line, it makes a study of it.

Hydra wants its plugins in the package ``hydra_plugins``; the class there is an empty child of this one.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.errors import HydraException, InstantiationException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import AblateError, AnalysisError, ConfigError, RunError
from ablate.report import LivePage, collect
from ablate.store import FAILED, FINISHED, PlannedRun, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.sweep.composer import Composer
from ablate.sweep.confirm import confirming
from ablate.sweep.console import failure_lines, paths_lines, plan_lines, plan_values, say, show_summary
from ablate.sweep.engine import Job, board, mark_interrupted, run_jobs
from ablate.sweep.factors import Asked, ask, reason_of
from ablate.sweep.found import found_factors
from ablate.sweep.growth import UNNAMED, check_name, default_name, name_metric
from ablate.sweep.launcher import ProcessLauncher
from ablate.sweep.networks import describe_networks
from ablate.sweep.planner import Planner
from ablate.sweep.progress import Progress
from ablate.sweep.recorder import Recorder
from ablate.sweep.rerun import task_origin
from ablate.sweep.rounds import carry_out_rounds
from ablate.sweep.settings import Settings

__all__ = ["StudySweeper"]

_OUTPUTS = Path("outputs")


class StudySweeper(Sweeper):
    """Plans a study, has its runs launched, and writes what came of it.

    Args:
        settings: The fields of the sweeper's config node; see :class:`~ablate.sweep.settings.Settings`.
    """

    def __init__(self, **settings: Any) -> None:
        self._given = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra's sweeper."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Carry out the study that the overrides ask for.

        Raises:
            SystemExit: With 1 if a run failed, 2 for bad input, 130 if interrupted.
        """
        try:
            all_finished = self._study(arguments)
        except AblateError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(1 if isinstance(error, RunError) else 2) from None
        except KeyboardInterrupt:
            sys.stderr.write("\nInterrupted. What has finished is kept; the same command goes on from here.\n")
            raise SystemExit(130) from None
        except (HydraException, OmegaConfBaseException, OSError) as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise  # the application explains errors itself, or its user wants the traceback
            if isinstance(error, OSError) and not isinstance(error.filename, str):
                raise
            sys.stderr.write(f"{_fault_text(error)}\n")
            raise SystemExit(2) from None
        if not all_finished:
            raise SystemExit(1)

    def _study(self, arguments: Sequence[str]) -> bool:
        settings = Settings.from_config(self._given)
        loader = self._context.config_loader
        if settings.factors_from is not None and settings.confirms is None:
            settings = replace(settings, factors=found_factors(arguments, self._config, loader, settings))
        asked = ask(arguments, self._config, loader, settings)
        folder = self._folder(settings, asked)
        if settings.confirms is not None:
            settings, asked, folder = confirming(settings, asked)
        composer = Composer(loader, self._config, asked.fixed, folder.path, settings.ignore)
        launcher = self._launcher(composer, settings, folder)
        pool = launcher.pool if isinstance(launcher, ProcessLauncher) else None
        drawn: dict[str, str] = {}
        if pool is not None and settings.preflight and not settings.dry_run and folder.record() is None:
            pool.start(modules=[settings.preflight.rpartition(".")[0]])
        try:
            record, jobs = Planner(settings, asked, folder, composer, task_origin(self._task)).prepare(pool)
            # Under the sequential rule the record holds what is needed so far, and jobs what may be needed.
            asked_for = {job.run for job in jobs}
            runs = [run for run in record.runs if run in asked_for]
            if settings.dry_run == "json":
                say(json.dumps(plan_values(record, folder, jobs), indent=1))
                return True
            done = [run for run, status in board(folder, runs).items() if status.state == FINISHED]
            for line in plan_lines(record, len(done), len(runs)):
                say(line)
            if settings.dry_run:
                return True
            if record.plan.study.sequential:
                workers = pool.slots if pool is not None else 1
                carry_out = functools.partial(self._run, folder, record, launcher, settings)
                carry_out_rounds(folder, jobs, carry_out, workers)
            elif len(done) < len(runs):
                self._run(folder, record, launcher, settings, jobs)
            # What the networks cost is in few figures: the others can be drawn before it is known.
            describe_networks(settings, folder, composer, pool, lambda: collect(folder, drawn=drawn))
        except KeyboardInterrupt:
            if pool is not None:
                pool.close()
            mark_interrupted(folder)
            raise
        finally:
            if pool is not None:
                pool.close()
        wanted = {job.run for job in jobs}
        return _report(folder, [run for run in folder.existing_record().runs if run in wanted], drawn)

    def _launcher(self, composer: Composer, settings: Settings, folder: StudyFolder) -> Any:
        halt = None if settings.keep_going else folder.halt.absolute()
        try:
            return Plugins.instance().instantiate_launcher(
                hydra_context=replace(self._context, config_loader=composer.frozen_loader()),
                task_function=Recorder(self._task, settings.metric or UNNAMED, _code_version(), halt),
                config=composer.launch_config(),
            )
        except InstantiationException as error:
            if isinstance(error.__cause__, AblateError):
                raise error.__cause__ from None
            raise ConfigError(f"The launcher cannot be made: {reason_of(error)}") from error

    def _folder(self, settings: Settings, asked: Asked) -> StudyFolder:
        if any(line.startswith("hydra.sweep.dir=") for line in self._config.hydra.overrides.hydra):
            return StudyFolder(Path(str(self._config.hydra.sweep.dir)))
        if settings.name is not None:
            return StudyFolder(_OUTPUTS / check_name(str(settings.name)))
        ready = str(self._config.hydra.runtime.choices.get("study") or self._config.hydra.job.name)
        return StudyFolder(
            _OUTPUTS / default_name([factor.name for factor in asked.factors] if asked.swept else [ready])
        )

    def _run(
        self,
        folder: StudyFolder,
        record: StudyRecord,
        launcher: Any,
        settings: Settings,
        jobs: Sequence[Job],
    ) -> None:
        launched = 0

        def launch(batch: Sequence[Job]) -> BaseException | None:
            nonlocal launched
            try:
                returns = launcher.launch([job.overrides for job in batch], initial_job_idx=launched)
            except Exception as error:
                return error
            finally:
                launched += len(batch)
            # Not the property return_value: it raises.
            return next((job._return_value for job in returns or () if job.status == JobStatus.FAILED), None)

        states = board(folder, [job.run for job in jobs])
        todo = [run for run, status in states.items() if status.state != FINISHED]
        labels = {cell.name: cell.label for cell in record.plan.cells}
        with Progress(folder, todo, labels, record.plan.study.metric), LivePage(folder, todo):
            run_jobs(
                folder,
                jobs,
                launch,
                retry_failed=settings.retry_failed,
                keep_going=settings.keep_going,
                together=isinstance(launcher, ProcessLauncher),
            )


def _report(folder: StudyFolder, runs: Sequence[PlannedRun], drawn: dict[str, str]) -> bool:
    """Write and show what came of a study; returns whether all runs of the command have finished."""
    name_metric(folder)
    states = board(folder, runs)
    failed = {run: status for run, status in states.items() if status.state == FAILED}
    try:
        show_summary(collect(folder, drawn=drawn))
    except AnalysisError as error:
        if not failed:
            raise
        say(str(error))  # as under the policy that failed runs forbid any result
    for line in paths_lines(folder):
        say(line)
    for line in failure_lines(folder, failed):
        say(line)
    return all(status.state == FINISHED for status in states.values())


def _fault_text(error: Exception) -> str:
    """An error of Hydra, OmegaConf or the file system in a line or two."""
    if isinstance(error, OSError):
        return f"Cannot write to the output folder '{error.filename}': {error.strerror}."
    lines = [str(one).strip().partition("\n")[0] for one in (error, error.__cause__) if one is not None]
    return "\n".join(lines).strip() or type(error).__name__


def _code_version() -> str:
    """The commit of the code in the current folder, with ``+`` behind it where there are uncommitted changes."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit.stdout.strip()
