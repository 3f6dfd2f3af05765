"""From what a command asks for to a checked plan in the study's folder, and the jobs that carry it out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablate.errors import ConfigError, DesignError
from ablate.store import PlannedRun, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Plan, Requires, Study, level_label, make_plan
from ablate.sweep.ahead import import_ahead, meanwhile
from ablate.sweep.composer import Composer
from ablate.sweep.confirm import refuse_other
from ablate.sweep.engine import Job
from ablate.sweep.factors import Asked
from ablate.sweep.growth import UNNAMED, grow, study_event
from ablate.sweep.identity import flatten, run_id, without
from ablate.sweep.pool import WorkerPool
from ablate.sweep.preflight import function_named, look
from ablate.sweep.settings import AUTO, FIRST_SEEDS, Settings

__all__ = ["Planner"]

_SEED_WORDS = re.compile(r"(^|[._])(seed|random_state|rng)$", re.IGNORECASE)

Configurations = dict[str, dict[str, Any]]
Findings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Planner:
    """Plans one command.

    Args:
        settings: The sweeper's settings.
        asked: What the command line asks for.
        folder: The study's folder.
        composer: Composes configurations.
        task: Where the task comes from, so that a run can be run again.
    """

    settings: Settings
    asked: Asked
    folder: StudyFolder
    composer: Composer
    task: Mapping[str, str]

    def prepare(self, pool: WorkerPool | None) -> tuple[StudyRecord, list[Job]]:
        """Check everything that can be checked, and enter the study in its folder.

        A dry run checks what needs no building of networks, and writes nothing.

        Args:
            pool: Workers for the look at all cells before the first run, or None to start one.

        Returns:
            What the folder holds after that, and the jobs of this command, done or not.

        Raises:
            AblateError: If the command makes no study, or not one that the folder can take in.
        """
        settings, folder = self.settings, self.folder
        old = folder.record()
        plan = self._plan(old)
        configurations = self._compose(plan)
        reference = without(configurations[plan.cells[0].name], [settings.seed_key, *settings.ignore])
        if settings.confirms is not None:
            refuse_other(StudyFolder(Path(settings.confirms)), reference)
        event = study_event(folder, old, plan, sys.argv[1:]) | {"task": dict(self.task)}
        grow(folder, old, plan, (), reference, event)  # refuses another study before anything that takes time
        checks = dict(old.checks) if old else {}
        if settings.preflight is not None:
            if not configurations.keys() <= checks.keys() and not settings.dry_run:
                checks |= self._look(settings.preflight, plan, configurations, pool)
            plan = self._without_absent(plan, checks)
            found = [note for cell in plan.cells for note in checks.get(cell.name, {}).get("notes", ())]
            plan = replace(plan, notes=tuple(dict.fromkeys([*plan.notes, *found])))
        jobs = self._jobs(plan)
        # Under the sequential rule later seeds are entered when they are needed.
        first = plan.study.seeds[:FIRST_SEEDS] if plan.study.sequential else plan.study.seeds
        runs = [job.run for job in jobs if job.run.seed in first]
        if settings.dry_run:
            return replace(grow(folder, old, plan, runs, reference, event), checks=checks), jobs
        with folder.editing():
            now = folder.record()
            record = grow(folder, now, plan, runs, reference, event)
            record = replace(record, checks={**record.checks, **checks}, report=settings.report)
            if record != now:
                folder.write_record(record)
        return record, jobs

    def _plan(self, old: StudyRecord | None, drop: Sequence[str] = ()) -> Plan:
        settings = self.settings
        study = Study(
            name=self.folder.name,
            design=settings.design or ("factorial" if self.asked.swept else "leave_one_out"),
            seeds=self.asked.seeds or settings.seed_list(),
            metric=settings.metric or (old.plan.study.metric if old else UNNAMED),
            direction=settings.direction,
            margin=settings.margin,
            failures=settings.failures,
            resolution=settings.resolution,
            cells=settings.cells,
            sequential=settings.seeds == AUTO and not self.asked.seeds,
        )
        void = self._void_children()
        factors = [
            replace(factor, label=settings.words.get(factor.name, factor.label))
            for factor in self.asked.factors
            if factor.name not in (*drop, *void)
        ]
        notes = [f"{name} means nothing with {why} and is left out." for name, why in void.items()]
        notes += [f"Not in this model and left out: {', '.join(drop)}."] if drop else []
        plan = make_plan(study, factors, settings.constraints(), self.asked.layout)
        return replace(plan, notes=(*self.asked.notes, *notes, *plan.notes))

    def _void_children(self) -> dict[str, str]:
        """Declared factors that are void because a parent is held fixed at a level without them; and that parent."""
        if self.asked.swept:
            return {}
        varied = {factor.name for factor in self.asked.factors}
        values = flatten(self.composer.configuration(()))
        return {
            rule.child: f"{rule.parent}={level_label(values[rule.parent])}"
            for rule in self.settings.constraints()
            if isinstance(rule, Requires) and rule.child in varied and rule.parent not in varied
            if rule.parent in values and level_label(values[rule.parent]) not in rule.levels
        }

    def _compose(self, plan: Plan) -> Configurations:
        """The whole configuration of every cell with one and the same seed, by the cell's name."""
        check: Callable[..., list[str]] | None = function_named(self.settings.check) if self.settings.check else None
        made: Configurations = {}
        twins: dict[str, str] = {}
        faults: list[str] = []
        key = self.settings.seed_key
        if key not in flatten(self.composer.configuration(())):
            likely = [name for name in flatten(self.composer.configuration(())) if _SEED_WORDS.search(name)]
            words = f" This looks like one: {' or '.join(likely[:3])}." if likely else ""
            raise DesignError(
                f"The configuration has no key '{key}' for the seed. "
                f"Name the right one with hydra.sweeper.seed_key=..., and let the task read its seed there.{words}"
            )
        for cell in plan.cells:
            try:
                # Any seed will do, as long as it is always the same: values may be interpolated from it.
                lines = (*self.composer.overrides(cell, plan.factors), f"{key}=0")
                made[cell.name] = self.composer.configuration(lines)
            except ConfigError as error:
                faults.append(str(error))
                continue
            twin = twins.setdefault(run_id(without(made[cell.name], self.settings.ignore)), cell.label)
            if twin != cell.label:
                faults.append(f"'{cell.label}' and '{twin}' resolve to the same configuration.")
            if check is not None:
                faults += check(made[cell.name], explicit=not cell.void)
        if faults:
            raise DesignError("\n".join(dict.fromkeys(faults)))
        return made

    def _look(
        self, preflight: str, plan: Plan, configurations: Configurations, pool: WorkerPool | None
    ) -> dict[str, Mapping[str, Any]]:
        """What the preflight function finds out about every cell; a fault that concerns the plan is raised."""
        if pool is not None:
            pool.start()
        with meanwhile(lambda: import_ahead(["ablate.analysis"])):  # the plan is told with what its seeds can show
            found = look(preflight, list(configurations.values()), self.folder.path, pool)
        findings: dict[str, Mapping[str, Any]] = dict(zip(configurations, found, strict=True))
        first = findings[plan.cells[0].name].get("error")
        if first:
            raise ConfigError(str(first))  # a fault of the reference is a fault of every cell: once is enough
        kept = self._without_absent(plan, findings)
        faults = [f"{cell.label}: {error}" for cell in kept.cells if (error := findings[cell.name].get("error"))]
        if faults:
            raise ConfigError("\n".join(faults))
        return {name: finding for name, finding in findings.items() if not finding.get("error")}

    def _without_absent(self, plan: Plan, findings: Findings) -> Plan:
        """The plan without the declared factors that the reference has no use for; swept ones stay and are a fault."""
        absent = findings.get(plan.cells[0].name, {}).get("absent", ())
        drop = [factor.name for factor in plan.factors if factor.name in absent]
        if not drop or self.asked.swept:
            return plan
        if len(drop) == len(plan.factors):
            raise DesignError(f"Nothing to compare: the model has none of {', '.join(drop)}.")
        return self._plan(self.folder.record(), drop)

    def _jobs(self, plan: Plan) -> list[Job]:
        jobs = []
        for cell in plan.cells:
            lines = self.composer.overrides(cell, plan.factors)
            for seed in plan.study.seeds:
                own_lines = (*lines, f"{self.settings.seed_key}={seed}")
                run = PlannedRun(run_id(self.composer.identity(own_lines)), cell.name, seed)
                own = (*self.asked.fixed, *own_lines, f"hydra.sweep.subdir='{run.folder}'")
                jobs.append(Job(run, own))
        return jobs
