"""The sweeper: Hydra hands it a command line, which it carries out as a study.

Hydra wants its plugins in the package ``hydra_plugins``; the class there is an empty child of this one.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.errors import HydraException, InstantiationException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import AblateError, AnalysisError, ConfigError, RunError
from ablate.report import collect
from ablate.store import FINISHED, StudyFolder
from ablate.study.settings import StudySettings
from ablate.sweep.composer import Composer
from ablate.sweep.confirm import confirmation_request
from ablate.sweep.console import (
    damage_lines,
    failure_lines,
    paths_lines,
    plan_lines,
    plan_values,
    say,
    say_error,
    show_summary,
    unchecked_cells,
)
from ablate.sweep.earlier_runs import earlier_runs, prepare_earlier_runs
from ablate.sweep.engine import Job, run_statuses
from ablate.sweep.execution import Execution, read_settings
from ablate.sweep.factors import error_text
from ablate.sweep.frozen import sign_and_call, task_name
from ablate.sweep.guide import HELP, Described, guide_page
from ablate.sweep.identity import flatten, resolved_values
from ablate.sweep.inspection import describe_networks, discover_factors
from ablate.sweep.launcher import ProcessLauncher
from ablate.sweep.left_threads import set_exit_code
from ablate.sweep.output_metric import MetricSource
from ablate.sweep.own_section import as_typed, section_of
from ablate.sweep.planner import Planner
from ablate.sweep.process_state import discard_output, prepare_streams
from ablate.sweep.recorder import record, record_job
from ablate.sweep.source_code import source_code
from ablate.sweep.study_names import check_name, default_name
from ablate.sweep.study_record import UNNAMED_METRIC
from ablate.sweep.study_request import StudyRequest, read_request
from ablate.sweep.sweeper_node import split_node
from ablate.sweep.task_origin import started_program, task_origin
from ablate.sweep.trust import is_executing_trusted

_OUTPUTS = Path("outputs")


class StudySweeper(Sweeper):
    """Plans a study, has its runs launched, and reports the result.

    Args:
        settings: The fields of the sweeper's config node; see :class:`~ablate.study.settings.StudySettings`.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra's sweeper."""
        self._context, self._task, self._config = hydra_context, task_function, config
        self._source = source_code(task_function)

    def sweep(self, arguments: list[str]) -> None:
        """Carry out the study that the overrides ask for.

        Raises:
            SystemExit: With 1 if a run failed, 2 for bad input, 130 if interrupted.
        """
        prepare_streams()
        set_exit_code(1)  # unless it gets to the end
        try:
            all_finished = self._carry_out(arguments)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever reads has seen enough, as `head` has
            discard_output()
            raise SystemExit(128 + signal.SIGPIPE) from None
        except AblateError as error:
            say_error(as_typed(str(error), self._config))
            raise SystemExit(1 if isinstance(error, RunError) else 2) from None
        except KeyboardInterrupt:
            say_error("\nInterrupted. What has finished is kept; the same command goes on from here.")
            raise SystemExit(130) from None
        except (HydraException, OmegaConfBaseException, OSError) as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise  # the application explains errors itself, or its user wants the traceback
            if isinstance(error, OSError) and not isinstance(error.filename, str):
                raise
            say_error(fault_text(error))
            raise SystemExit(2) from None
        if not all_finished:
            raise SystemExit(1)
        set_exit_code(0)

    def _carry_out(self, arguments: Sequence[str]) -> bool:
        """Plan, train and report; returns whether all runs of the command have finished."""
        loader = self._context.config_loader
        node = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in self._settings.items()
        }
        if node.pop(HELP, False):
            say(guide_page(self._described(str(node.get("seed_key") or ""))))
            return True
        values, params, notes = split_node(node, self._config.hydra.overrides.hydra)
        settings = read_settings(values, self._section)
        if settings.factors_from is not None and settings.confirms is None:
            settings = replace(settings, factors=discover_factors(arguments, self._config, loader, settings))
        request = read_request(arguments, self._config, loader, settings, params)
        request = replace(request, notes=(*notes, *request.notes))
        folder = self._folder(settings, request)
        if settings.confirms is not None:
            settings, request, folder = confirmation_request(settings, request)
        with open_dict(self._config.hydra), flag_override(self._config.hydra, "readonly", False):
            self._config.hydra.sweep.dir = str(folder.path)  # for callbacks at the end of the command
        composer = Composer(loader, request.config, request.fixed, folder.path)
        launcher = self._launcher(composer, settings, folder)
        pool = None
        if isinstance(launcher, ProcessLauncher):
            pool, launcher.returns_configs = launcher.pool, False  # runs record themselves
        drawn: dict[str, str] = {}  # what is drawn while networks are measured; the report does not draw it again
        if pool is not None and settings.preflight and not settings.dry_run and not folder.plan.is_file():
            # A new study: workers load the module of the preflight while the plan is made.
            pool.start(modules=[settings.preflight.rpartition(".")[0]])
        try:
            planner = Planner(settings, request, folder, composer, task_origin(self._task), self._first_seed(folder))
            record, jobs = planner.prepare(pool)
            # The record also holds runs of earlier commands; under the sequential rule, jobs hold runs not yet entered.
            command_runs = {job.run for job in jobs}
            statuses = run_statuses(folder, [run for run in record.runs if run in command_runs])
            if settings.dry_run == "json":
                say(json.dumps(plan_values(record, folder, jobs, settings.preflight), indent=1))
                return True
            finished = sum(status.state == FINISHED for status in statuses.values())
            earlier = earlier_runs(folder, statuses, self._source)
            failed = 0 if settings.retry_failed else len(earlier.failed)
            for line in (*plan_lines(record, finished, len(statuses), failed), *damage_lines(folder, statuses)):
                say(as_typed(line, self._config))
            if settings.dry_run:
                unchecked = dict.fromkeys(unchecked_cells(record, settings.preflight).values())
                for line in (*unchecked, *earlier.lines(self._section, settings)):
                    say(line)
                return True
            statuses = prepare_earlier_runs(folder, record, statuses, earlier, settings, self._section)
            finished = sum(status.state == FINISHED for status in statuses.values())
            execution = Execution(folder, record.plan, settings, jobs, _launch_with(launcher), pool)
            if record.plan.study.sequential or finished < len(statuses):
                execution.train()
            # Few figures show what the networks cost; the others are drawn while that is measured.
            typed = {line for job in jobs for line in job.overrides}
            describe_networks(settings, folder, composer, pool, typed, lambda: collect(folder, drawn=drawn))
        finally:
            if pool is not None:
                pool.close()
        return _report(execution, drawn, self._section)

    def _described(self, seed_key: str) -> Described:
        """What the guide says of the application."""
        loader = self._context.config_loader
        groups = {
            name: loader.get_group_options(name, ObjectType.CONFIG)
            for name in self._config.hydra.runtime.choices
            if not name.startswith("hydra/")
        }
        values = flatten(resolved_values(self._config))
        return Described(started_program(task_origin(self._task)), seed_key, values, groups)

    @property
    def _section(self) -> str:
        return section_of(self._config)

    def _first_seed(self, folder: StudyFolder) -> int:
        """The first seed where only their number is given.

        Many an application asks ``if config.seed``, and takes 0 for no seed at all: those of others begin with 1,
        unless their study has begun with 0.
        """
        old = folder.record()
        return 0 if self._section == "study" or (old is not None and 0 in old.plan.study.seeds) else 1

    def _launcher(self, composer: Composer, settings: StudySettings, folder: StudyFolder) -> Any:
        halt = None if settings.keep_going else folder.halt.absolute()
        metric = settings.metric or UNNAMED_METRIC
        recording = functools.partial(
            record,
            metric=metric,
            code=_code_version(),
            halt=halt,
            source=self._source,
            metric_source=MetricSource(settings.metric, settings.results, settings.metric_pattern, self._section),
            no_metric=folder.no_metric.absolute(),
        )
        task = functools.partial(record_job, self._task, recording)
        if not is_executing_trusted():
            task = functools.partial(sign_and_call, task_name(task_origin(self._task)), task)
        try:
            return Plugins.instance().instantiate_launcher(
                hydra_context=replace(self._context, config_loader=composer.run_loader()),
                task_function=task,
                config=composer.launch_config(),
            )
        except InstantiationException as error:
            if isinstance(error.__cause__, AblateError):
                raise error.__cause__ from None
            raise ConfigError(f"The launcher cannot be made: {error_text(error)}") from error

    def _folder(self, settings: StudySettings, request: StudyRequest) -> StudyFolder:
        if any(line.startswith("hydra.sweep.dir=") for line in self._config.hydra.overrides.hydra):
            return StudyFolder(Path(str(self._config.hydra.sweep.dir)))
        if settings.name is not None:
            return StudyFolder(_OUTPUTS / check_name(settings.name))
        # The ready study that was chosen, or else the name of the application.
        ready = str(self._config.hydra.runtime.choices.get("study") or self._config.hydra.job.name)
        names = [factor.name for factor in request.factors if request.swept or factor.block]
        return StudyFolder(_OUTPUTS / default_name(names if request.swept else [*names, ready]))


def _launch_with(launcher: Any) -> Callable[[Sequence[Job]], BaseException | None]:
    """A function that launches jobs through a launcher of Hydra's.

    It returns the error of the launcher, or of the first failed job, or None.
    """
    launched = 0

    def launch(jobs: Sequence[Job]) -> BaseException | None:
        nonlocal launched
        try:
            returns = launcher.launch([job.overrides for job in jobs], initial_job_idx=launched)
        except Exception as error:
            return error
        finally:
            launched += len(jobs)
        # Not the property return_value: it raises.
        return next((job._return_value for job in returns or () if job.status == JobStatus.FAILED), None)

    return launch


def _report(execution: Execution, drawn: dict[str, str], section: str) -> bool:
    """Write and print the results of a study; returns whether all runs of the command have finished."""
    folder = execution.folder
    runs = {job.run for job in execution.jobs}
    record = folder.existing_record()
    statuses = run_statuses(folder, [run for run in record.runs if run in runs])
    failures = failure_lines(folder, record.plan, statuses, section)
    try:
        show_summary(execution.collect(drawn))
    except AnalysisError as error:
        if not failures:
            raise
        say(str(error))  # failed runs, listed below, may forbid a result (``failures=fail``)
    for line in (*paths_lines(folder), *failures):
        say(line)
    return all(status.state == FINISHED for status in statuses.values())


def fault_text(error: Exception) -> str:
    """An error of Hydra, OmegaConf or the file system in a line or two."""
    if isinstance(error, OSError) and isinstance(error.filename, str):
        if error.errno == errno.ENAMETOOLONG:
            longest = max(Path(error.filename).parts, key=len)
            return f"'{longest[:40]}...' has {len(longest)} characters, which no name of a file or key has."
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
