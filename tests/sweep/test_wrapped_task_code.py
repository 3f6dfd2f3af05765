"""The code of an application whose task a library wraps: an edit of it is seen, whatever the task has become."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate.sweep.source_code import source_code

ROOT = Path(__file__).parents[2]

LIBRARY = """
import inspect


class Held:
    def __init__(self, func):
        self.func = func

    def __call__(self, config):
        return self.func(config)


class Hidden:
    def __init__(self, function):
        self._hidden = function

    def __call__(self, config):
        return self._hidden(config)


def closure(function):
    def call(config):
        return function(config)
    return call
"""
TRAIN = """
import sys
from functools import partial
import hydra
from hydra.core.config_store import ConfigStore
from wrapping import Held, Hidden, closure


def train(config):
    return 0.5 + 0.1 * config.bias + 0.01 * config.seed


class Own:
    def __call__(self, config):
        return train(config)


def with_rate(config, rate):
    return train(config)


TASKS = {
    "held": Held(train), "hidden": Hidden(train), "closure": closure(train), "own": Own(),
    "partial": partial(with_rate, rate=1), "both": partial(Held(train)),
}

if __name__ == "__main__":
    ConfigStore.instance().store("settings", {"seed": 0, "bias": True})
    hydra.main(config_path=sys.path[0], config_name="settings", version_base="1.3")(TASKS["held"])()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A script, and a library that is installed elsewhere."""
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "wrapping.py").write_text(LIBRARY)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "wrapped_train.py").write_text(TRAIN)
    monkeypatch.syspath_prepend(str(library))
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("wrapping", "wrapped_train"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("kind", ["held", "hidden", "closure", "own", "partial", "both"])
def test_the_code_is_that_of_the_application(kind: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = project / "wrapped_train.py"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    task: Any = importlib.import_module("wrapped_train").TASKS[kind]
    source = source_code(task)
    assert source.root == project
    (before,) = source.loaded().values()
    assert source.loaded().keys() == {"code/wrapped_train.py"}
    script.write_text(TRAIN.replace("0.5", "0.6"))
    assert source.now(source.loaded())["code/wrapped_train.py"] == before  # as the program was started
    monkeypatch.setattr(sys.modules["__main__"], "__file__", None)
    if kind not in ("hidden", "closure"):  # there, only the program says whose code it is
        assert source_code(task).root == project


def test_a_wrapped_task_that_was_mended_runs_again(project: Path) -> None:
    script = project / "wrapped_train.py"

    def command(*more: str) -> subprocess.CompletedProcess[str]:
        words = ("-m", "hydra/sweeper=ablation", "bias=true,false", "hydra.sweeper.seeds=1", "hydra.sweeper.figures=[]")
        return subprocess.run(
            [sys.executable, script.name, *words, *more],
            cwd=project,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(project.parent / "site-packages")])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    script.write_text(TRAIN.replace("return 0.5", "return 1 / config.bias + 0.5"))
    broken = command()
    assert "1 finished, 1 failed" in broken.stdout, broken.stderr
    script.write_text(TRAIN)
    asked = command()
    assert (asked.returncode, "hydra.sweeper.changed_code=" in asked.stderr) == (2, True), asked.stdout
    mended = command("hydra.sweeper.changed_code=rerun")
    assert mended.returncode == 0, mended.stderr
    assert "2 to train" in mended.stdout or "[2/2]" in mended.stdout
