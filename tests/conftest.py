from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from hydra.core.global_hydra import GlobalHydra
from warm_process import WarmProcess

from ablate.store import StudyFolder

# How long an example takes says more about the machine's other work than about the code.
hypothesis.settings.register_profile("ablate", deadline=None)
# Tests say how many examples they try as a multiple or a part of the profile's: --hypothesis-profile=thorough
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=5000)
hypothesis.settings.load_profile("ablate")

# All of them are modules called "conftest": collected for doctests, they would be taken for each other.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]

ROOT = Path(__file__).resolve().parents[1]

# Decoded images of tests are nobody's to keep.
_CACHE = tempfile.TemporaryDirectory(prefix="ablate-")
os.environ["ABLATE_CACHE"] = _CACHE.name

# Nor are studies of tests signed with the key of whoever runs them.
_STATE = tempfile.TemporaryDirectory(prefix="ablate-")
os.environ["XDG_STATE_HOME"] = _STATE.name

# A third-party application: plain Hydra, nothing of ours but the choice of the sweeper. Each start of its task leaves a
# line in `trained`, so that a test can count them. `trouble-<depth>-<seed>` says what goes wrong there; while there is
# a file `hold` a run waits before its trouble, while there is a file `wait` after it.
APP = """
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(config_path=str(Path(__file__).parent / "conf"), config_name="config", version_base="1.3")
def main(config):
    here = Path(os.environ["TOY_FOLDER"])
    name = f"{config.depth}-{config.seed}"
    with (here / "trained").open("a") as file:
        file.write(f"{name}\\n")
    (here / f"begun-{name}").touch()
    while (here / "hold").exists():
        time.sleep(0.01)
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
    seeds: [0, 1]
    figures: [effects]
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def _heed_interrupts() -> None:
    # A shell that runs the tests in the background lets them, and all they start, ignore SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Toy:
    """A Hydra application in a folder of its own."""

    folder: Path

    def call(self, *arguments: str) -> Ended:
        """Run it in this process, in a hundredth of the time; `toy_here` makes the surroundings for it."""
        main = importlib.import_module("toy_application").main
        return called(main, "-m", *arguments)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the application in a process group of its own and do not wait for it."""
        # Ray's threads and processes go by what the interpreter was started with.
        kind = subprocess.Popen if "hydra/launcher=ray" in arguments else WarmProcess
        return kind(
            [sys.executable, "toy_application.py", "-m", *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_heed_interrupts,
        )

    def run(self, *arguments: str, timeout: float = 60) -> Ended:
        """Run it as a user does and wait for its end."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            stop(process)
            raise
        return Ended(process.returncode, out, err)

    @property
    def _environment(self) -> dict[str, str]:
        ours = {"TOY_FOLDER": str(self.folder), "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
        return {**os.environ, **ours}

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


def called(main: Callable[[], object], *arguments: str) -> Ended:
    """Run the main function of a Hydra application with a command line of its own."""
    out, err = io.StringIO(), io.StringIO()
    argv, environment, path = sys.argv, dict(os.environ), list(sys.path)
    sys.argv = ["application", *arguments]
    os.environ.pop("HYDRA_FULL_ERROR", None)
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv, sys.path[:] = argv, path
        os.environ.clear()
        os.environ.update(environment)
        GlobalHydra.instance().clear()
    return Ended(code, out.getvalue(), err.getvalue())


def stop(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Send a signal to a process and all its children, as a terminal does, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.communicate(timeout=30)


@pytest.fixture
def call() -> Callable[..., Ended]:
    """Calls a main function in this process, with a command line of its own."""
    return called


def toy_in(folder: Path) -> Toy:
    """Write the application into a folder."""
    for option, text in (("small", "bonus: 0.0\n"), ("large", "bonus: 0.125\n")):
        path = folder / "conf" / "model" / f"{option}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "conf" / "config.yaml").write_text(CONFIG)
    (folder / "toy_application.py").write_text(APP)
    return Toy(folder)


@pytest.fixture(scope="session")
def make_toy() -> Callable[[Path], Toy]:
    """Writes the application into a folder."""
    return toy_in


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the study `depth=2,3` collects when nothing happens to it."""
    toy = toy_in(tmp_path_factory.mktemp("undisturbed"))
    ended = toy.run("depth=2,3", "hydra/launcher=basic")
    assert ended.code == 0, ended.err
    return toy.collected()


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Toy]:
    """A small third-party Hydra application; what it has started ends with the test."""
    made = toy_in(tmp_path / "toy")
    yield made
    for name in ("hold", "wait"):
        (made.folder / name).unlink(missing_ok=True)


@pytest.fixture
def toy_here(toy: Toy, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> Iterator[Toy]:
    """The application ready to be called in this process, without figures."""
    monkeypatch.chdir(toy.folder)
    monkeypatch.syspath_prepend(str(toy.folder))
    monkeypatch.setenv("TOY_FOLDER", str(toy.folder))
    yield toy
    sys.modules.pop("toy_application", None)


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
