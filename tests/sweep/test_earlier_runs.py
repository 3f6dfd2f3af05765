"""The same command after an edit of the code: nothing of other code is mixed unasked, what was mended runs again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import warm_process
from launchers import LAUNCHERS, need

import ablate
from ablate.errors import DesignError
from ablate.report.study_report import read_report
from ablate.store import RunFolder, StudyFolder
from ablate.sweep.recorder import record
from ablate.sweep.source_code import source_code

ROOT = Path(__file__).parents[2]

TRAIN = """
import hydra
from gain import gain


@hydra.main(config_path=None, config_name="settings", version_base="1.3")
def main(config):
    if config.big:
        import big
        return big.gain(config)
    return gain(config)


if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store("settings", {"seed": 0, "big": False, "bias": True})
    main()
"""
GAIN = "def gain(config):\n    return 0.5 + 0.1 * config.bias + 0.01 * config.seed\n"
BROKEN = "def gain(config):\n    raise ValueError('a bad day')\n"


def application(folder: Path) -> None:
    for name, text in (("train.py", TRAIN), ("gain.py", GAIN), ("big.py", BROKEN), ("plots.py", "")):
        (folder / name).write_text(text)


def command(folder: Path, launcher: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = ("-m", "hydra/sweeper=ablation", *LAUNCHERS[launcher], "big=false,true", "hydra.sweeper.seeds=2")
    return warm_process.run(
        [sys.executable, "train.py", *words, "hydra.sweeper.figures=[]", "hydra.sweeper.name=s", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def values(folder: Path) -> Any:
    return read_report(StudyFolder(folder / "outputs" / "s")).summary.values


@pytest.mark.parametrize("launcher", ["basic", "joblib", "workers", "isolated"])
def test_no_launcher_mixes_code_unasked(launcher: str, tmp_path: Path) -> None:
    need(launcher)
    application(tmp_path)
    (tmp_path / "big.py").write_text(GAIN)
    assert command(tmp_path, launcher).returncode == 0
    (tmp_path / "gain.py").write_text(GAIN.replace("0.5", "0.25"))
    refused = command(tmp_path, launcher, "hydra.sweeper.seeds=3")
    assert refused.returncode == 2
    assert "changed_code=keep" in refused.stderr and "changed_code=rerun" in refused.stderr
    assert values(tmp_path)["big=false"] == {1: 0.61, 2: 0.62}


@pytest.mark.parametrize("launcher", ["basic", "workers"])
def test_code_that_changes_is_said_and_never_mixed_unasked(launcher: str, tmp_path: Path) -> None:
    application(tmp_path)
    first = command(tmp_path, launcher)
    assert first.returncode == 1
    assert "2 finished, 2 failed" in first.stdout

    (tmp_path / "plots.py").write_text("# no run loads it\n")
    same = command(tmp_path, launcher)
    assert "2 done, 2 failed, 0 to train" in same.stdout
    assert "hydra.sweeper.retry_failed=true" in same.stdout and "has changed" not in same.stdout

    # What failed has loaded it; a process that has loaded it may have carried out others as well.
    (tmp_path / "big.py").write_text(GAIN)
    mended = command(tmp_path, launcher, "hydra.sweeper.changed_code=keep")
    assert mended.returncode == 0, mended.stdout
    assert "2 runs failed earlier and will run again, since the code has changed: big.py" in mended.stdout
    assert values(tmp_path) == {"big=false": {1: 0.61, 2: 0.62}, "with big": {1: 0.61, 2: 0.62}}

    (tmp_path / "gain.py").write_text(GAIN.replace("0.5", "0.25"))
    idle = command(tmp_path, launcher)
    assert idle.returncode == 0
    assert "gain.py" in idle.stdout and "changed_code=rerun" in idle.stdout
    assert values(tmp_path)["big=false"] == {1: 0.61, 2: 0.62}

    refused = command(tmp_path, launcher, "hydra.sweeper.seeds=3")
    assert refused.returncode == 2
    assert "changed_code=keep" in refused.stderr and "changed_code=rerun" in refused.stderr
    assert values(tmp_path)["big=false"] == {1: 0.61, 2: 0.62}

    kept = command(tmp_path, launcher, "hydra.sweeper.seeds=3", "hydra.sweeper.changed_code=keep")
    assert kept.returncode == 0, kept.stderr
    mixed = "made with different code are compared here"
    assert mixed in kept.stdout and "gain.py" in kept.stdout
    study = tmp_path / "outputs" / "s"
    assert all(mixed in (study / name).read_text() for name in ("tables/effects.md", "report.html"))
    assert "code version" in (study / "checklist.md").read_text()
    assert "code version" in (study / "runs.csv").read_text()

    again = command(tmp_path, launcher, "hydra.sweeper.seeds=3", "hydra.sweeper.changed_code=rerun")
    assert again.returncode == 0, again.stderr
    assert mixed not in again.stdout
    assert values(tmp_path)["big=false"] == {1: 0.36, 2: 0.37, 3: 0.38}
    assert len(list(study.glob("runs/*/.replaced/*/result.json"))) >= 2


def test_a_function_is_watched_as_an_application_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(config: dict[str, Any]) -> float:
        return float(config["a"] + 0.1 * config["seed"])

    ablate.run(train, {"a": [1, 2]}, outputs=tmp_path, seeds=2, name="s")
    study = StudyFolder(tmp_path / "s")
    run = study.existing_record().runs[0]
    result = study.run(run).result()
    assert result is not None
    (name,) = (name for name in result.fingerprints if name.endswith("test_earlier_runs.py"))
    monkeypatch.setattr("ablate.sweep.source_code._hash_of", lambda path: "another")
    with pytest.raises(DesignError, match="changed_code=keep"):
        ablate.run(train, {"a": [1, 2]}, outputs=tmp_path, seeds=3, name="s")
    assert name.startswith("code/")


def test_a_task_reports_fingerprints_in_what_it_returns(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record(lambda: {"score": 0.5, "fingerprints": {"data/digits": "77aa01c4d2ee", "data/long": "x" * 99}}, run)
    result = run.result()
    assert result is not None
    assert result.fingerprints["data/digits"] == "77aa01c4d2ee"
    assert len(result.fingerprints["data/long"]) == 12
    assert result.other == {}


def test_what_is_installed_and_what_runs_leave_behind_is_not_the_applications_code(tmp_path: Path) -> None:
    source = source_code(test_what_is_installed_and_what_runs_leave_behind_is_not_the_applications_code)
    names = source.loaded()
    assert source.root == ROOT
    assert any(name.endswith("tests/sweep/launchers.py") for name in names)
    assert not any("site-packages" in name or name.startswith("code/ablate/") for name in names)
