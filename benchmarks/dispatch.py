"""What a run costs beside its training: 200 trivial runs of a small Hydra application, under several sweepers.

    python benchmarks/dispatch.py [--runs 200] [--rounds 3]

Each round runs all variants in turn, so that a machine that changes its speed changes it for all. Wall time of the
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


def variants(runs: int) -> dict[str, list[str]]:
    """The command line of each, for a number of runs."""
    sweep = ["x=1,2", f"seed=range({runs // 2})"]
    return {
        "Hydra basic": sweep,
        "Hydra joblib, 2 processes": [*sweep, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        "ablation, basic launcher": [*sweep, *OURS],
        "ablation, 2 workers": [*sweep, *OURS, "hydra/launcher=workers", "hydra.launcher.workers=2"],
    }


def seconds(folder: Path, arguments: list[str]) -> float:
    """Wall time of one sweep."""
    begin = time.perf_counter()
    command = [sys.executable, "app.py", "-m", QUIET, *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(process.stderr[-2000:])
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(APPLICATION)
        for group, files in GROUPS.items():
            for option, text in files.items():
                (folder / "conf" / group).mkdir(parents=True, exist_ok=True)
                (folder / "conf" / group / f"{option}.yaml").write_text(text)
        (folder / "conf" / "config.yaml").write_text(CONFIG)
        for _ in range(options.rounds):
            few, many = variants(2), variants(options.runs)
            for variant, arguments in many.items():
                fresh, repeated = [], []
                for command_line in (few[variant], arguments):
                    for folder_name in ("outputs", "multirun"):
                        shutil.rmtree(folder / folder_name, ignore_errors=True)
                    fresh.append(seconds(folder, command_line))
                    if variant.startswith("ablation"):
                        repeated.append(seconds(folder, command_line))
                times.setdefault(variant, []).append((fresh[1] - fresh[0]) / (options.runs - 2))
                if repeated:
                    times.setdefault(f"{variant}, all done", []).append(
                        (repeated[1] - repeated[0]) / (options.runs - 2)
                    )
    base = statistics.median(times["Hydra basic"])
    print(f"{'':36} ms a run   ratio to Hydra basic")
    for variant, values in times.items():
        median = statistics.median(values)
        print(f"{variant:36} {1000 * median:8.1f}   {median / base:.2f}")


if __name__ == "__main__":
    main()
