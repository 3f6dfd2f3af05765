"""Kills under every launcher: the parent and its workers, at random points, until the study ends as if undisturbed.

    python benchmarks/kills.py [--each 10]

A kill is one study of 16 short runs (two cells, eight seeds) of a Hydra application that knows nothing of ablate: the
command, or one of its workers, gets SIGKILL at a random moment, and the same command is given again. It passes if
``effects.csv`` has the bytes of an undisturbed study and nothing that had finished was trained again. Needs the extras
dev, parallel, ray and slurm; what is not installed is shown as skipped. The tests run 22 of these kills.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTCOMES = ("passed", "skipped", "failed")


def main() -> None:
    """Kill, count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=10, help="kills of each launcher and target")
    options = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "tests/sweep/test_kills.py"]
    environment = {**os.environ, "ABLATE_KILLS_EACH": str(options.each)}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    counts: Counter[tuple[str, str, str]] = Counter()
    for outcome, launcher, target in re.findall(r"\] (PASSED|SKIPPED|FAILED) \S+\[(\w+)-(\w+)-\d+\]", process.stdout):
        counts[launcher, target, outcome.lower()] += 1
    if not counts:
        raise SystemExit(process.stdout[-3000:] + process.stderr[-1000:])
    print(f"{'launcher':10} {'killed':8}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES))
    for launcher, target in sorted({key[:2] for key in counts}):
        print(f"{launcher:10} {target:8}" + "".join(f"{counts[launcher, target, outcome]:9}" for outcome in OUTCOMES))
    if process.returncode:
        print("\n".join(line for line in process.stdout.splitlines() if line.startswith("FAILED")))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
