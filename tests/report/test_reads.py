"""A study is read once: no command opens a file of a run, or the plan, twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fake_studies import grid_plan, write_study

from ablate.store import StudyFolder

PROGRAM = """
import json, sys
opened = []
sys.addaudithook(lambda event, given: event == "open" and isinstance(given[0], str) and opened.append(given[:2]))
{command}
sys.stderr.write("\\n" + json.dumps([path for path, mode in opened if not mode or "r" in mode]))
"""
COLLECT = """
from pathlib import Path
from ablate.report import collect
from ablate.store import StudyFolder
collect(StudyFolder(Path("outputs/small")))
"""
REPORT = """
import runpy
sys.argv = ["ablate", "report", "outputs/small"]
try:
    runpy.run_module("ablate", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
"""


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return write_study(tmp_path / "outputs" / "small", grid_plan(2, 2))


@pytest.mark.parametrize("command", [COLLECT, REPORT], ids=["collect", "report"])
@pytest.mark.parametrize("changed", [False, True])
def test_no_file_of_a_study_is_read_twice(command: str, changed: bool, study: StudyFolder) -> None:
    for _ in range(1 + changed):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(command=command)],
            cwd=study.path.parents[1], capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        paths = [Path(path) for path in json.loads(done.stderr.splitlines()[-1])]
        names = ("plan.json", "status.json", "result.json", "curves.csv", "costs.json", "confirmation.json")
        reads = Counter(
            str(path)
            for path in paths
            if path.name in names and "small" in path.parts and path.parts[-2:] != ("small", "curves.csv")
        )
        # Without this the test could not fail: every run is read, and each of its files once.
        runs = len(study.existing_record().runs)
        assert Counter(Path(path).name for path in reads) >= Counter(
            {"plan.json": 1, "status.json": runs, "result.json": runs, "curves.csv": runs}
        )
        assert {path: number for path, number in reads.items() if number > 1} == {}
        (study.tables / "effects.md").unlink()
