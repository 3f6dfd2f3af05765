"""What a run costs beside its training: 200 trivial runs of a small Hydra application, under several sweepers.

    python benchmarks/dispatch.py [--runs 200] [--rounds 3]

Each round runs all contestants in turn, so that a machine that changes its speed changes it for all. Wall time of the
whole process, less that of one with two runs; medians, and the ratio to Hydra's basic sweeper and launcher. "All done"
is the same command once more, which has nothing to train.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

APPLICATION = """
import hydra

@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config):
    return config.seed + config.model.width

if __name__ == "__main__":
    main()
"""
CONFIG = "defaults:\n  - model: small\n  - data: digits\n  - _self_\nseed: 0\nx: 1\n"
GROUPS = {
    "model": {"small": "width: 16\ndepth: 2\nnorm: batch\n", "large": "width: 64\ndepth: 4\nnorm: batch\n"},
    "data": {"digits": "name: digits\nsize: 16\nshuffle: true\n"},
}
QUIET = "hydra/hydra_logging=none"
OURS = ["hydra/sweeper=ablation", "hydra.sweeper.name=study"]


def contestants(runs: int) -> dict[str, list[str]]:
    """The command line of each, for a number of runs."""
    plain = ["x=1,2", f"seed=range({runs // 2})"]
    return {
        "Hydra basic": plain,
        "Hydra joblib, 2 processes": [*plain, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        "ablation, basic launcher": [*plain, *OURS],
        "ablation, 2 workers": [*plain, *OURS, "hydra/launcher=workers", "hydra.launcher.workers=2"],
    }


def seconds(folder: Path, words: list[str]) -> float:
    """Wall time of one sweep."""
    begin = time.perf_counter()
    command = [sys.executable, "app.py", "-m", QUIET, *words]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr[-2000:])
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(APPLICATION)
        for group, options in GROUPS.items():
            for option, text in options.items():
                (folder / "conf" / group).mkdir(parents=True, exist_ok=True)
                (folder / "conf" / group / f"{option}.yaml").write_text(text)
        (folder / "conf" / "config.yaml").write_text(CONFIG)
        for _ in range(asked.rounds):
            few, many = contestants(2), contestants(asked.runs)
            for who, words in many.items():
                first, again = [], []
                for line in (few[who], words):
                    for old in ("outputs", "multirun"):
                        shutil.rmtree(folder / old, ignore_errors=True)
                    first.append(seconds(folder, line))
                    if who.startswith("ablation"):
                        again.append(seconds(folder, line))
                found.setdefault(who, []).append((first[1] - first[0]) / (asked.runs - 2))
                if again:
                    found.setdefault(f"{who}, all done", []).append((again[1] - again[0]) / (asked.runs - 2))
    base = statistics.median(found["Hydra basic"])
    print(f"{'':36} ms a run   ratio to Hydra basic")
    for who, values in found.items():
        middle = statistics.median(values)
        print(f"{who:36} {1000 * middle:8.1f}   {middle / base:.2f}")


if __name__ == "__main__":
    main()
