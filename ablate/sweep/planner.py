"""From the study that a command line describes to a checked plan in its folder, and the jobs that carry it out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablate.errors import ConfigError, DesignError
from ablate.objects import load_object
from ablate.store import PlannedRun, StudyFolder
from ablate.store.records import StudyRecord
from ablate.study import Plan, Requires, level_label, make_plan
from ablate.study.metric import direction_of
from ablate.study.settings import StudySettings
from ablate.sweep.composer import Composer
from ablate.sweep.confirm import check_same_configuration
from ablate.sweep.engine import Job
from ablate.sweep.guide import seed_candidates
from ablate.sweep.identity import drop_keys, flatten, run_id
from ablate.sweep.inspection import in_background, run_preflight
from ablate.sweep.own_section import section_of
from ablate.sweep.pool import WorkerPool
from ablate.sweep.same_study import Spelling, check_same_study
from ablate.sweep.study_record import UNNAMED_METRIC, enter_study, known_direction
from ablate.sweep.study_request import StudyRequest
from ablate.sweep.worker import import_modules

_REPLICATE = "number of the replicate"
"""Beside the configuration in the identity of a run that has no seed; no key of a configuration is called that."""

_REPLICATES = (
    "The task has no seed, so the runs of a cell are replicates, numbered where seeds are named. Nothing pairs them, "
    "so cells are compared by Welch's test, which finds less than pairs would."
)

Configurations = dict[str, dict[str, Any]]
Findings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Planner:
    """Plans one command.

    Args:
        settings: The study's settings.
        request: What the command line describes.
        folder: The study's folder.
        composer: Composes configurations.
        task: Where the task comes from, so that a run can be run again.
        first_seed: The first seed, where only their number is given.
    """

    settings: StudySettings
    request: StudyRequest
    folder: StudyFolder
    composer: Composer
    task: Mapping[str, str]
    first_seed: int = 0

    def prepare(self, pool: WorkerPool | None) -> tuple[StudyRecord, list[Job]]:
        """Check everything that can be checked, and enter the study in its folder.

        A dry run checks what needs no building of networks, and writes nothing.

        Args:
            pool: Workers for the check of all cells before the first run, or None to start one.

        Returns:
            What the folder holds after that, and the jobs of this command, done or not.

        Raises:
            AblateError: If the command makes no study, or not one that the folder can take in.
        """
        settings, folder = self.settings, self.folder
        old = folder.record()
        self._check_metric()
        plan = self._plan(old.plan.study.metric if old else UNNAMED_METRIC, direction=known_direction(old))
        plan = plan.with_names_of(old.plan) if old else plan
        configurations = self._compose(plan)
        volatile = ", ".join(self.composer.volatile_keys)
        if volatile:
            note = f"Another value each time, and so left out of what makes runs the same: {volatile}."
            plan = replace(plan, notes=(*plan.notes, note))
        reference = drop_keys(configurations[plan.cells[0].name], [settings.seed_key or "", *(settings.ignore or ())])
        if settings.confirms is not None:
            check_same_configuration(StudyFolder(Path(settings.confirms)), reference)
        check_same_study(folder, old, plan, reference, self._spelling)  # before anything that takes time
        checks = dict(old.checks) if old else {}
        if settings.preflight is not None:
            if not configurations.keys() <= checks.keys() and not settings.dry_run:
                checks |= self._check_cells(settings.preflight, plan, configurations, pool)
            plan = self._without_absent(plan, checks)
            notes = [note for cell in plan.cells for note in checks.get(cell.name, {}).get("notes", ())]
            plan = replace(plan, notes=tuple(dict.fromkeys([*plan.notes, *notes])))
        jobs = self._jobs(plan)
        record = enter_study(
            folder,
            plan,
            [job.run for job in jobs],
            reference,
            command=sys.argv[1:],
            settings=settings,
            checks=checks,
            task=self.task,
            write=not settings.dry_run,
            spelling=self._spelling,
        )
        return record, jobs

    @property
    def _spelling(self) -> Spelling:
        typed = self.request.config.hydra.overrides.hydra
        by_path = any(line.startswith("hydra.sweep.dir=") for line in typed)
        return Spelling(section_of(self.request.config), self.request.fixed, by_path)

    def _check_metric(self) -> None:
        """Raise what the application finds wrong with a metric that says no direction: it may be a misspelt one."""
        settings = self.settings
        if settings.check is None or settings.metric is None or direction_of(settings.metric) is not None:
            return
        faults = load_object(settings.check, "study.check")(self.composer.configuration(()))
        if faults := [fault for fault in faults if settings.metric in fault]:
            raise DesignError("\n".join(faults))

    def _plan(self, metric: str, absent: Sequence[str] = (), direction: str | None = None) -> Plan:
        """The plan without the factors that are void or absent.

        ``metric`` and ``direction`` hold where the study declares none.
        """
        settings = self.settings
        design = "factorial" if self.request.swept else "leave_one_out"
        study = settings.study(self.folder.name, design, metric, self.request.seeds, direction, self.first_seed)
        void = self._void_children()
        factors = [
            replace(factor, label=(settings.labels or {}).get(factor.name, factor.label))
            for factor in self.request.factors
            if factor.name not in (*absent, *void)
        ]
        notes = [f"{name} means nothing with {why} and is left out." for name, why in void.items()]
        notes += [_REPLICATES] if settings.seed_key is None else []
        notes += [f"Left out, since this model has nothing of it to remove: {', '.join(absent)}."] if absent else []
        plan = make_plan(study, factors, settings.constraints(), self.request.layout)
        return replace(plan, notes=(*self.request.notes, *notes, *plan.notes))

    def _void_children(self) -> dict[str, str]:
        """Declared factors that are void because the key they require is fixed at an unfit level; and that level."""
        if self.request.swept:
            return {}
        varied = {factor.name for factor in self.request.factors}
        values = flatten(self.composer.configuration(()))
        return {
            rule.child: f"{rule.parent}={level_label(values[rule.parent])}"
            for rule in self.settings.constraints()
            if isinstance(rule, Requires) and rule.child in varied and rule.parent not in varied
            if rule.parent in values and level_label(values[rule.parent]) not in rule.levels
        }

    def _compose(self, plan: Plan) -> Configurations:
        """The whole configuration of every cell by the cell's name, all with seed 0.

        Cells that resolve to one configuration are a fault, and whatever the function ``study.check`` objects to.
        """
        check = load_object(self.settings.check, "study.check") if self.settings.check else None
        configurations: Configurations = {}
        labels: dict[str, str] = {}
        faults: list[str] = []
        seed_key = self.settings.seed_key
        known = flatten(self.composer.configuration(()))
        if seed_key is not None and seed_key not in known:
            likely = seed_candidates(known)
            hint = f" This looks like one: {' or '.join(likely[:3])}." if likely else ""
            raise DesignError(
                f"The configuration has no key '{seed_key}' for the seed. "
                f"Name the right one with hydra.sweeper.seed_key=..., and let the task read its seed there.{hint} "
                f"+{seed_key}=0 adds the key; hydra.sweeper.seed_key=null says that the task has no seed, so that the "
                "runs of a cell are replicates."
            )
        for cell in plan.cells:
            try:
                # The same seed for all cells: values may be interpolated from it.
                lines = (*self.composer.overrides(cell, plan.factors), *self._seed_lines(0))
                configurations[cell.name] = self.composer.configuration(lines)
            except ConfigError as error:
                faults.append(str(error))
                continue
            first_label = labels.setdefault(self._run_id(configurations[cell.name]), cell.label)
            if first_label != cell.label:
                faults.append(f"'{cell.label}' and '{first_label}' resolve to the same configuration.")
            if check is not None:
                faults += check(configurations[cell.name], explicit=not cell.void)
        if faults:
            raise DesignError("\n".join(dict.fromkeys(faults)))
        return configurations

    def _check_cells(
        self, preflight: str, plan: Plan, configurations: Configurations, pool: WorkerPool | None
    ) -> Findings:
        """What the preflight function finds out about every cell; a fault that concerns the plan is raised."""
        # Printing the plan needs the analysis, whose import can overlap with the preflight.
        with in_background(lambda: import_modules(["ablate.analysis"])):
            results = run_preflight(preflight, list(configurations.values()), self.folder.path, pool)
        findings: Findings = dict(zip(configurations, results, strict=True))
        blocks = {factor.name for factor in plan.factors if factor.block}
        # A fault of the reference is a fault of every cell of its block: once is enough.
        references = [cell for cell in plan.cells if blocks.issuperset(cell.changed)]
        failed = [(cell, error) for cell in references if (error := findings[cell.name].get("error"))]
        if failed:
            lead = {cell.name: ", ".join(f"{name}={cell.levels[name]}" for name in blocks) for cell, _ in failed}
            texts = [f"{lead[cell.name]}: {error}" if blocks else str(error) for cell, error in failed]
            raise ConfigError("\n".join(dict.fromkeys(texts)))
        present = self._without_absent(plan, findings)
        faults = [f"{cell.label}: {error}" for cell in present.cells if (error := findings[cell.name].get("error"))]
        if faults:
            raise ConfigError("\n".join(faults))
        return {name: finding for name, finding in findings.items() if not finding.get("error")}

    def _without_absent(self, plan: Plan, findings: Findings) -> Plan:
        """The plan without the declared factors that the reference has no use for; swept ones stay and are a fault."""
        names = findings.get(plan.cells[0].name, {}).get("absent", ())
        absent = [factor.name for factor in plan.factors if factor.name in names]
        if not absent or self.request.swept:
            return plan
        if len(absent) == len(plan.factors):
            raise DesignError(f"Nothing to compare: the model has nothing to remove of {', '.join(absent)}.")
        return self._plan(plan.study.metric, absent, plan.study.direction).with_names_of(plan)

    def _run_id(self, configuration: Mapping[str, Any]) -> str:
        return run_id(drop_keys(configuration, self.settings.ignore or ()))

    def _seed_lines(self, seed: int) -> tuple[str, ...]:
        return () if self.settings.seed_key is None else (f"{self.settings.seed_key}={seed}",)

    def _jobs(self, plan: Plan) -> list[Job]:
        jobs = []
        for cell in plan.cells:
            lines = self.composer.overrides(cell, plan.factors)
            for seed in plan.study.seeds:
                overrides = (*lines, *self._seed_lines(seed))
                values = self.composer.configuration(overrides)
                if self.settings.seed_key is None:
                    values = {**values, _REPLICATE: seed}
                run = PlannedRun(self._run_id(values), cell.name, seed)
                jobs.append(Job(run, (*self.request.fixed, *overrides, f"hydra.sweep.subdir='{run.folder}'")))
        return jobs
