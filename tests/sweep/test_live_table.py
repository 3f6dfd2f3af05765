from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate.store import FAILED, FINISHED, PlannedRun, Result, Status, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Factor, Level, Study, make_plan
from ablate.sweep.events import EpochEnded, RoundStarted, RunEnded, RunStarted, StudyStarted
from ablate.sweep.live_table import LiveTable


def study_of(path: Path, cells: int, seeds: int) -> StudyFolder:
    """A study with one factor, of which nothing has run."""
    depth = Factor("depth", tuple(Level(str(depth)) for depth in range(cells)), "0")
    plan = make_plan(Study("s", "factorial", tuple(range(seeds)), "test_accuracy"), [depth])
    runs = tuple(PlannedRun(f"{seed:012x}", cell.name, seed) for cell in plan.cells for seed in plan.study.seeds)
    folder = StudyFolder(path / "s")
    folder.write_record(StudyRecord(plan, runs, {}))
    return folder


def record_end(study: StudyFolder, number: int, value: float) -> None:
    """A run that has finished before the command."""
    folder = study.run(study.existing_record().runs[number])
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_result(Result({"test_accuracy": value, "seconds": 3.0}))
    folder.write_status(Status("finished"))


def table_of(study: StudyFolder, *events: tuple[type, int, dict[str, Any]]) -> LiveTable:
    """The table after events of runs by their number."""
    record = study.existing_record()
    cells = {cell.name: cell for cell in record.plan.cells}
    table = LiveTable()
    table.on_event(StudyStarted(study.path, record.plan))
    for kind, number, values in events:
        run = record.runs[number]
        table.on_event(kind(run, cells[run.cell], **values))
    return table


def rendered(table: LiveTable, width: int = 100, height: int = 40) -> list[list[str]]:
    """The rows of the table, split where two blanks or more stand."""
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(table.rendered(width, height))
    rows = [re.split(r" {2,}", line.strip()) for line in capture.get().splitlines()]
    return [row for row in rows if row != [""] and not row[0].startswith("─")]


def test_each_run_shows_its_state_and_its_number(tmp_path: Path) -> None:
    study = study_of(tmp_path, cells=2, seeds=3)
    record_end(study, 0, 0.97216)
    epoch = {"epoch": 12, "values": {"train_accuracy": 0.9, "val_accuracy": 0.8125}}
    table = table_of(
        study,
        (RunStarted, 1, {}),
        (EpochEnded, 1, epoch),
        (RunEnded, 2, {"state": FAILED, "reason": "diverged"}),
        (RunStarted, 3, {}),
    )
    assert rendered(table) == [
        ["cell", "seed 0", "seed 1", "seed 2"],
        ["depth=0", "0.9722", "e12 0.812", "diverged"],
        ["depth=1", "…", "·", "·"],
    ]


def test_a_run_that_ends_shows_its_metric(tmp_path: Path) -> None:
    study = study_of(tmp_path, cells=2, seeds=1)
    assert rendered(table_of(study))[1:] == [["depth=0", "·"], ["depth=1", "·"]]
    ended = {"state": FINISHED, "metrics": {"test_accuracy": 0.5, "seconds": 1.0}}
    assert rendered(table_of(study, (RunEnded, 1, ended)))[1:] == [["depth=0", "·"], ["depth=1", "0.5"]]


def test_the_seeds_of_a_later_round_are_added(tmp_path: Path) -> None:
    study = study_of(tmp_path, cells=2, seeds=1)
    table = table_of(study)
    cell = study.existing_record().plan.cells[1]
    table.on_event(RoundStarted((PlannedRun("late", cell.name, 5),)))
    assert rendered(table) == [["cell", "seed 0", "seed 5"], ["depth=0", "·"], ["depth=1", "·", "·"]]


def test_many_seeds_become_counts_and_a_mean(tmp_path: Path) -> None:
    study = study_of(tmp_path, cells=2, seeds=20)
    for seed in range(4):
        record_end(study, seed, 0.9 + 0.01 * seed)
    table = table_of(study, (RunEnded, 5, {"state": FAILED, "reason": "raised"}))
    assert rendered(table, width=80) == [
        ["cell", "runs", "mean"],
        ["depth=0", "4/20", "1 failed", "0.915"],
        ["depth=1", "0/20"],
    ]


def test_of_many_cells_the_running_ones_come_first(tmp_path: Path) -> None:
    study = study_of(tmp_path, cells=30, seeds=1)
    for number in range(28):
        record_end(study, number, 0.5)
    rows = rendered(table_of(study, (RunStarted, 29, {})), height=12)
    assert rows[-3:] == [["depth=28", "·"], ["depth=29", "…"], ["and 25 more cells"]]


@pytest.mark.slow
def test_a_terminal_sees_the_table_and_then_the_result(toy: Any, until: Callable[..., None]) -> None:
    (toy.folder / "wait").touch()
    toy.trouble("3-1", "raise")
    ours, theirs = pty.openpty()
    command = [sys.executable, "toy_application.py", "-m", "depth=2,3", "hydra/launcher=basic"]
    environment = {**toy._environment, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, cwd=toy.folder, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
        if b"seed 0" in shown and b"running" in shown:
            (toy.folder / "wait").unlink(missing_ok=True)
    os.close(ours)
    assert process.wait(timeout=30) == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "0 of 4 ended" in text
    assert "depth=3, seed 1: FAILED (raised): ValueError: a bad day" in text
    assert "3 finished, 1 failed:" in text
