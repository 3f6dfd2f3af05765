"""Functions of the application that inspect configurations, called in worker processes.

``study.factors_from`` finds factors before there is a plan, ``study.preflight`` builds every cell once before the first
run, ``study.costs`` and ``study.diagrams`` measure and draw the networks after the last one. Each may load a framework
and crash, which the process of the command must not.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from ablate.errors import ConfigError, DesignError, RunError, StoreError
from ablate.formatting import listing
from ablate.objects import load_object
from ablate.store import FINISHED, StudyFolder, make_folder
from ablate.study.settings import StudySettings
from ablate.sweep.calls import Call, Outcome
from ablate.sweep.composer import Composer
from ablate.sweep.config_loader import parse_overrides
from ablate.sweep.console import say
from ablate.sweep.pool import WorkerPool
from ablate.sweep.trust import foreign_overrides
from ablate.sweep.worker import redirect_output

_MAX_DESCRIBED = 32
"""Cells whose networks are measured and drawn, at most."""
_LOG = "networks.log"


def discover_factors(
    arguments: Sequence[str], config: DictConfig, loader: ConfigLoader, settings: StudySettings
) -> Mapping[str, Any]:
    """What the function ``settings.factors_from`` finds in the reference configuration.

    Args:
        arguments: Overrides as typed, without those of ``hydra``.
        config: The configuration composed without the sweeps: the reference.
        loader: Hydra's loader.
        settings: The study's settings.

    Raises:
        DesignError: If the command sweeps factors too.
        ConfigError: If the function fails.
    """
    function = str(settings.factors_from)
    keys = [one.key_or_group for one in parse_overrides(arguments, loader) if one.is_sweep_override()]
    if swept := [key for key in keys if key != settings.seed_key]:
        raise DesignError(f"The factors come from {function}: {', '.join(swept)} cannot be swept as well.")
    reference = Composer(loader, config, (), Path()).configuration(())
    try:
        factors: Mapping[str, Any] = call_in_worker(function, (reference,), Path(os.devnull), None)
    except RunError as error:
        raise ConfigError(str(error)) from error
    return factors


def run_preflight(
    preflight: str, configurations: Sequence[Mapping[str, Any]], folder: Path, pool: WorkerPool | None
) -> list[dict[str, Any]]:
    """What a preflight function finds out about configurations.

    Args:
        preflight: Dotted path of a function from a list of plain configurations to a list of findings, a dict each:
            ``error`` (a message or None), ``absent`` (names of factors that the configuration has no use for) and
            whatever else is worth recording.
        configurations: One a cell.
        folder: Where what the function prints goes (``preflight.log``).
        pool: Workers to use, or None to start one.

    Raises:
        RunError: If the process died or the function raised.
    """
    log = folder / "preflight.log"
    try:
        findings: list[dict[str, Any]] = call_in_worker(preflight, (list(configurations),), log, pool)
    except RunError as error:
        raise RunError(f"The check before the first run failed: {error}\nWhat it printed: {log}") from error
    return findings


def describe_networks(
    settings: StudySettings,
    folder: StudyFolder,
    composer: Composer,
    pool: WorkerPool | None,
    typed: Collection[str],
    meanwhile: Callable[[], Any],
) -> None:
    """Measure what the networks cost and draw them, as far as that is not done; a failure is only printed.

    Nothing is done where there is no preflight, which is what builds networks in the first place.

    Args:
        settings: The study's settings.
        folder: The study's folder, with its plan.
        composer: Composes configurations.
        pool: Workers to use, or None to start one.
        typed: The overrides that the levels of this command have. Overrides that only ``plan.json`` names are applied
            if they are of an earlier command of this user's; cells that need others are left out.
        meanwhile: What this process does while the workers are busy; not called where there is nothing to find out.
    """
    if settings.preflight is None:
        return
    record = folder.existing_record()
    finished = {run.cell for run in record.runs if folder.run(run).status().state == FINISHED}
    factors = record.plan.factors
    trained = [cell for cell in record.plan.cells if cell.name in finished]
    foreign = set(foreign_overrides(record, typed))
    left_out = (
        [cell for cell in trained if not foreign.isdisjoint(composer.overrides(cell, factors))] if foreign else []
    )
    trained = [cell for cell in trained if cell not in left_out]
    if left_out:
        labels = listing([cell.label for cell in left_out], _MAX_DESCRIBED)
        say(f"Not measured and not drawn, since their overrides came with the study from elsewhere: {labels}.")
    if not trained or not trained[0].is_reference:
        return
    # The reference and single changes first: they are what tables and figures compare.
    cells = sorted(trained, key=lambda cell: len(cell.changed) > 1)[:_MAX_DESCRIBED]
    try:
        measured = folder.cell_costs()
    except StoreError:
        measured = {}  # a damaged file: all are measured again
    costs = settings.costs if any(cell.name not in measured for cell in cells) else None
    drawn = [(folder.diagrams / f"{cell.name}.svg").is_file() for cell in cells]
    diagrams = None if all(drawn) else settings.diagrams
    if costs is None and diagrams is None:
        return
    seed = f"{settings.seed_key}=0"
    configurations = [composer.configuration((*composer.overrides(cell, factors), seed)) for cell in cells]
    tasks: list[tuple[str, tuple[Any, ...]]] = []
    if costs is not None:
        number = f"{len(cells)} of {len(trained)}" if len(cells) < len(trained) else f"{len(cells)}"
        say(f"Measuring what the networks of {number} cells cost.")
        tasks.append((costs, (configurations,)))
    if diagrams is not None:
        # Drawn at the same time as measured, since most of measuring is tracing. The networks are timed in turn, so
        # drawing that goes on meanwhile slows all of them alike.
        tasks.append((diagrams, ([(cell.name, cell.label) for cell in cells], configurations, str(folder.diagrams))))
    log = folder.path / _LOG
    with in_background(meanwhile):
        outcomes = _call_in_workers(tasks, log, pool)
    for (function, _), outcome in zip(tasks, outcomes, strict=True):
        if outcome.error is not None:
            say(f"The networks are not all described: {outcome.error}\nWhat was printed: {log}")
        elif function == costs:
            rows = dict(zip((cell.name for cell in cells), outcome.value, strict=True))
            folder.write_costs(rows)
            for cell in cells:
                if error := rows[cell.name].get("error"):
                    say(f"What {cell.label} costs is not known: {error}")
        else:
            for line in outcome.value:
                say(line)


def call_in_worker(function: str, arguments: Sequence[Any], log: Path, pool: WorkerPool | None) -> Any:
    """What a function returns, called in a process of its own.

    Args:
        function: Its dotted path.
        arguments: What to call it with.
        log: Where what it prints goes; the folder is made if need be.
        pool: Workers to use, or None to start one.

    Raises:
        RunError: If the process died or the function raised.
    """
    (outcome,) = _call_in_workers([(function, arguments)], log, pool)
    if outcome.error is not None:
        raise RunError(str(outcome.error)) from outcome.error
    return outcome.value


def _call_in_workers(tasks: Sequence[tuple[str, Sequence[Any]]], log: Path, pool: WorkerPool | None) -> list[Outcome]:
    """The outcomes of functions in the order of the tasks; they are called at the same time as far as workers allow."""
    make_folder(log.parent)
    workers = WorkerPool(len(tasks)) if pool is None else pool
    calls = [
        Call(place, (function, tuple(arguments), str(log)), function)
        for place, (function, arguments) in enumerate(tasks)
    ]
    try:
        return sorted(workers.run(_load_and_call, calls), key=lambda outcome: outcome.key)
    finally:
        if pool is None:
            workers.close()


def _load_and_call(function: str, arguments: Sequence[Any], log: str) -> Any:
    redirect_output(Path(log))
    return load_object(function)(*arguments)


@contextmanager
def in_background(work: Callable[[], Any]) -> Iterator[None]:
    """Do something in a thread during a ``with`` block in which the process waits for other processes.

    Leaving the block waits for the work, unless the block raised. Errors of the work are dropped: it only prepares
    something that is done again, or checked, where its result is needed.

    Args:
        work: What to do.
    """

    def quietly() -> None:
        with suppress(Exception):
            work()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    yield
    thread.join()
