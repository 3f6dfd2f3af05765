"""What many runs leave behind in one worker: resident memory, open files and threads over 100 runs.

    python benchmarks/memory.py [--runs 100] [--cells 1 7] [--rounds 3] [--epochs 1]

A worker of the engine trains runs of the digits, a cell with three seeds before the next one, the cells in turn: with
one cell the compiled network is used again all the time, with the seven of the default study one is compiled anew
every three runs. Growth counts from the tenth run. ``processes`` says whether the worker was replaced meanwhile.
Medians of the rounds; ``0.25`` of the digits and one epoch make a run short.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

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
FIRST = 10


class Held(NamedTuple):
    """What a worker holds after a run."""

    mib: float
    files: int
    threads: int
    process: int


def one(config: dict[str, object], folder: str) -> Held:
    """A run, in a worker."""
    from ablate.keras.train import train
    from ablate.store import RunFolder

    train(config, RunFolder(Path(folder)))
    resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    return Held(int(resident.split()[1]) / 1024, files, threads, os.getpid())


def trained(runs: int, cells: int, epochs: int) -> list[Held]:
    """What the worker holds after each run."""
    from ablate.app.schema import compose_config
    from ablate.sweep.calls import Call
    from ablate.sweep.pool import WorkerPool

    config = compose_config([f"train.epochs={epochs}", "data.limit=450"])
    after = []
    with tempfile.TemporaryDirectory() as name, WorkerPool(1) as pool:
        calls = []
        for number in range(runs):
            place = number // SEEDS
            own = config | CELLS[place % cells] | {"seed": number}
            calls.append(Call(number, (own, f"{name}/{number}"), group=f"{place if cells > 1 else 0}"))
        for outcome in pool.run(one, calls):
            if outcome.error is not None:
                raise SystemExit(str(outcome.error))
            after.append(outcome.value)
    return after


def main() -> None:
    """Measure and print."""
    from ablate.app.schema import register

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--cells", type=int, nargs="+", default=[1, 7])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    asked = parser.parse_args()
    if asked.runs <= FIRST:
        parser.error(f"--runs={asked.runs}: growth counts from run {FIRST}, so there must be more.")
    register()
    found: dict[int, list[list[Held]]] = {cells: [] for cells in asked.cells}
    for _ in range(asked.rounds):
        for cells in asked.cells:
            found[cells].append(trained(asked.runs, cells, asked.epochs))
    head = ("cells", "runs", f"MiB at {FIRST}", "at the end", "growth", "files", "threads", "processes")
    print("".join(f"{word:>13}" for word in head))
    for cells, rounds in found.items():
        pairs = [(run[FIRST - 1], run[-1]) for run in rounds]
        grown = [statistics.median(last[place] - first[place] for first, last in pairs) for place in range(3)]
        row = (
            cells,
            asked.runs,
            f"{statistics.median(first.mib for first, _ in pairs):.0f}",
            f"{statistics.median(last.mib for _, last in pairs):.0f}",
            *(f"{value:+.0f}" for value in grown),
            max(len({held.process for held in run}) for run in rounds),
        )
        print("".join(f"{value:>13}" for value in row))


if __name__ == "__main__":
    main()
