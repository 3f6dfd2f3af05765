"""A study of a plain Python function, without Hydra's command line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import DesignError
from ablate.report import LivePage, collect
from ablate.store import FINISHED, PlannedRun, RunFolder, StudyFolder, write_json
from ablate.study import Cell, Factor, Layout, Level, Plan, Study, level_label, make_plan
from ablate.sweep.console import say
from ablate.sweep.engine import Job, run_jobs
from ablate.sweep.growth import UNNAMED, check_name, default_name, grow, name_metric, study_event
from ablate.sweep.identity import run_id
from ablate.sweep.pool import Call, WorkerPool
from ablate.sweep.progress import Progress
from ablate.sweep.recorder import record
from ablate.sweep.rounds import carry_out_rounds
from ablate.sweep.settings import AUTO, FIRST_SEEDS, Settings

if TYPE_CHECKING:
    from ablate.analysis import Summary

__all__ = ["run"]


def run(
    train: Callable[[dict[str, Any]], Any],
    factors: Mapping[str, Sequence[Any]],
    *,
    config: Mapping[str, Any] | None = None,
    seeds: int | Sequence[int] | str = 3,
    name: str | None = None,
    outputs: str | Path = "outputs",
    workers: int = 1,
    **settings: Any,
) -> Summary:
    """Carry out a study of a function.

    It resumes, grows and records failures as a study of the command line does: the same call again trains nothing.

    Args:
        train: Called once a run with a dict of ``config``, the cell's levels and ``seed``; returns a number, or a dict
            of numbers.
        factors: The levels of each factor by name. The reference is the level that ``config`` has, else the first.
        config: Further values for every run. All must be plain: they are part of a run's identity.
        seeds: How many seeds (0, 1, 2, ...), their list, or ``"auto"`` for one at a time until a verdict stands.
        name: Name of the study and its folder; None to name it after the factors.
        outputs: Where study folders live.
        workers: How many runs at a time; with more than one each runs in a worker process.
        **settings: ``design``, ``metric``, ``direction``, ``margin``, ``failures``, ``resolution``, ``cells``,
            ``requires``, ``forbidden``, ``retry_failed``, ``keep_going`` as on the command line; ``figures`` and
            ``width`` of the figures as there in ``report``.
            ``confirms``, the folder of a study of the same function and factors: train instead what that study found
            dispensable, taken away together, on fresh seeds whose number follows from the power; what comes of it is
            in that folder's ``confirmation.json``.

    Returns:
        The summary, with effects and verdicts; the study's folder holds tables and figures.

    Raises:
        AblateError: If the arguments make no study.

    Example:
        >>> def train(config):
        ...     return 0.9 + 0.05 * config["residual"] + 0.001 * config["seed"] ** 2 * config["residual"]
        >>> folder = getfixture("tmp_path")
        >>> summary = run(train, {"residual": [True, False]}, name="demo", outputs=folder)  # doctest: +ELLIPSIS
        [1/6] full, seed 0: ...
        >>> summary.effects["verdict"].tolist()
        ['helps']
    """
    base = dict(config or {})
    plain_seeds = seeds if isinstance(seeds, int | str) else list(seeds)
    asked = Settings.from_config({"name": name, "seeds": plain_seeds, **settings})
    varied = [_factor(key, list(levels), base) for key, levels in factors.items()]
    folder = StudyFolder(Path(outputs) / (check_name(name) if name is not None else default_name(list(factors))))
    old = folder.record()
    study = Study(
        name=folder.name,
        design=asked.design or "factorial",
        seeds=asked.seed_list(),
        metric=asked.metric or (old.plan.study.metric if old else UNNAMED),
        direction=asked.direction,
        margin=asked.margin,
        failures=asked.failures,
        resolution=asked.resolution,
        cells=asked.cells,
        sequential=asked.seeds == AUTO,
    )
    intent = None
    if asked.confirms is not None:
        from ablate.sweep import confirm as closing

        intent = closing.intent(StudyFolder(Path(asked.confirms)))
        folder = intent.folder
        study = replace(study, name=folder.name, design=closing.DESIGN, seeds=intent.seeds, sequential=False)
    layout = None if intent is None else Layout((dict(intent.levels),))
    plan = make_plan(study, varied, asked.constraints(), layout)
    values = {key: {level_label(level): level for level in levels} for key, levels in factors.items()}
    work = {
        PlannedRun(run_id(own), cell.name, seed): own
        for cell in plan.cells
        for seed in study.seeds
        for own in [_configuration(base, cell, values, seed)]
    }
    if intent is not None:
        closing.refuse_other(StudyFolder(Path(str(asked.confirms))), _plain(_reference(base, varied, values)))
    with folder.editing():
        reference = _reference(base, varied, values)
        old = folder.record()
        event = study_event(folder, old, plan, ["ablate.run"])
        first = study.seeds[:FIRST_SEEDS] if study.sequential else study.seeds
        runs = [planned for planned in work if planned.seed in first]
        record = grow(folder, old, plan, runs, _plain(reference), event)
        folder.write_record(replace(record, report=asked.report))
    jobs = [Job(planned, ()) for planned in work]
    halt = None if asked.keep_going else folder.halt.absolute()
    carry_out = functools.partial(_carry_out, _Task(train, study.metric, halt), folder, plan, work, workers, asked)
    if study.sequential:
        carry_out_rounds(folder, jobs, carry_out, workers)
    else:
        carry_out(jobs)
    name_metric(folder)
    summary = collect(folder)
    if asked.confirms is not None:
        say(str(closing.write_confirmation(StudyFolder(Path(asked.confirms)), folder)["text"]))
    return summary


@dataclass(frozen=True)
class _Task:
    """What a worker calls."""

    train: Callable[[dict[str, Any]], Any]
    metric: str
    halt: Path | None

    def __call__(self, configuration: dict[str, Any], path: str) -> None:
        folder = RunFolder(Path(path))
        write_json(folder.path / "config.json", _plain(configuration))
        record(lambda: self.train(dict(configuration)), folder, self.metric, halt=self.halt)


def _carry_out(
    task: _Task,
    folder: StudyFolder,
    plan: Plan,
    work: Mapping[PlannedRun, dict[str, Any]],
    workers: int,
    settings: Settings,
    jobs: Sequence[Job],
) -> None:
    def launch(batch: Sequence[Job]) -> BaseException | None:
        calls = [
            Call(job.run, (work[job.run], str((folder.path / job.run.folder).absolute())), job.run.cell)
            for job in batch
        ]
        trouble: BaseException | None = None
        if workers > 1:
            with WorkerPool(workers) as pool:
                for outcome in pool.run(task, calls):
                    trouble = trouble or outcome.error
            return trouble
        for call in calls:
            try:
                task(*call.arguments)
            except Exception as error:
                trouble = trouble or error
        return trouble

    labels = {cell.name: cell.label for cell in plan.cells}
    todo = [job.run for job in jobs if folder.run(job.run).status().state != FINISHED]
    with Progress(folder, todo, labels, plan.study.metric), LivePage(folder, todo):
        run_jobs(
            folder,
            jobs,
            launch,
            retry_failed=settings.retry_failed,
            keep_going=settings.keep_going,
            together=workers > 1,
        )


def _factor(name: str, levels: list[Any], base: Mapping[str, Any]) -> Factor:
    if not levels:
        raise DesignError(f"Factor '{name}' has no levels.")
    reference = level_label(base.get(name, levels[0]))
    labels = [level_label(level) for level in levels]
    if reference not in labels:
        raise DesignError(f"config has {name}={reference}, which is none of the levels {', '.join(labels)}.")
    return Factor(name, tuple(Level(label) for label in labels), reference)


def _configuration(
    base: Mapping[str, Any], cell: Cell, values: Mapping[str, Mapping[str, Any]], seed: int
) -> dict[str, Any]:
    levels = {name: values[name][label] for name, label in cell.levels.items()}
    return {**base, **levels, "seed": seed}


def _reference(
    base: Mapping[str, Any], varied: Sequence[Factor], values: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    return {**base, **{factor.name: values[factor.name][factor.reference] for factor in varied}}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str | int | float | None) else str(value) for key, value in values.items()}
