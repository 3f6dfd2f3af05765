"""The sweeper: Hydra hands it a command line, it makes a study of it.

Hydra wants its plugins in the package ``hydra_plugins``; the class there is an empty child of this one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from ablate.errors import AblateError, ConfigError, DesignError
from ablate.report import collect
from ablate.store import FAILED, FINISHED, PlannedRun, StudyFolder, make_folder
from ablate.store.study_folder import StudyRecord
from ablate.study import Factor, Plan, Study, make_plan
from ablate.sweep.composer import Composer
from ablate.sweep.console import Progress, paths_lines, plan_lines, say, show_summary
from ablate.sweep.engine import Job, board, run_jobs
from ablate.sweep.factors import Asked, ask
from ablate.sweep.growth import check_name, grow
from ablate.sweep.identity import run_id
from ablate.sweep.launcher import ProcessLauncher
from ablate.sweep.preflight import function_named, look
from ablate.sweep.recorder import Recorder
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
            failed = self._study(arguments)
        except AblateError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(2) from None
        except KeyboardInterrupt:
            sys.stderr.write("\nInterrupted. What has finished is kept; the same command goes on from here.\n")
            raise SystemExit(130) from None
        if failed:
            raise SystemExit(1)

    def _study(self, arguments: Sequence[str]) -> bool:
        settings = Settings.from_config(self._given)
        loader = self._context.config_loader
        asked = ask(arguments, self._config, loader, settings)
        folder = self._folder(settings, asked)
        composer = Composer(loader, self._config, asked.fixed, folder.path, settings.ignore)
        plan = self._plan(settings, asked, folder)
        launcher = self._launcher(composer, settings)
        try:
            plan, record, jobs = self._prepare(plan, settings, asked, folder, composer, launcher)
            runs = [job.run for job in jobs]
            states = board(folder, runs)
            done = sum(status.state == FINISHED for status in states.values())
            for line in plan_lines(record, done, len(runs)):
                say(line)
            if settings.dry_run:
                return False
            if done < len(runs):
                self._run(folder, record, jobs, launcher, settings, [run for run in runs if not done_in(states, run)])
        finally:
            if isinstance(launcher, ProcessLauncher):
                launcher.pool.close()
        return self._report(folder, runs)

    def _folder(self, settings: Settings, asked: Asked) -> StudyFolder:
        chosen = [line for line in self._config.hydra.overrides.hydra if line.startswith("hydra.sweep.dir=")]
        if chosen:
            return StudyFolder(Path(str(self._config.hydra.sweep.dir)))
        if settings.name is not None:
            return StudyFolder(_OUTPUTS / check_name(str(settings.name)))
        if asked.swept:
            name = "-".join(factor.name.replace("/", ".") for factor in asked.factors)
        else:
            name = str(self._config.hydra.runtime.choices.get("study") or self._config.hydra.job.name)
        return StudyFolder(_OUTPUTS / check_name(name if name not in ("example", "single") else f"{name}-study"))

    def _plan(self, settings: Settings, asked: Asked, folder: StudyFolder, drop: Sequence[str] = ()) -> Plan:
        seeds = asked.seeds or settings.seed_list()
        study = Study(
            name=folder.name,
            design=settings.design or ("factorial" if asked.swept else "leave_one_out"),
            seeds=seeds,
            metric=settings.metric or "value",
            direction=settings.direction,
            margin=settings.margin,
        )
        factors = [factor for factor in asked.factors if factor.name not in drop]
        plan = make_plan(study, factors, settings.constraints())
        return replace(plan, notes=(*asked.notes, *plan.notes))

    def _launcher(self, composer: Composer, settings: Settings) -> Any:
        return Plugins.instance().instantiate_launcher(
            hydra_context=replace(self._context, config_loader=composer.frozen_loader()),
            task_function=Recorder(self._task, settings.metric or "value", code_version()),
            config=composer.launch_config(),
        )

    def _prepare(
        self, plan: Plan, settings: Settings, asked: Asked, folder: StudyFolder, composer: Composer, launcher: Any
    ) -> tuple[Plan, StudyRecord, list[Job]]:
        """Compose and check all cells, and enter the study in its folder."""
        configurations = _compose(plan, plan.factors, composer, settings)
        reference = configurations[plan.cells[0].name]
        reference_identity = {key: value for key, value in reference.items() if key != settings.seed_key}
        make_folder(folder.path)
        event = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "command": sys.argv[1:]}
        old = folder.record()
        checks = dict(old.checks) if old else {}
        if settings.preflight is not None:
            # Refuse a folder of another study before anything expensive.
            grow(folder, plan, (), reference_identity, event)
            unknown = [name for name in configurations if name not in checks]
            if unknown:
                plan = self._preflight(plan, settings, asked, folder, configurations, checks, launcher)
            else:
                absent = set(checks[plan.cells[0].name].get("absent", ()))
                plan = self._without(plan, settings, asked, folder, absent)
        jobs = _jobs(plan, settings, asked, composer)
        record = grow(folder, plan, [job.run for job in jobs], reference_identity, event)
        record = replace(record, checks=checks)
        if record != old:
            folder.write_record(record)
        return plan, record, jobs

    def _preflight(
        self,
        plan: Plan,
        settings: Settings,
        asked: Asked,
        folder: StudyFolder,
        configurations: Mapping[str, dict[str, Any]],
        checks: dict[str, Mapping[str, Any]],
        launcher: Any,
    ) -> Plan:
        pool = launcher.pool if isinstance(launcher, ProcessLauncher) else None
        if pool is not None:
            pool.start()
        found = look(str(settings.preflight), list(configurations.values()), folder.path, pool)
        findings = dict(zip(configurations, found, strict=True))
        absent = set(findings[plan.cells[0].name].get("absent", ()))
        plan = self._without(plan, settings, asked, folder, absent)
        faults = dict.fromkeys(
            f"{cell.label}: {error}" for cell in plan.cells if (error := findings[cell.name].get("error"))
        )
        if faults:
            # A fault of the reference is a fault of every cell: once is enough.
            first = findings[plan.cells[0].name].get("error")
            raise ConfigError(str(first) if first else "\n".join(faults))
        checks.update({name: finding for name, finding in findings.items() if not finding.get("error")})
        return plan

    def _without(self, plan: Plan, settings: Settings, asked: Asked, folder: StudyFolder, absent: set[str]) -> Plan:
        """The plan without declared factors that the configuration has no use for; swept ones are an error."""
        drop = [factor.name for factor in plan.factors if factor.name in absent]
        if not drop or asked.swept:
            return plan
        if len(drop) == len(plan.factors):
            raise DesignError(f"Nothing to compare: the reference has none of {', '.join(drop)}.")
        plan = self._plan(settings, asked, folder, drop)
        return replace(plan, notes=(*plan.notes, f"Not in this model and left out: {', '.join(drop)}."))

    def _run(
        self,
        folder: StudyFolder,
        record: StudyRecord,
        jobs: Sequence[Job],
        launcher: Any,
        settings: Settings,
        todo: Sequence[PlannedRun],
    ) -> None:
        launched = 0

        def launch(batch: Sequence[Job]) -> BaseException | None:
            nonlocal launched
            try:
                launcher.launch([job.overrides for job in batch], initial_job_idx=launched)
            except Exception as error:
                return error
            finally:
                launched += len(batch)
            return None

        labels = {cell.name: cell.label for cell in record.plan.cells}
        with Progress(folder, todo, labels, record.plan.study.metric):
            run_jobs(folder, jobs, launch, retry_failed=settings.retry_failed, keep_going=settings.keep_going)

    def _report(self, folder: StudyFolder, runs: Sequence[PlannedRun]) -> bool:
        summary = collect(folder)
        show_summary(summary)
        for line in paths_lines(folder):
            say(line)
        states = board(folder, runs)
        bad = {run: status for run, status in states.items() if status.state == FAILED}
        if bad:
            labels = {cell.name: cell.label for cell in summary.plan.cells}
            say(f"{len(runs) - len(bad)} finished, {len(bad)} failed:")
            for run, status in bad.items():
                say(f"  {labels[run.cell]}, seed {run.seed}: {status.reason}: {status.error}")
                say(f"    see {folder.run(run).log}")
            say("study.retry_failed=true runs them again.")
        return bool(bad)


def done_in(states: Mapping[PlannedRun, Any], run: PlannedRun) -> bool:
    """Whether a run has finished."""
    return bool(states[run].state == FINISHED)


def _compose(
    plan: Plan, factors: Sequence[Factor], composer: Composer, settings: Settings
) -> dict[str, dict[str, Any]]:
    """The configuration of every cell with the first seed, checked; by the cell's name."""
    check: Callable[..., list[str]] | None = function_named(settings.check) if settings.check else None
    made: dict[str, dict[str, Any]] = {}
    owner: dict[str, str] = {}
    faults: list[str] = []
    for cell in plan.cells:
        try:
            made[cell.name] = composer.configuration(composer.overrides(cell, factors))
        except ConfigError as error:
            faults.append(str(error))
            continue
        twin = owner.setdefault(run_id(made[cell.name]), cell.label)
        if twin != cell.label:
            faults.append(f"'{cell.label}' and '{twin}' resolve to the same configuration; they cannot differ.")
        if check is not None:
            faults += check(made[cell.name], explicit=not cell.void)
    if faults:
        raise DesignError("\n".join(dict.fromkeys(faults)))
    first = made[plan.cells[0].name]
    if settings.seed_key not in _dotted(first):
        raise DesignError(
            f"The configuration has no key '{settings.seed_key}' for the seed. "
            "Name the right one with hydra.sweeper.seed_key=..., and let the task read its seed there."
        )
    return made


def _dotted(values: Mapping[str, Any]) -> set[str]:
    from ablate.sweep.identity import flatten

    return set(flatten(values))


def _jobs(plan: Plan, settings: Settings, asked: Asked, composer: Composer) -> list[Job]:
    jobs = []
    for cell in plan.cells:
        lines = composer.overrides(cell, plan.factors)
        for seed in plan.study.seeds:
            own = (*lines, f"{settings.seed_key}={seed}")
            run = PlannedRun(run_id(composer.configuration(own)), cell.name, seed)
            place = f"hydra.sweep.subdir='{run.folder}'"
            jobs.append(Job(run, (*asked.fixed, *own, place)))
    return jobs


def code_version() -> str:
    """The commit of the code in the current folder, with ``+`` behind it where there are uncommitted changes."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit.stdout.strip()
