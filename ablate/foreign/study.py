"""Foreign runs become a study: cells, seeds, runs, and a folder like any other."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.characters import frame_csv
from ablate.errors import DesignError, StoreError
from ablate.foreign.cells import design_name, integer_seeds, make_cells
from ablate.foreign.levels import (
    check_level,
    find_factors,
    find_seed,
    levels_by_key,
    named_reference,
    resolve_key,
    same_config_notes,
)
from ablate.foreign.outcomes import CellRun, adoption_notes, adoption_table, resolve_duplicates
from ablate.foreign.reader import ForeignRun, ForeignRuns
from ablate.foreign.readers import read_runs
from ablate.foreign.request import AdoptSettings
from ablate.foreign.results import choose_metric, run_result, with_results
from ablate.store import FAILED, FINISHED, PlannedRun, Result, RunFolder, Status, StudyFolder, write_text
from ablate.store.records import StudyRecord
from ablate.study import Plan, Study
from ablate.sweep.identity import run_id
from ablate.sweep.study_names import check_name, check_siblings

if TYPE_CHECKING:
    from ablate.analysis import Summary

_NUMBERED = re.compile(r"[\d\-_:.]+")


def looks_foreign(path: Path) -> bool:
    """Whether a path holds something other than a study of ours, to be adopted."""
    return path.exists() and not (path / "plan.json").is_file()


def adopt(path: str | Path, *, name: str | None = None, outputs: str | Path = "outputs", **settings: Any) -> Summary:
    """Make a study of results that another tool wrote, with the tables and figures of any other.

    The foreign files are read and never changed, executed or unpickled. The same call again reads them again.

    Args:
        path: A folder (of Hydra runs, logs of Keras' CSVLogger, event files of TensorBoard), or a tidy CSV file.
        name: Name of the study and its folder; None to name it after the path.
        outputs: Where study folders live.
        **settings: ``metric``, ``direction``, ``margin``, ``seed``, ``factors``, ``reference``, ``only``, ``ignore``,
            ``results``, ``repeats``, ``source``; see :data:`ablate.foreign.request.ADOPT_SETTINGS`.

    Returns:
        The summary, with effects and verdicts; the study's folder holds tables and figures, and in ``adopted.csv``
        what became of every run and file.

    Raises:
        AblateError: If a setting is not allowed, there is nothing to adopt or to compare, or the folder holds another
            study.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> lines = ["model,seed,acc", "cnn,0,0.75", "mlp,0,0.5"]
        >>> _ = (folder / "results.csv").write_text(chr(10).join(lines))
        >>> summary = adopt(folder / "results.csv", metric="acc", outputs=folder)
        >>> summary.effects[["cell", "difference"]].to_numpy().tolist()
        [['model=mlp', -0.25]]
    """
    from ablate.report import collect

    return collect(adopt_folder(Path(path), AdoptSettings.from_values({"name": name, **settings}), Path(outputs)))


def adopt_folder(path: Path, settings: AdoptSettings, outputs: Path = Path("outputs")) -> StudyFolder:
    """The folder of a study of foreign results, with its plan and its runs; see :func:`adopt`.

    Args:
        path: A folder, or a CSV file.
        settings: How to read them.
        outputs: Where study folders live.

    Raises:
        AblateError: If there is nothing to adopt, nothing to compare, or the folder holds another study.
    """
    if not path.exists():
        raise StoreError(f"There is no file or folder '{path}'.")
    folder = StudyFolder(outputs / check_name(settings.name or adopted_name(path)))
    origin = str(path.resolve())
    old = folder.record()
    if old is None:
        check_siblings(folder)
    if old is not None and all(event.get("adopted") != origin for event in old.history):
        raise StoreError(f"The folder '{folder.path}' holds another study. Choose a name for this one with name=...")
    foreign = read_runs(path, settings)
    foreign = replace(foreign, runs=with_results(foreign.runs, settings))
    record, runs, table = _study_of(foreign, settings, folder.name, path)
    with folder.lock():
        for planned, run in runs.items():
            _write_run(folder.run(planned), run)
        folder.write_record(record)
        write_text(folder.path / "adopted.csv", frame_csv(table))
    return folder


def _write_run(folder: RunFolder, run: CellRun) -> None:
    result, ended = run.result, run.modified or None
    if result.curves is not None:
        rows = result.curves.to_dict("records")
        # What is blank in a log stays blank: it is no number.
        filled = [{str(name): value for name, value in row.items() if value == value} for row in rows]
        folder.write_curves(filled, [str(name) for name in result.curves.columns])
    if result.metrics:
        folder.write_result(Result(dict(result.metrics), other={"source": run.location}))
        folder.write_status(Status(FINISHED, ended=ended))
    else:
        folder.write_status(Status(FAILED, "no result", f"{run.location}: {result.fault}", ended=ended))


def adopted_name(path: Path) -> str:
    """A study's name, made of the last names of a path: as many as are numbers or dates, and one more.

    Example:
        >>> adopted_name(Path("/home/me/multirun/2026-03-01/12-00-00"))
        'multirun-2026-03-01-12-00-00'
    """
    path = path.resolve()
    names: list[str] = []
    for name in reversed([*path.parts[1:-1], path.stem if path.is_file() else path.name]):
        names.insert(0, name)
        if not _NUMBERED.fullmatch(name):
            break
    joined = re.sub(r"[^\w.,=+ -]", "-", "-".join(names)).strip("-. ") or "adopted"
    return joined[:80] if joined not in ("example", "single") else f"{joined}-adopted"


def _study_of(
    foreign: ForeignRuns, settings: AdoptSettings, name: str, path: Path
) -> tuple[StudyRecord, dict[PlannedRun, CellRun], pd.DataFrame]:
    """The record of the study that foreign runs amount to, its runs, and what became of every run and file."""
    runs, excluded = _selected(foreign, settings)
    choice = choose_metric(runs, settings)
    results = {run.location: run_result(run, choice) for run in foreign.runs}
    usable = [run for run in runs if run.has_config]
    levels = levels_by_key(usable)
    seed_key, levels, joint_notes = find_seed(usable, levels, settings)
    factors, factor_notes = find_factors(usable, levels, seed_key, settings)
    seeds, seed_notes = integer_seeds(levels[seed_key] if seed_key else None, len(usable), seed_key)
    cell_runs = []
    for index, (run, seed) in enumerate(zip(usable, seeds, strict=True)):
        levels_of_run = {factor: levels[key][index] for factor, key in factors.items()}
        cell_runs.append(CellRun(run.location, levels_of_run, seed, results[run.location], run.modified))
    seeded = seed_key is not None and len(set(seeds)) > 1
    counted, duplicate_notes = resolve_duplicates(cell_runs, settings.repeats, foreign.ordered_by_time, seeded)
    blocks, whole_plots = (_named_factors(key, settings, factors, usable, levels) for key in ("blocks", "whole_plots"))
    study_factors, cells, reference_notes = make_cells(
        factors, named_reference(factors, usable, levels, settings), counted, blocks
    )
    table = adoption_table(foreign, excluded, results, counted)
    names = {tuple(cell.levels.values()): cell.name for cell in cells}
    order = {cell.name: index for index, cell in enumerate(cells)}
    planned = {
        PlannedRun(run_id({**run.levels, "seed": run.seed}), names[run.level_row], run.seed): run for run in counted
    }
    planned = dict(sorted(planned.items(), key=lambda item: (order[item[0].cell], item[0].seed)))
    used_seeds = tuple(sorted({run.seed for run in planned}))
    design = design_name(study_factors, cells)
    paired = seeded and _share_seeds(counted)
    study = Study(
        *(name, design, used_seeds, choice.metric, choice.direction, settings.margin),
        paired=paired,
        whole_plots=whole_plots,
        adopted=True,
    )
    constant = {key: labels[0] for key, labels in levels.items() if len(set(labels)) == 1 and key != seed_key}
    reference = {factors[factor.name]: factor.reference for factor in study_factors}
    phrases = [f"{len(foreign.runs)} runs found", *([f"{len(excluded)} left out by only.KEY"] if excluded else [])]
    finished = sum(bool(results[run.location].metrics) for run in runs)
    event = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": ["adopt", str(path), *settings.arguments()],
        "adopted": str(path.resolve()),
        "source": foreign.source,
        "seeds": list(used_seeds),
        "finished": 0,
        "notes": [
            f"Adopted from {path} ({foreign.source}): {', '.join([*phrases, f'{finished} with a result'])}.",
            *adoption_notes(table),
            *foreign.notes,
            *same_config_notes(foreign.runs, seed_key),
            *choice.notes,
            *factor_notes,
            *joint_notes,
            *(seed_notes if len(used_seeds) == 1 or settings.repeats != "replicates" else ()),
            *_pairing_notes(study, counted, len(cells)),
            *duplicate_notes,
            *reference_notes,
            *(["The margin was declared after the runs."] if settings.margin is not None else []),
        ],
    }
    record = StudyRecord(
        Plan(study, tuple(study_factors), tuple(cells)), tuple(planned), {**constant, **reference}, (event,)
    )
    return record, planned, table


def _named_factors(
    setting: str,
    settings: AdoptSettings,
    factors: Mapping[str, str],
    runs: Sequence[ForeignRun],
    levels: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """The factors that a setting names, by their names in the study.

    Raises:
        DesignError: If one is no factor, or all are.
    """
    names = {key: name for name, key in factors.items()}
    keys = {name: resolve_key(name, runs, levels) for name in getattr(settings, setting)}
    if unknown := [name for name, key in keys.items() if key not in names]:
        raise DesignError(f"{setting} names {', '.join(unknown)}, which is no factor. Factors: {', '.join(factors)}.")
    if keys and len(keys) == len(factors):
        raise DesignError(f"{setting} names all factors: {', '.join(factors)}. One at least must vary within.")
    return tuple(names[key] for key in keys.values())


def _share_seeds(runs: Sequence[CellRun]) -> bool:
    """Whether any seed is in two cells, so that runs can form pairs."""
    return max(Counter(run.seed for run in runs).values()) > 1


def _pairing_notes(study: Study, runs: Sequence[CellRun], cells: int) -> list[str]:
    """How runs of different cells belong together, where not every seed has every cell."""
    if not study.paired:
        if len(runs) > cells:
            return ["No two cells share a seed: runs are replicates that form no pairs."]
        return []
    by_seed = Counter(run.seed for run in runs)
    by_cell = Counter(run.level_row for run in runs)
    if len(runs) == cells * len(by_seed):
        return []
    if len(set(by_seed.values())) == 1 and len(set(by_cell.values())) == 1:
        share = f"{next(iter(by_seed.values()))} of the {cells} cells"
        return [f"Incomplete blocks: every seed has {share}, and every cell equally many seeds."]
    return [f"{cells * len(by_seed) - len(runs)} of {cells * len(by_seed)} combinations of cell and seed have no run."]


def _selected(foreign: ForeignRuns, settings: AdoptSettings) -> tuple[list[ForeignRun], set[str]]:
    """The runs that the settings select, those without a configuration last, and where the others are."""
    runs = [run for run in foreign.runs if run.has_config]
    if not runs:
        faults = Counter(run.fault for run in foreign.runs).most_common(3)
        listed = "; ".join(f"{fault} ({count})" for fault, count in faults)
        raise StoreError(f"None of {len(foreign.runs)} runs can be read: {listed}.")
    levels = levels_by_key(runs)
    excluded: set[str] = set()
    for name, wanted in settings.only.items():
        key = resolve_key(name, runs, levels)
        for level in wanted:
            check_level(key, level, levels)
        excluded |= {run.location for run, level in zip(runs, levels[key], strict=True) if level not in wanted}
    if len(excluded) == len(runs):
        raise DesignError("No run has all the levels of only.KEY=... together.")
    selected = [run for run in runs if run.location not in excluded]
    return [*selected, *(run for run in foreign.runs if not run.has_config)], excluded
