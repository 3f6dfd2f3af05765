"""What many runs leave behind in one worker: resident memory, open files and threads over 100 runs.

    python benchmarks/memory.py [--runs 100] [--cells 1 7] [--rounds 3] [--epochs 1]

Each measurement is a process that trains runs of the digits, a cell with three seeds before the next one, the cells in
turn: with one cell the compiled network is used again all the time, with seven each cell's is made anew every
21 runs. Growth counts from the tenth run, and with several cells from the end of the first turn, since their networks
are then made for the second time. Medians of the rounds; ``0.25`` of the digits and one epoch make a run short.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

CELLS: list[dict[str, object]] = [
    {},
    {"residual": False},
    {"batch_norm": False},
    {"bn_placement": "after"},
    {"separable": False},
    {"head": "flatten"},
    {"bias": True},
]
SEEDS = 3


def held() -> tuple[float, int, int]:
    """MiB of memory, open files and threads of this process."""
    resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1024, len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208


def trained(runs: int, cells: int, epochs: int) -> list[tuple[float, int, int]]:
    """What the process holds after each run."""
    from ablate.config import register
    from ablate.keras.train import train
    from ablate.store import RunFolder
    from ablate.sweep.composer import composed

    register()
    config = composed([f"train.epochs={epochs}", "data.limit=450"])
    after = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(runs):
            own = config | CELLS[number // SEEDS % cells] | {"seed": number}
            train(own, RunFolder(Path(name) / str(number)))
            after.append(held())
    return after


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--cells", type=int, nargs="+", default=[1, 7])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--here", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        print(json.dumps(trained(asked.runs, asked.here, asked.epochs)))
        return
    found: dict[int, list[list[tuple[float, int, int]]]] = {cells: [] for cells in asked.cells}
    for _ in range(asked.rounds):
        for cells in asked.cells:
            words = ["--here", str(cells), "--runs", str(asked.runs), "--epochs", str(asked.epochs)]
            ended = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=False)
            if ended.returncode:
                raise SystemExit(ended.stderr[-2000:])
            found[cells].append(json.loads(ended.stdout.splitlines()[-1]))
    head = ("cells", "runs", "MiB at first", "at the end", "growth", "files", "threads")
    print("".join(f"{word:>13}" for word in head))
    for cells, rounds in found.items():
        first = 10 if cells == 1 else SEEDS * cells
        start = statistics.median(run[first - 1][0] for run in rounds)
        end, files, threads = (
            statistics.median(run[-1][place] - (run[first - 1][place] if place else 0) for run in rounds)
            for place in range(3)
        )
        row = (
            cells,
            asked.runs,
            f"{start:.0f}",
            f"{end:.0f}",
            f"{end - start:+.0f}",
            f"{files:+.0f}",
            f"{threads:+.0f}",
        )
        print("".join(f"{value:>13}" for value in row))


if __name__ == "__main__":
    main()
