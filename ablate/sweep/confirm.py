"""Confirmation: the network without all that a study found dispensable is trained against the full one.

The command that made a study is given again, with one setting more: ``hydra.sweeper.confirms`` names the study's
folder, and the sweeper then lays out two cells, the reference and the reduced one. So a confirmation has the same task,
launcher, locks and failures as any other study, and goes on where it was interrupted.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablate.errors import ConfigError, StoreError
from ablate.objects import load_object
from ablate.report import summary_of
from ablate.store import FAILED, FINISHED, StudyFolder
from ablate.study import Layout, cell_of
from ablate.study.design import CONFIRMATION
from ablate.study.limits import MOST_RUNS, check_size
from ablate.study.settings import StudySettings
from ablate.sweep.console import damage_lines
from ablate.sweep.engine import run_statuses
from ablate.sweep.identity import difference_lines
from ablate.sweep.rerun import existing_command
from ablate.sweep.study_request import StudyRequest
from ablate.sweep.task_origin import run_program
from ablate.sweep.trust import (
    Ask,
    described_command,
    executing_trusted,
    foreign_overrides,
    is_executing_trusted,
    is_own_command,
    override_lines,
    require_trust,
)


@dataclass(frozen=True)
class ConfirmationPlan:
    """What a confirmation is about to do, decided before its first run.

    Args:
        folder: Where its runs are: beside the study, ``<study>-confirm``.
        layout: The levels of the reduced cell.
        label: What the reduced cell is called.
        seeds: Fresh seeds.
        text: What these seeds can find, in a sentence.
    """

    folder: StudyFolder
    layout: Layout
    label: str
    seeds: tuple[int, ...]
    text: str


def plan_confirmation(study: StudyFolder, count: int | None = None) -> ConfirmationPlan:
    """Decide what to train for a confirmation, or read what was decided before.

    Args:
        study: The study's folder.
        count: Number of fresh seeds; None for what the power asks for.

    Raises:
        StoreError: If runs of the study are missing, or a confirmation of something else is there already.
        AnalysisError: If nothing was found dispensable.
    """
    from ablate.analysis import effort, fresh_seeds, reduced_levels
    from ablate.analysis.comparisons import comparisons

    check_size(count or 0, MOST_RUNS, "seeds of a confirmation", "Name fewer, or leave the number out.")
    summary = summary_of(study)
    if summary.study.design == CONFIRMATION:
        raise StoreError(f"'{study.path}' is a confirmation itself. Name the study that it confirms.")
    unfinished = int((~summary.runs["state"].isin([FINISHED, FAILED])).sum())
    if summary.round is not None:
        unfinished = max(unfinished, len(summary.round.runs))
    if unfinished:
        damaged = damage_lines(study, run_statuses(study, study.existing_record().runs))
        message = (
            f"{unfinished} runs of '{study.path}' have not ended yet, and its verdicts may still change. Let the study "
            "end first; the command that made it goes on."
        )
        raise StoreError("\n".join([message, *damaged]))
    levels = reduced_levels(summary)
    layout, label = Layout((levels,)), cell_of(levels, summary.plan.factors).label
    folder = study.confirming
    existing = folder.record()
    if existing is None:
        planned = effort(summary, levels, count)
        return ConfirmationPlan(folder, layout, label, fresh_seeds(summary.study, planned.seeds), planned.text)
    seeds = existing.plan.study.seeds
    faults = []
    if existing.plan.study.design != CONFIRMATION:
        faults.append("it is no confirmation")
    else:
        pair = comparisons(existing.plan)[0]
        earlier = {name: pair.cell.levels[name] for name in pair.changed}
        now = {name: level for name, level in levels.items() if name not in pair.cell.void}
        if earlier != now:
            faults.append(
                f"it is about {_levels_text(earlier)}, and the study now finds {_levels_text(now)} dispensable"
            )
    if count is not None and count != len(seeds):
        faults.append(
            f"it was declared with {len(seeds)} seeds, not {count}, and a test has the seeds it was planned with"
        )
    if faults:
        raise StoreError(
            f"'{folder.path}' is there already: {'; '.join(faults)}. Move it away to confirm with fresh seeds."
        )
    return ConfirmationPlan(folder, layout, label, seeds, effort(summary, levels, len(seeds)).text)


def confirmation_request(
    settings: StudySettings, request: StudyRequest
) -> tuple[StudySettings, StudyRequest, StudyFolder]:
    """Turn the command of a study into that of its confirmation.

    Args:
        settings: The study's settings, with ``confirms`` set, and ``seeds`` the fresh seeds where they are decided.
        request: What the command of the study describes.

    Returns:
        The same for its confirmation, and the confirmation's folder.
    """
    study = StudyFolder(Path(str(settings.confirms)))
    record = study.existing_record()
    plan = record.plan
    if not is_executing_trusted() and (foreign := foreign_overrides(record, override_lines(request.factors))):
        # The levels of the confirmation are made by overrides that its plan.json names.
        require_trust([("override", line) for line in foreign], _confirm_command(study), False, None)
    declared = plan.study
    seeds = settings.seeds if isinstance(settings.seeds, tuple) else ()
    planned = plan_confirmation(study, len(seeds) or None)
    return (
        replace(
            settings,
            design=CONFIRMATION,
            seeds=seeds or planned.seeds,
            metric=declared.metric,
            margin=declared.margin,
            direction=declared.direction,
        ),
        replace(request, factors=plan.factors, seeds=None, swept=True, notes=(), layout=planned.layout),
        planned.folder,
    )


def train_confirmation(
    study: StudyFolder, plan: ConfirmationPlan, *, trust: bool = False, ask: Ask | None = None
) -> bool:
    """Train the reduced network against the full one by giving the study's own command again.

    Args:
        study: The study's folder.
        plan: What :func:`plan_confirmation` returned.
        trust: Whether to execute what a study that came from elsewhere names; this one time, nothing remembers it.
        ask: Asks the user about that; None where there is nobody to ask.

    Returns:
        Whether all runs have finished.

    Raises:
        StoreError: If the study does not record which command made it, or it came from elsewhere and is not trusted.
        SystemExit: If the command ends for another reason than a failed run.
    """
    record = study.existing_record()
    command = existing_command(study, record.history)
    foreign = foreign_overrides(record)
    is_own = is_own_command(command) and not foreign
    if not is_own:
        what = [*described_command(command), *(("override", line) for line in foreign)]
        require_trust(what, _confirm_command(study), trust, ask)
    task, seeds = command["task"], ",".join(map(str, plan.seeds))
    # Escaped for a quoted value in Hydra's grammar.
    path = str(study.path.resolve()).replace("\\", "\\\\").replace("'", "\\'")
    confirming = [f"hydra.sweeper.confirms='{path}'", f"hydra.sweeper.seeds=[{seeds}]"]
    before, sys.argv = sys.argv, [task["file"], *command["command"], *confirming]
    try:
        with nullcontext() if is_own else executing_trusted():
            if task["module"] == "__main__":
                run_program(task, "__main__")
            else:
                load_object(f"{task['module']}.{task['name']}")()
    except SystemExit as end:
        # 1 stands for failed runs, which the returned value reports.
        if end.code not in (None, 0, 1) or plan.folder.record() is None:
            raise
    finally:
        sys.argv = before
    runs = plan.folder.existing_record().runs
    return all(plan.folder.run(run).status().state == FINISHED for run in runs)


def write_confirmation(study: StudyFolder, folder: StudyFolder) -> Mapping[str, Any]:
    """Compare the reduced network with the full one and write what came of it into the study's folder.

    Args:
        study: The study's folder.
        folder: That of its confirmation, with finished runs.

    Returns:
        What was written: ``text``, ``confirmed``, ``removed`` (the level of each removed factor), ``metric``,
        ``margin``, ``seeds``, ``failed`` (a count), ``folder``, ``time``, and ``results``, one entry for each data set.

    Raises:
        AnalysisError: If there is nothing to compare.
    """
    from ablate.analysis import confirmation
    from ablate.analysis.comparisons import comparisons
    from ablate.analysis.sentences import change_in_words

    declared, summary = study.existing_record().plan.study, summary_of(folder)
    results = []
    removed: dict[str, str] = {}
    for pair in comparisons(summary.plan):
        change = change_in_words(pair.cell, pair.changed, summary.plan)
        result = confirmation(declared, summary.values[pair.reference.label], summary.values[pair.cell.label], change)
        where = {factor.name: pair.cell.levels[factor.name] for factor in summary.plan.factors if factor.block}
        removed = {name: pair.cell.levels[name] for name in pair.changed}
        results.append(
            {
                **({"where": where} if where else {}),
                "n": result.difference.n,
                "difference": result.difference.mean,
                "low": result.difference.low,
                "high": result.difference.high,
                "p": result.p.dispensability,
                "confirmed": result.is_confirmed,
                "text": result.text,
            }
        )
    values = {
        "text": " ".join(str(result["text"]) for result in results),
        "confirmed": all(result["confirmed"] for result in results),
        "removed": removed,
        "metric": summary.study.metric,
        "margin": declared.margin,
        "seeds": list(summary.study.seeds),
        "failed": int((summary.runs["state"] == FAILED).sum()),
        "folder": folder.path.name,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "results": results,
    }
    study.write_confirmation(values)
    return values


def check_same_configuration(study: StudyFolder, reference: Mapping[str, Any]) -> None:
    """Refuse to confirm with another configuration than the study had.

    Args:
        study: The study's folder.
        reference: The unswept configuration of this command.

    Raises:
        ConfigError: If they differ; the message says where.
    """
    if changed := difference_lines(study.existing_record().reference, reference):
        raise ConfigError(
            "The configuration is not the one that the study had:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nPut it back to confirm what the study found."
        )


def _confirm_command(study: StudyFolder) -> str:
    return shlex.join(["ablate", "confirm", str(study.path), "--trust"])


def _levels_text(levels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={label}" for name, label in levels.items())
