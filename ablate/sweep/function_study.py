"""A study of a Python function, without Hydra's command line: :func:`ablate.run`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import DesignError, suggestion
from ablate.store import PlannedRun, RunFolder, StudyFolder, write_json
from ablate.study import Cell, Factor, Layout, Level, level_label, make_plan
from ablate.study.settings import RUN_SETTINGS, StudySettings
from ablate.sweep.confirm import DESIGN, check_same_configuration, plan_confirmation, write_confirmation
from ablate.sweep.console import say
from ablate.sweep.engine import Job
from ablate.sweep.events import Observer
from ablate.sweep.execution import Execution, read_settings
from ablate.sweep.identity import run_id
from ablate.sweep.pool import Call, WorkerPool
from ablate.sweep.recorder import record
from ablate.sweep.study_record import UNNAMED_METRIC, check_name, default_name, enter_study

if TYPE_CHECKING:
    from ablate.analysis import Summary

Train = Callable[[dict[str, Any]], Any]


def run(
    train: Train,
    factors: Mapping[str, Sequence[Any]],
    *,
    config: Mapping[str, Any] | None = None,
    outputs: str | Path = "outputs",
    workers: int = 1,
    observers: Sequence[Observer] = (),
    **settings: Any,
) -> Summary:
    """Carry out a study of a function.

    It resumes, grows and records failures as a study of the command line does: the same call again trains nothing.

    Args:
        train: Called once a run with a dict of ``config``, the cell's levels and ``seed``; returns a number, or a dict
            of numbers.
        factors: The levels of each factor by name. The reference is the level that ``config`` has, else the first.
        config: Further values for every run. All must be plain: they are part of a run's identity.
        outputs: Where study folders live.
        workers: How many runs at a time; with more than one each runs in a worker process.
        observers: Who is notified of what happens, such as trackers; see :class:`ablate.sweep.events.Observer`.
        **settings: The settings of the study, as on the command line:

            SETTINGS

    Returns:
        The summary, with effects and verdicts; the study's folder holds tables and figures. With ``confirms`` it is
        that of the confirmation, whose outcome is also in the ``confirmation.json`` of the study that it confirms.

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
    asked = _settings(settings, factors)
    base = dict(config or {})
    varied = [_factor(name, list(levels), base, asked) for name, levels in factors.items()]
    values = {name: {level_label(level): level for level in levels} for name, levels in factors.items()}
    reference = _plain({**base, **{factor.name: values[factor.name][factor.reference] for factor in varied}})
    folder = StudyFolder(Path(outputs) / (check_name(asked.name) if asked.name else default_name(list(factors))))
    layout = None
    confirmed = StudyFolder(Path(asked.confirms)) if asked.confirms is not None else None
    if confirmed is not None:
        confirmation = plan_confirmation(confirmed)
        check_same_configuration(confirmed, reference)
        folder, layout = confirmation.folder, Layout((dict(confirmation.levels),))
        asked = replace(asked, design=DESIGN, seeds=confirmation.seeds)
    old = folder.record()
    study = asked.study(folder.name, "factorial", old.plan.study.metric if old else UNNAMED_METRIC)
    plan = make_plan(study, varied, asked.constraints(), layout)
    work = {
        PlannedRun(run_id(configuration), cell.name, seed): configuration
        for cell in plan.cells
        for seed in study.seeds
        for configuration in [_configuration(base, cell, values, seed)]
    }
    entered = enter_study(folder, plan, work, reference, command=["ablate.run"], report=asked.report)
    task = _Task(train, study.metric, None if asked.keep_going else folder.halt.absolute())
    pool = WorkerPool(workers) if workers > 1 else None

    def launch(jobs: Sequence[Job]) -> BaseException | None:
        return _launch(task, folder, {job.run: work[job.run] for job in jobs}, pool)

    jobs = [Job(planned, ()) for planned in work]
    execution = Execution(folder, entered.plan, asked, jobs, launch, pool, observers)
    try:
        execution.train()
    finally:
        if pool is not None:
            pool.close()
    summary = execution.collect()
    if confirmed is not None:
        say(str(write_confirmation(confirmed, folder)["text"]))
    return summary


