"""What it costs to collect a large study: 10,000 runs of 100 epochs, made by this script.

    python benchmarks/collect.py [--cells 100] [--seeds 100] [--epochs 100] [--folder DIR]

Side by side in processes of their own: a loop over the run folders as one writes it by hand with pandas, which ends
with two CSV files and the mean of each cell; and ``ablate report``, which ends with three CSV files, tables, figures,
paired effects and verdicts. Ours is timed cold (no cache in the study's folder), when nothing has changed, and after
one run has changed. Seconds are wall time of the whole process, memory is its peak resident size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ablate.store import FINISHED, PlannedRun, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Factor, Level, Study, make_plan

LOOP = """
import json, sys
from pathlib import Path
import pandas as pd

rows, curves = [], []
for folder in sorted(Path(sys.argv[1]).glob("runs/*/*")):
    if json.loads((folder / "status.json").read_text())["state"] != "finished":
        continue
    row = json.loads((folder / "result.json").read_text())["metrics"]
    row |= {"cell": folder.parent.name, "seed": int(folder.name.partition("-")[0])}
    rows.append(row)
    curves.append(pd.read_csv(folder / "curves.csv").assign(cell=row["cell"], seed=row["seed"]))
runs, curves = pd.DataFrame(rows), pd.concat(curves)
out = Path(sys.argv[2])
runs.to_csv(out / "runs.csv", index=False)
curves.to_csv(out / "curves.csv", index=False)
print(runs.groupby("cell")["test_accuracy"].mean().head())
"""
OURS = """
import sys
from ablate.app.main import VERBS
VERBS["report"].run([sys.argv[1]])
"""
NAMES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")


def make(folder: StudyFolder, cells: int, seeds: int, epochs: int) -> None:
    """A finished study of one factor with so many levels, as runs leave it."""
    levels = tuple(Level(f"model{index}") for index in range(cells))
    study = Study(folder.name, "one_factor_at_a_time", tuple(range(seeds)), "test_accuracy")
    plan = make_plan(study, [Factor("model", levels, levels[0].label)])
    runs = tuple(
        PlannedRun(f"{index:06x}{seed:06x}", cell.name, seed)
        for index, cell in enumerate(plan.cells)
        for seed in range(seeds)
    )
    folder.write_record(StudyRecord(plan, runs, {"epochs": epochs}))
    random = np.random.default_rng(0)
    times = np.arange(1, epochs + 1)
    for run in runs:
        path = folder.run(run).path
        path.mkdir(parents=True)
        # Written without the flush to the disk that a real run makes: this is not what is measured.
        curve = 1 / np.sqrt(times)[:, None] + 0.01 * random.standard_normal((epochs, len(NAMES)))
        lines = [f"{epoch},{','.join(map(repr, row))}" for epoch, row in zip(times, curve.tolist(), strict=True)]
        (path / "curves.csv").write_text("\n".join([f"epoch,{','.join(NAMES)}", *lines]) + "\n")
        metrics = {"test_accuracy": float(1 - curve[-1, 2]), "test_loss": float(curve[-1, 2]), "weights": 14090}
        result = {
            "metrics": metrics | {"seconds": 1.5},
            "versions": {"python": "3.11.7", "numpy": "2.4.6"},
            "other": {},
        }
        (path / "result.json").write_text(json.dumps(result, indent=1))
        status = {"state": FINISHED, "reason": "", "error": "", "attempts": 0, "started": 1.0, "ended": 2.5}
        (path / "status.json").write_text(json.dumps(status, indent=1))


def measured(program: str, *words: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of a program."""
    wrapped = f"{program}\nimport resource\nsys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))"
    begin = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", wrapped, *words], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if ended.returncode:
        raise SystemExit(ended.stderr[-3000:])
    return seconds, int(ended.stderr.rsplit("\n", 1)[-1]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where to keep the study, which takes a while to make")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = asked.folder or Path(name)
        study = StudyFolder(base / "large")
        if not (study.path / "plan.json").exists():
            make(study, asked.cells, asked.seeds, asked.epochs)
        for item in study.path.iterdir():
            if item.name not in ("runs", "plan.json"):
                shutil.rmtree(item) if item.is_dir() else item.unlink()
        run = study.existing_record().runs[-1]
        print(f"{len(study.existing_record().runs)} runs of {asked.epochs} epochs")
        print(f"{'':34} seconds  peak MB")
        seconds, memory = measured(LOOP, str(study.path), name)
        print(f"{'a loop written by hand':34} {seconds:7.1f}  {memory:7.0f}")
        for words in ("ablate report, cold", "ablate report, nothing changed", "ablate report, one run changed"):
            if words.endswith("run changed"):
                (study.run(run).path / "result.json").touch()
            seconds, memory = measured(OURS, str(study.path))
            print(f"{words:34} {seconds:7.1f}  {memory:7.0f}")


if __name__ == "__main__":
    main()
