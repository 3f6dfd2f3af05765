"""Samples of the batteries in ``benchmarks/``: that they run, judge rightly, and meet no fault in what is sampled."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_battery(name: str, *options: str) -> tuple[int, str, dict[str, int]]:
    """The exit code of a battery, what it printed, and its counts by outcome."""
    command = [sys.executable, f"benchmarks/{name}.py", "--jobs", "1", "--limit", "60", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    total = re.search(r"^all +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", ended.stdout, re.MULTILINE)
    assert total is not None, ended.stdout + ended.stderr
    names = ("tried", "right", "said", "silent", "traceback", "hang")
    return ended.returncode, ended.stdout, dict(zip(names, map(int, total.groups()), strict=True))


@pytest.mark.slow
def test_a_derived_file_is_written_anew() -> None:
    code, out, counts = run_battery("damage", "--only", "effects.csv|in half|report", "--sample", "0")
    assert code == 0, out
    assert counts == {"tried": 2, "right": 2, "said": 0, "silent": 0, "traceback": 0, "hang": 0}


@pytest.mark.slow
def test_hostile_sources_of_results_are_adopted_or_refused() -> None:
    code, out, counts = run_battery("hostile", "--only", "adopted|hydra|adopt", "--sample", "6")
    assert code == 0, out
    assert counts["right"] + counts["said"] == counts["tried"] == 6
