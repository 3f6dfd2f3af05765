from __future__ import annotations

import os
from pathlib import Path

import pytest

from ablate.errors import ConfigError, RunError
from ablate.study.setting import written
from ablate.sweep.inspection import run_preflight
from ablate.sweep.launcher import ProcessLauncher
from ablate.sweep.pool import WorkerPool


def test_auto_is_one_a_core_or_one_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert ProcessLauncher().pool.slots == len(os.sched_getaffinity(0))
    assert ProcessLauncher(gpus=[0, 1, 2]).pool.slots == 3
    assert ProcessLauncher(workers=5).pool.slots == 5


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, "many"])
def test_a_number_of_workers_without_sense_is_refused(workers: object) -> None:
    with pytest.raises(ConfigError) as caught:
        ProcessLauncher(workers=workers)  # type: ignore[arg-type]
    assert str(caught.value) == f"workers={written(workers)}: must be auto, or a whole number of at least 1."


def test_a_time_limit_without_sense_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        ProcessLauncher(timeout=0)
    assert str(caught.value) == "timeout=0: must be a number above 0, or null."


CHECKS = """
import os
def fine(configurations):
    print("looking")
    return [{"weights": one["a"] * 10, "pid": os.getpid()} for one in configurations]
def bad(configurations):
    raise ValueError("no such data set")
"""


def test_the_preflight_runs_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_checks.py").write_text(CHECKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    study = tmp_path / "study"
    found = run_preflight("toy_checks.fine", [{"a": 1}, {"a": 2}], study, None)
    assert [one["weights"] for one in found] == [10, 20]
    assert {one["pid"] for one in found} != {os.getpid()}
    assert (study / "preflight.log").read_text() == "looking\n"
    with WorkerPool(2) as pool:
        assert len(run_preflight("toy_checks.fine", [{"a": 1}], study, pool)) == 1
        with pytest.raises(RunError) as caught:
            run_preflight("toy_checks.bad", [{"a": 1}], study, pool)
    assert str(caught.value) == (
        f"The check before the first run failed: no such data set\nWhat it printed: {study / 'preflight.log'}"
    )