def _settings(values: Mapping[str, Any], factors: Mapping[str, Any]) -> StudySettings:
    """The settings that were passed; those that name factors must name factors of the call."""
    unknown = [key for key in values if key not in RUN_SETTINGS]
    if unknown:
        raise DesignError(
            "\n".join(
                f"ablate.run has no argument '{key}'."
                + (suggestion(key, RUN_SETTINGS) or f" Arguments: {', '.join(sorted(RUN_SETTINGS))}.")
                for key in unknown
            )
        )
    plain = {key: list(value) if isinstance(value, range | set | frozenset) else value for key, value in values.items()}
    settings = read_settings(plain, section="")
    faults = [
        f"{key} names '{name}', which is no factor. Factors: {', '.join(factors)}.{suggestion(name, factors)}"
        for key, names in (("blocks", settings.blocks), ("labels", settings.labels))
        for name in names or ()
        if name not in factors
    ]
    if faults:
        raise DesignError("\n".join(faults))
    return settings


@dataclass(frozen=True)
class _Task:
    """One run of the function, in the process of the command or in a worker."""

    train: Train
    metric: str
    halt: Path | None

    def __call__(self, configuration: dict[str, Any], path: str) -> None:
        folder = RunFolder(Path(path))
        write_json(folder.path / "config.json", _plain(configuration))
        record(lambda: self.train(dict(configuration)), folder, self.metric, halt=self.halt)


def _launch(
    task: _Task, folder: StudyFolder, work: Mapping[PlannedRun, dict[str, Any]], pool: WorkerPool | None
) -> BaseException | None:
    calls = [
        Call(run, (configuration, str((folder.path / run.folder).absolute())), run.cell)
        for run, configuration in work.items()
    ]
    errors: list[BaseException] = []
    if pool is not None:
        errors += [outcome.error for outcome in pool.run(task, calls) if outcome.error is not None]
        return errors[0] if errors else None
    for call in calls:
        try:
            task(*call.arguments)
        except Exception as error:
            errors.append(error)
    return errors[0] if errors else None


def _factor(name: str, levels: list[Any], base: Mapping[str, Any], settings: StudySettings) -> Factor:
    if not levels:
        raise DesignError(f"Factor '{name}' has no levels.")
    reference = level_label(base.get(name, levels[0]))
    labels = [level_label(level) for level in levels]
    if reference not in labels:
        raise DesignError(f"config has {name}={reference}, which is none of the levels {', '.join(labels)}.")
    return Factor(
        name,
        tuple(Level(label) for label in labels),
        reference,
        block=name in (settings.blocks or ()),
        label=(settings.labels or {}).get(name, ""),
    )


def _configuration(
    base: Mapping[str, Any], cell: Cell, values: Mapping[str, Mapping[str, Any]], seed: int
) -> dict[str, Any]:
    levels = {name: values[name][label] for name, label in cell.levels.items()}
    return {**base, **levels, "seed": seed}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str | int | float | None) else str(value) for key, value in values.items()}


def _with_settings(function: Callable[..., Summary]) -> None:
    """Show each setting, with its type and default, in the signature and the docstring of a function."""
    signature = inspect.signature(function)
    types = inspect.get_annotations(StudySettings)
    declared = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=setting.default, annotation=types[key])
        for key, setting in RUN_SETTINGS.items()
    ]
    named = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = signature.replace(parameters=[*named, *declared])  # type: ignore[attr-defined]
    lines = [f"``{key}``: {setting.description}" for key, setting in RUN_SETTINGS.items()]
    if function.__doc__:  # python -OO has none
        function.__doc__ = function.__doc__.replace("SETTINGS", "\n            ".join(f"- {line}" for line in lines))


_with_settings(run)
