"""How planning, status, collecting and reporting grow with the number of runs: made-up studies of 100 to 10,000 runs.

    python benchmarks/scale.py [--sizes 100 1000 10000] [--rounds 3] [--seeds 10]

``plan`` composes every cell of a small Hydra application and hashes every run; ``status`` is ``ablate status``,
``collect`` gathers all run folders into data, tables and figures, and ``report`` is ``ablate report``, which collects
what has changed and writes all again. Each is a process of its own; medians, imports included. Memory is the peak.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ablate.store import FINISHED, PlannedRun, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Factor, Level, Study, make_plan

APPLICATION = """
import hydra

@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(config):
    return config.x

if __name__ == "__main__":
    main()
"""
CONFIG = "seed: 0\nx: 0\nnet: {width: 16, depth: 2, norm: batch}\ndata: {name: digits, size: 16}\n"
EPOCHS = 3


def make_study(folder: Path, runs: int, seeds: int) -> StudyFolder:
    """A finished study of made-up runs, one factor, as files."""
    levels = tuple(Level(str(number), (f"x={number}",)) for number in range(runs // seeds))
    asked = Study("study", "one_factor_at_a_time", tuple(range(seeds)), "accuracy")
    plan = make_plan(asked, [Factor("x", levels, "0")], [])
    planned = [
        PlannedRun(f"{place:012x}", cell.name, seed)
        for place, (cell, seed) in enumerate((cell, seed) for cell in plan.cells for seed in asked.seeds)
    ]
    study = StudyFolder(folder)
    study.write_record(StudyRecord(plan, tuple(planned), {"x": 0}))
    draws = np.random.default_rng(0).normal(0.9, 0.02, (len(planned), EPOCHS))
    for run, values in zip(planned, draws, strict=True):
        place = study.run(run).path
        place.mkdir(parents=True)
        (place / "status.json").write_text(json.dumps({"state": FINISHED, "started": 1.0, "ended": 6.0}))
        metrics = {"accuracy": values[-1], "loss": 1 - values[-1], "seconds": 5.0}
        (place / "result.json").write_text(json.dumps({"metrics": metrics, "versions": {"python": "3"}}))
        rows = "".join(f"{epoch + 1},{value!r}\n" for epoch, value in enumerate(map(float, values)))
        (place / "curves.csv").write_text(f"epoch,val_accuracy\n{rows}")
    return study


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and peak MiB of a command."""
    begin = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        complaint = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(complaint.decode()[-2000:])
    return time.perf_counter() - begin, used.ru_maxrss / 1024


def commands(runs: int, seeds: int) -> dict[str, list[str]]:
    """What is measured, in its order."""
    plan = ["-m", "hydra/sweeper=ablation", "hydra.sweeper.dry_run=true", f"hydra.sweeper.seeds={seeds}"]
    collecting = (
        "import pathlib, ablate.store, ablate.report as r; r.collect(ablate.store.StudyFolder(pathlib.Path('s')))"
    )
    return {
        "plan": [sys.executable, "app.py", *plan, f"x=range({runs // seeds})"],
        "status": [sys.executable, "-m", "ablate", "status", "s"],
        "collect": [sys.executable, "-c", collecting],
        "report": [sys.executable, "-m", "ablate", "report", "s"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        for size in asked.sizes:
            folder = Path(name) / str(size)
            folder.mkdir()
            (folder / "app.py").write_text(APPLICATION.replace("None", "'.'"))
            (folder / "config.yaml").write_text(CONFIG)
            make_study(folder / "s", size, asked.seeds)
        for _ in range(asked.rounds):
            for size in asked.sizes:
                shutil.rmtree(Path(name) / str(size) / "s/tables", ignore_errors=True)
                for what, command in commands(size, asked.seeds).items():
                    found.setdefault((what, size), []).append(measured(command, Path(name) / str(size)))
    print(f"{'':8} {'runs':>6} {'seconds':>8} {'ms a run':>9} {'peak MiB':>9} {'KiB a run more than the smallest':>33}")
    for (what, size), values in sorted(
        found.items(), key=lambda item: (list(commands(1, 1)).index(item[0][0]), item[0])
    ):
        seconds, memory = (statistics.median(column) for column in zip(*values, strict=True))
        least = asked.sizes[0]
        grown = memory - statistics.median(peak for _, peak in found[what, least])
        more = f"{1024 * grown / (size - least):.1f}" if size > least else ""
        print(f"{what:8} {size:6} {seconds:8.2f} {1000 * seconds / size:9.3f} {memory:9.0f} {more:>33}")


if __name__ == "__main__":
    main()
