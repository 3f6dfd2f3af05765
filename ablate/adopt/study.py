"""Foreign runs become a study: cells, seeds, runs, and a folder like any other."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.adopt.cells import design_of, lay_out, number_seeds
from ablate.adopt.levels import (
    find_seed,
    keys_named,
    same_configurations,
    varied_keys,
    words_of,
)
from ablate.adopt.material import ForeignRun, Material
from ablate.adopt.remarks import counts, ledger, on_missing, on_rows, on_unread
from ablate.adopt.repeats import Placed, settle_repeats
from ablate.adopt.request import Request
from ablate.adopt.results import alike, choose, outcome
from ablate.adopt.source import find_material
from ablate.errors import DesignError, StoreError, suggestion
from ablate.store import FAILED, FINISHED, PlannedRun, Result, Status, StudyFolder, write_text
from ablate.store.study_folder import StudyRecord
from ablate.study import Plan, Study
from ablate.sweep.identity import run_id
from ablate.sweep.study_record import check_name

__all__ = ["adopt", "adopted_name"]

_NUMBERED = re.compile(r"[\d\-_:.]+")


def adopt(path: Path, request: Request, outputs: Path = Path("outputs")) -> StudyFolder:
    """Make a study of results that another tool wrote.

    The foreign files are read and never changed. The same call again reads them again.

    Args:
        path: A folder, or a CSV file.
        request: How to read them.
        outputs: Where study folders live.

    Returns:
        The study's folder, with its plan, its runs and ``adopted.csv``: what became of every run and file.

    Raises:
        AblateError: If there is nothing to adopt, nothing to compare, or the folder holds another study.
    """
    folder = StudyFolder(outputs / check_name(request.name or adopted_name(path)))
    origin = str(path.resolve())
    old = folder.record()
    if old is not None and all(event.get("adopted") != origin for event in old.history):
        raise StoreError(f"The folder '{folder.path}' holds another study. Choose a name for this one with name=...")
    material = find_material(path, request)
    material = replace(material, runs=alike(material.runs))
    planned = _plan(material, request, folder.name, path)
    with folder.editing():
        for run, placed in planned.runs.items():
            own = folder.run(run)
            if placed.outcome.metrics:
                own.write_result(Result(dict(placed.outcome.metrics), other={"source": placed.place}))
            if (curves := placed.outcome.curves) is not None:
                rows = [{str(k): v for k, v in row.items() if pd.notna(v)} for row in curves.to_dict("records")]
                own.write_curves(rows, [str(name) for name in curves.columns])
            ended = placed.age or None
            if placed.outcome.metrics:
                own.write_status(Status(FINISHED, ended=ended))
            else:
                error = f"{placed.place}: {placed.outcome.trouble}"
                own.write_status(Status(FAILED, "no result", error, ended=ended))
        event = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": ["adopt", str(path), *request.words()],
            "adopted": origin,
            "source": material.source,
            "seeds": list(planned.plan.study.seeds),
            "finished": 0,
            "notes": list(planned.notes),
        }
        folder.write_record(StudyRecord(planned.plan, tuple(planned.runs), planned.reference, (event,)))
        write_text(folder.path / "adopted.csv", planned.ledger.to_csv(index=False))
    return folder


def adopted_name(path: Path) -> str:
    """A study's name, made of the last names of a path: as many as are numbers or dates, and one more.

    Example:
        >>> adopted_name(Path("/home/me/multirun/2026-03-01/12-00-00"))
        'multirun-2026-03-01-12-00-00'
    """
    path = path.resolve()
    parts = [*path.parts[1:-1], path.stem if path.is_file() else path.name]
    kept: list[str] = []
    for part in reversed(parts):
        kept.insert(0, part)
        if not _NUMBERED.fullmatch(part):
            break
    word = re.sub(r"[^\w.,=+ -]", "-", "-".join(kept)).strip("-. ") or "adopted"
    word = word[:80] if word not in ("example", "single") else f"{word}-adopted"
    return word


@dataclass(frozen=True, eq=False)
class _Planned:
    plan: Plan
    runs: Mapping[PlannedRun, Placed]
    reference: Mapping[str, Any]
    notes: tuple[str, ...]
    ledger: pd.DataFrame


def _plan(material: Material, request: Request, name: str, path: Path) -> _Planned:
    runs, left_out = _selected(material, request)
    choice = choose(runs, request)
    found = {run.place: outcome(run, choice, request) for run in runs}
    usable = [run for run in runs if run.values or not run.trouble]
    words = words_of(usable)
    seed_key = find_seed(usable, words, request)
    varied = varied_keys(usable, words, seed_key, request)
    seeds, seed_notes = number_seeds(words[seed_key] if seed_key else None, len(usable), seed_key)
    placed = [
        Placed(
            run.place,
            {name: labels[index] for name, labels in varied.levels.items()},
            seeds[index],
            found[run.place],
            run.age,
        )
        for index, run in enumerate(usable)
    ]
    seeded = seed_key is not None and len(set(seeds)) > 1
    kept, repeat_notes = settle_repeats(placed, request.repeats, material.ordered_by_time, seeded)
    factors, cells, reference_notes = lay_out(varied, kept, request)
    cell_names = {tuple(cell.levels.values()): cell.name for cell in cells}
    places = {cell.name: index for index, cell in enumerate(cells)}
    ids = {
        PlannedRun(run_id({**one.levels, "seed": one.seed}), cell_names[tuple(one.levels.values())], one.seed): one
        for one in kept
    }
    order = sorted(ids, key=lambda run: (places[run.cell], run.seed))
    all_seeds = tuple(sorted({run.seed for run in order}))
    study = Study(name, design_of(factors, cells), all_seeds, choice.metric, choice.direction, request.margin)
    single = len(all_seeds) == 1
    notes = (
        f"Adopted from {path} ({material.source}): {counts(material, runs, found, left_out)}.",
        *on_missing(material, runs, found, request, choice),
        *on_unread(material),
        *material.notes,
        *same_configurations(material.runs, seed_key),
        *choice.notes,
        *on_rows(kept, choice),
        *varied.notes,
        *(seed_notes if single or request.repeats != "replicates" else ()),
        *repeat_notes,
        *reference_notes,
        *(["The margin was declared after the runs."] if request.margin is not None else []),
    )
    constant = {key: labels[0] for key, labels in words.items() if len(set(labels)) == 1 and key != seed_key}
    reference = {**constant, **{varied.keys[factor.name]: factor.reference for factor in factors}}
    return _Planned(
        Plan(study, tuple(factors), tuple(cells)),
        {run: ids[run] for run in order},
        reference,
        notes,
        ledger(material, left_out, found, kept),
    )


def _selected(material: Material, request: Request) -> tuple[list[ForeignRun], list[ForeignRun]]:
    """The runs that were asked for, and the others."""
    runs = [run for run in material.runs if run.values or not run.trouble]
    if not runs:
        why = Counter(run.trouble for run in material.runs).most_common(3)
        listed = "; ".join(f"{reason} ({count})" for reason, count in why)
        raise StoreError(f"None of {len(material.runs)} runs can be read: {listed}.")
    words = words_of(runs)
    kept = [True] * len(runs)
    for word, levels in request.only.items():
        key = keys_named(word, runs, words)
        known = list(dict.fromkeys(words[key]))
        for level in levels:
            if level not in known:
                raise DesignError(
                    f"'{key}' has no level '{level}'. Levels: {', '.join(known)}.{suggestion(level, known)}"
                )
        kept = [keep and label in levels for keep, label in zip(kept, words[key], strict=True)]
    readable = {run.place for run in runs}
    broken = [run for run in material.runs if run.place not in readable]
    chosen = [run for run, keep in zip(runs, kept, strict=True) if keep]
    if not chosen:
        raise DesignError("No run has all the levels of only.KEY=... together.")
    return [*chosen, *broken], [run for run, keep in zip(runs, kept, strict=True) if not keep]
