"""Studies on disk that nobody trained: run folders as a study leaves them, in milliseconds."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, Result, Status, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Factor, Level, Plan, Study, make_plan

HOSTILE = "<script>document.title='taken'</script>"
QUOTED = "\"two\" 'quotes' </script><img src=x onerror=document.title='taken'>"
ERROR = 'ValueError: <b>bold</b> & "quoted" in file.py'


def switch(name: str) -> Factor:
    return Factor(name, (Level("true"), Level("false")), "true")


def hostile_plan() -> Plan:
    factors = [
        switch("residual"),
        switch(HOSTILE),
        Factor(QUOTED, (Level("one"), Level("two"), Level("three")), "one"),
        Factor("größe_층", (Level("[32, 64]"), Level("x|y")), "[32, 64]"),
    ]
    return make_plan(Study("worst", "one_factor_at_a_time", (0, 1, 2, 3), "test_accuracy", margin=0.01), factors)


def grid_plan(switches: int, seeds: int) -> Plan:
    factors = [switch(f"part_{letter}") for letter in "abcdefgh"[:switches]]
    return make_plan(Study("grid", "factorial", tuple(range(seeds)), "test_accuracy"), factors)


def write_study(folder: Path, plan: Plan, epochs: int = 4, states: Sequence[str] = ()) -> StudyFolder:
    """Write a study; `states` are those of the first runs, the others have finished."""
    study = StudyFolder(folder)
    runs = tuple(
        PlannedRun(f"{place:06x}{seed:06x}", cell.name, seed)
        for place, cell in enumerate(plan.cells)
        for seed in plan.study.seeds
    )
    reference = {"data": {"name": "digits", "size": 16}, "train": {"epochs": epochs}, "note": HOSTILE}
    command = {"command": ["-m", f"note={HOSTILE}"], "design": plan.study.design, "seeds": list(plan.study.seeds)}
    study.write_record(StudyRecord(plan, runs, reference, (command,)))
    cells = {cell.name: cell for cell in plan.cells}
    noise = random.Random(0)
    for place, run in enumerate(runs):
        state = states[place] if place < len(states) else FINISHED
        level = 0.95 - 0.03 * len(cells[run.cell].changed) + noise.gauss(0, 0.004)
        folder_of_run = study.run(run)
        folder_of_run.path.mkdir(parents=True)
        if state in (FINISHED, RUNNING):
            names = ("train_accuracy", "train_loss", "val_accuracy", "val_loss")
            lines = [",".join(("epoch", *names))]
            for epoch in range(1, epochs + 1):
                score = level * (1 - math.exp(-epoch / 3)) + noise.gauss(0, 0.01)
                lines.append(f"{epoch},{score + 0.02},{1.2 - score},{score},{1.25 - score}")
            (folder_of_run.path / "curves.csv").write_text("\n".join(lines) + "\n")
        if state == FINISHED:
            (folder_of_run.path / ".hydra").mkdir()
            (folder_of_run.path / ".hydra" / "config.yaml").write_text("a: 1\n")
            metrics = {"test_accuracy": level, "test_loss": 1.2 - level, "weights": 1000.0, "seconds": 4.0}
            folder_of_run.write_result(Result(metrics, {"python": "3.11.7", "numpy": "2.1.0"}))
            folder_of_run.write_status(Status(FINISHED, started=100.0, ended=104.0, host="here"))
        elif state == FAILED:
            folder_of_run.log.write_text("Traceback\n")
            folder_of_run.write_status(Status(FAILED, "raised", ERROR, started=100.0, ended=102.0, host="here"))
        elif state == RUNNING:
            folder_of_run.write_status(Status(RUNNING, started=100.0, host="here"))
    return study
