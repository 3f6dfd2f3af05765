"""A study of a Python function, without Hydra's command line: :func:`ablate.run`."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import DesignError, suggestion
from ablate.store import PlannedRun, RunFolder, StudyFolder, write_text
from ablate.study import Factor, Level, level_label, make_plan
from ablate.study.design import CONFIRMATION
from ablate.study.limits import MOST_LEVELS, MOST_RUNS, check_size
from ablate.study.settings import RUN_SETTINGS, StudySettings
from ablate.sweep.calls import Call, Outcome
from ablate.sweep.confirm import check_same_configuration, plan_confirmation, write_confirmation
from ablate.sweep.console import say
from ablate.sweep.earlier_runs import earlier_runs, prepare_earlier_runs
from ablate.sweep.engine import Job, run_statuses
from ablate.sweep.events import Observer
from ablate.sweep.execution import Execution, read_settings
from ablate.sweep.identity import run_id
from ablate.sweep.pool import WorkerPool
from ablate.sweep.process_state import prepare_streams
from ablate.sweep.recorder import record
from ablate.sweep.same_study import Spelling, check_same_study
from ablate.sweep.source_code import SourceCode, source_code
from ablate.sweep.study_names import check_name, default_name
from ablate.sweep.study_record import UNNAMED_METRIC, enter_study, known_direction

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
    prepare_streams()
    options = _read_options(settings, factors)
    fixed = dict(config or {})
    for name, levels in factors.items():
        check_size(len(levels), MOST_LEVELS, f"levels of {name}", "List those that matter.")
    study_factors = [_factor(name, list(levels), fixed, options) for name, levels in factors.items()]
    by_label = {name: {level_label(level): level for level in levels} for name, levels in factors.items()}
    reference = _json_values({**fixed, **{item.name: by_label[item.name][item.reference] for item in study_factors}})
    folder = StudyFolder(Path(outputs) / (check_name(options.name) if options.name else default_name(list(factors))))
    layout = None
    confirmed = StudyFolder(Path(options.confirms)) if options.confirms is not None else None
    if confirmed is not None:
        confirmation = plan_confirmation(confirmed)
        check_same_configuration(confirmed, reference)
        folder, layout = confirmation.folder, confirmation.layout
        declared = confirmed.existing_record().plan.study
        options = replace(
            options,
            design=CONFIRMATION,
            seeds=confirmation.seeds,
            metric=declared.metric,
            margin=declared.margin,
            direction=declared.direction,
        )
    old = folder.record()
    study = options.study(
        folder.name,
        "factorial",
        old.plan.study.metric if old else UNNAMED_METRIC,
        direction=known_direction(old),
    )
    plan = make_plan(study, study_factors, options.constraints(), layout)
    plan = plan.with_names_of(old.plan) if old else plan
    spelling = Spelling(section="")
    check_same_study(folder, old, plan, reference, spelling)  # before the folder is made
    configurations: dict[PlannedRun, dict[str, Any]] = {}
    for cell in plan.cells:
        cell_values = {name: by_label[name][label] for name, label in cell.levels.items()}
        for seed in study.seeds:
            configuration = {**fixed, **cell_values, "seed": seed}
            configurations[PlannedRun(run_id(configuration), cell.name, seed)] = configuration
    entered = enter_study(
        folder, plan, configurations, reference, command=["ablate.run"], settings=options, spelling=spelling
    )
    halt = None if options.keep_going else folder.halt.absolute()
    source = source_code(train)
    task = functools.partial(_record_run, train, study.metric, halt, source)
    jobs = [Job(planned, ()) for planned in configurations]
    statuses = run_statuses(folder, [planned for planned in entered.runs if planned in configurations])
    prepare_earlier_runs(folder, entered, statuses, earlier_runs(folder, statuses, source), options, "")
    with WorkerPool(workers) if workers > 1 else nullcontext() as pool:

        def launch(jobs: Sequence[Job]) -> BaseException | None:
            calls = [
                Call(job.run, (configurations[job.run], (folder.path / job.run.folder).absolute()), job.run.cell)
                for job in jobs
            ]
            outcomes = list(_call_here(task, calls) if pool is None else pool.run(task, calls))
            return next((outcome.error for outcome in outcomes if outcome.error is not None), None)

        execution = Execution(folder, entered.plan, options, jobs, launch, pool, observers)
        execution.train()
    summary = execution.collect()
    if confirmed is not None:
        say(str(write_confirmation(confirmed, folder)["text"]))
    return summary


def _read_options(values: Mapping[str, Any], factors: Mapping[str, Any]) -> StudySettings:
    """The settings that were passed; those that name factors must name factors of the call."""
    unknown = [key for key in values if key not in RUN_SETTINGS]
    if unknown:
        raise DesignError(
            "\n".join(f"ablate.run has no argument '{key}'.{suggestion(key, RUN_SETTINGS)}" for key in unknown)
        )
    if isinstance(seeds := values.get("seeds"), Sized) and not isinstance(seeds, str):
        check_size(len(seeds), MOST_RUNS, "seeds", "List fewer.")
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


def _record_run(
    train: Train, metric: str, halt: Path | None, source: SourceCode, configuration: dict[str, Any], path: Path
) -> None:
    """Carry out and record one run of the function, in this process or in a worker."""
    write_text(path / "config.json", json.dumps(_json_values(configuration), indent=1, ensure_ascii=False) + "\n")
    record(lambda: train(dict(configuration)), RunFolder(path), metric, halt=halt, source=source)


def _call_here(function: Callable[..., None], calls: Sequence[Call]) -> Iterator[Outcome]:
    """Call a function in this process; yields the outcomes of the calls that raised, and of no others."""
    for call in calls:
        try:
            function(*call.arguments)
        except Exception as error:
            yield Outcome(call.key, error=error)


def _factor(name: str, levels: list[Any], fixed: Mapping[str, Any], settings: StudySettings) -> Factor:
    if not levels:
        raise DesignError(f"Factor '{name}' has no levels.")
    reference = level_label(fixed.get(name, levels[0]))
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


def _json_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str | int | float | None) else str(value) for key, value in values.items()}


def _with_settings(function: Callable[..., Summary]) -> None:
    """Show each setting in the signature of a function, and in its docstring in place of the word ``SETTINGS``."""
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
