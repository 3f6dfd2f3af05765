from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ablate.store import StudyFolder

ROOT = Path(__file__).resolve().parents[1]

# A third-party application: plain Hydra, nothing of ours but the choice of the sweeper. Each start of its task leaves a
# line in `trained`, so that a test can count them. `trouble` maps "<depth>-<seed>" to what goes wrong there.
APP = """
import os
import signal
import sys
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config):
    here = Path(os.environ["TOY_FOLDER"])
    name = f"{config.depth}-{config.seed}"
    with (here / "trained").open("a") as file:
        file.write(f"{name}\\n")
    (here / f"begun-{name}").touch()
    trouble = (here / f"trouble-{name}")
    if trouble.exists():
        kind = trouble.read_text()
        if kind == "raise":
            raise ValueError("a bad day")
        if kind == "exit":
            sys.exit(3)
        if kind == "die":
            os._exit(4)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "hang":
            time.sleep(600)
    while (here / "wait").exists():
        time.sleep(0.01)
    curve = [10 / (epoch + config.depth + config.seed) for epoch in (1, 2, 3)]
    out = Path(HydraConfig.get().runtime.output_dir)
    lines = [f"{epoch},{loss!r}" for epoch, loss in enumerate(curve, 1)]
    (out / "history.csv").write_text("\\n".join(["epoch,val_loss", *lines]) + "\\n")
    return {"score": 0.5 + 0.01 * config.depth * (1 + config.seed % 3) + config.model.bonus, "epochs": 3}


if __name__ == "__main__":
    main()
"""

CONFIG = """
defaults:
  - model: small
  - _self_
  - override hydra/sweeper: ablation
  - override hydra/hydra_logging: none
  - override hydra/job_logging: none
seed: 0
depth: 2
width: 8
rate: 0.1
note: a
hydra:
  sweeper:
    metric: score
    seeds: 2
"""


@dataclass
class Toy:
    """A Hydra application in a folder of its own, run as a user runs it."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "app.py", "-m", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the application in a process group of its own and do not wait for it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.full_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def full_environment(self) -> dict[str, str]:
        return {**os.environ, "TOY_FOLDER": str(self.folder), "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"} | dict(
            self.environment
        )

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.full_environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def trouble(self, name: str, kind: str) -> None:
        (self.folder / f"trouble-{name}").write_text(kind)

    def mend(self, name: str) -> None:
        (self.folder / f"trouble-{name}").unlink()

    def trained(self) -> list[str]:
        """Every start of the task, as ``<depth>-<seed>``, in order."""
        path = self.folder / "trained"
        return path.read_text().split() if path.exists() else []

    def study(self, name: str = "depth") -> StudyFolder:
        return StudyFolder(self.folder / "outputs" / name)

    def states(self, name: str = "depth") -> dict[str, str]:
        """State and reason of every planned run, by ``<cell>/<seed>``."""
        study = self.study(name)
        found = {run: study.run(run).settled_status() for run in study.existing_record().runs}
        return {f"{run.cell}/{run.seed}": f"{s.state} {s.reason}".strip() for run, s in found.items()}

    def collected(self, name: str = "depth") -> dict[str, bytes]:
        """What must be the same bytes every time."""
        path = self.study(name).path
        files = [path / "effects.csv", path / "curves.csv", *sorted((path / "tables").iterdir())]
        return {file.name: file.read_bytes() for file in files}


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A small third-party Hydra application."""
    return make_toy(tmp_path / "toy")


def make_toy(folder: Path) -> Toy:
    for group, option, text in (("model", "small", "bonus: 0.0"), ("model", "large", "bonus: 0.125")):
        path = folder / "conf" / group / f"{option}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "conf" / "config.yaml").write_text(CONFIG)
    (folder / "app.py").write_text(textwrap.dedent(APP))
    return Toy(folder)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which cost more than everything else together."""
    monkeypatch.setattr("ablate.figures.write_figures", lambda *_, **__: None)


@pytest.fixture
def until() -> Iterator[Callable[..., None]]:
    """Wait for a condition, at most some seconds."""

    def wait(condition: Callable[[], object], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.01)

    yield wait


def kill_group(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Send a signal to a process and all its children, as a terminal does."""
    os.killpg(process.pid, number)


def loaded_modules(program: str, folder: Path | None = None) -> set[str]:
    """The modules that a fresh interpreter has loaded after a program."""
    ending = "\nimport json, sys\nsys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program + ending],
        cwd=folder or ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))
