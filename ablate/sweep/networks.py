"""What the networks of a study cost and look like, found out when its runs have ended and the machine is quiet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ablate.store import FINISHED, StudyFolder
from ablate.study import Cell
from ablate.sweep.ahead import meanwhile
from ablate.sweep.composer import Composer
from ablate.sweep.console import say
from ablate.sweep.pool import WorkerPool
from ablate.sweep.preflight import in_workers
from ablate.sweep.settings import Settings

__all__ = ["describe_networks"]

Configurations = Sequence[Mapping[str, Any]]

_MOST = 32
_LOG = "networks.log"


def describe_networks(
    settings: Settings,
    folder: StudyFolder,
    composer: Composer,
    pool: WorkerPool | None,
    beside: Callable[[], Any],
) -> None:
    """Measure what the networks cost and draw them, as far as that is not done; a failure is told and no more.

    Nothing is done where there is no preflight, which is what builds networks in the first place.

    Args:
        settings: The sweeper's settings.
        folder: The study's folder, with its plan.
        composer: Composes configurations.
        pool: Workers to use, or None to start one.
        beside: What this process is to do while the workers are at it; not called where there is nothing to find out.
    """
    if settings.preflight is None:
        return
    cells = _ended(folder)
    if not cells or not cells[0].is_reference:
        return
    shown = sorted(cells, key=lambda cell: len(cell.changed) > 1)[:_MOST]
    costs, diagrams = settings.costs, settings.diagrams
    measured = folder.cell_costs()
    if costs is not None and all(cell.name in measured for cell in shown):
        costs = None
    if diagrams is not None and all((folder.diagrams / f"{cell.name}.svg").is_file() for cell in shown):
        diagrams = None
    if costs is None and diagrams is None:
        return
    configurations = _configurations(shown, settings, folder, composer)
    tasks: list[tuple[str, tuple[Any, ...]]] = []
    if costs is not None:
        which = f"{len(shown)} of {len(cells)}" if len(shown) < len(cells) else f"{len(shown)}"
        say(f"Measuring what the networks of {which} cells cost.")
        tasks.append((costs, (configurations,)))
    if diagrams is not None:
        # Side by side with measuring, most of which is tracing; drawing that lasts longer strikes all that is timed in
        # turn alike.
        tasks.append((diagrams, ([(cell.name, cell.label) for cell in shown], configurations, str(folder.diagrams))))
    log = folder.path / _LOG
    with meanwhile(beside):
        outcomes = in_workers(tasks, log, pool)
    for (function, _), outcome in zip(tasks, outcomes, strict=True):
        if outcome.error is not None:
            say(f"The networks are not all described: {outcome.error}\nWhat was printed: {log}")
        elif function == costs:
            _keep(outcome.value, shown, folder)
        else:
            for words in outcome.value:
                say(words)


def _ended(folder: StudyFolder) -> list[Cell]:
    """The cells that have a finished run, in the order of the plan."""
    record = folder.existing_record()
    done = {run.cell for run in record.runs if folder.run(run).status().state == FINISHED}
    return [cell for cell in record.plan.cells if cell.name in done]


def _configurations(
    cells: Sequence[Cell], settings: Settings, folder: StudyFolder, composer: Composer
) -> Configurations:
    factors = folder.existing_record().plan.factors
    return [composer.configuration((*composer.overrides(cell, factors), f"{settings.seed_key}=0")) for cell in cells]


def _keep(found: Sequence[Mapping[str, Any]], cells: Sequence[Cell], folder: StudyFolder) -> None:
    rows = dict(zip((cell.name for cell in cells), found, strict=True))
    folder.write_costs(rows)
    for cell in cells:
        if error := rows[cell.name].get("error"):
            say(f"What {cell.label} costs is not known: {error}")
