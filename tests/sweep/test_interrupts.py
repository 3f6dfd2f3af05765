"""Ctrl-C belongs to the run and ends the study, whatever the task makes of it and whichever launcher carries it out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from launchers import LAUNCHERS, need
from warm_process import WarmProcess

from ablate.store import StudyFolder
from ablate.sweep.interrupts import noted_interrupts

APPLICATION = """
import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from signal import signal as set_handler

import hydra
from hydra.core.config_store import ConfigStore

ConfigStore.instance().store("config", {"seed": 0, "a": 1, "steps": 400})
done = 0


def train(steps, stop=lambda: False):
    global done
    while done < steps and not stop():
        time.sleep(0.02)
        done += 1


def returns_what_it_has(steps):
    try:
        train(steps)
    except KeyboardInterrupt:
        pass


def exits(steps):
    try:
        train(steps)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(1)


def raises(steps):
    try:
        train(steps)
    except KeyboardInterrupt:
        raise ValueError("stopped")


def stops_by_a_handler(steps):
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(True))
    train(steps, lambda: bool(stop))


def stops_by_a_hidden_handler(steps):
    stop = []
    set_handler(signal.SIGINT, lambda *_: stop.append(True))
    train(steps, lambda: bool(stop))


def stops_a_loop(steps):
    async def work():
        for _ in range(steps):
            await asyncio.sleep(0.02)

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        pass


def ignores(steps):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    train(steps)


TASKS = {
    task.__name__: task
    for task in (
        returns_what_it_has,
        exits,
        raises,
        stops_by_a_handler,
        stops_by_a_hidden_handler,
        stops_a_loop,
        ignores,
    )
}


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(config):
    global done
    done = 0
    with Path(os.environ["HERE"], "begun").open("a") as file:
        file.write(f"{config.a}-{config.seed}\\n")
    TASKS[os.environ["KIND"]](config.steps)
    return {"score": done}


if __name__ == "__main__":
    main()
"""

KINDS = ("returns_what_it_has", "exits", "raises", "stops_by_a_handler", "stops_by_a_hidden_handler", "stops_a_loop")


def start(folder: Path, kind: str, *words: str) -> subprocess.Popen[str]:
    (folder / "train.py").write_text(APPLICATION)
    return WarmProcess(
        [sys.executable, "train.py", "-m", "hydra/sweeper=ablation", "a=1,2", "hydra.sweeper.seeds=2", *words],
        cwd=folder,
        env={**os.environ, "HERE": str(folder), "KIND": kind},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def states(folder: Path) -> set[tuple[str, str, int]]:
    paths = [path.parent for path in folder.glob("outputs/a/runs/*/*/status.json")]
    study = StudyFolder(folder / "outputs" / "a")
    statuses = [study.run(run).status() for run in study.existing_record().runs if study.run(run).path in paths]
    return {(status.state, status.reason, status.attempts) for status in statuses}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "kind"),
    [
        *[(launcher, kind) for launcher in ("basic", "joblib") for kind in KINDS],
        *[(launcher, "returns_what_it_has") for launcher in ("workers", "isolated")],  # which are ended from outside
    ],
)
def test_an_interrupted_run_waits_and_the_study_ends(
    launcher: str, kind: str, tmp_path: Path, until: Callable[..., None]
) -> None:
    need(launcher)
    process = start(tmp_path, kind, *LAUNCHERS[launcher])
    until((tmp_path / "begun").is_file, 90)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert states(tmp_path) == {("waiting", "interrupted", 0)}
    assert "Interrupted." in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_the_same_command_goes_on_after_an_interruption(tmp_path: Path, until: Callable[..., None]) -> None:
    process = start(tmp_path, "stops_by_a_handler", "hydra/launcher=basic")
    until((tmp_path / "begun").is_file, 90)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    again = start(
        tmp_path, "returns_what_it_has", "hydra/launcher=basic", "hydra.sweeper.figures=[effects]", "steps=400"
    )
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert states(tmp_path) == {("finished", "", 0)}
    assert "score" in out


@pytest.mark.slow
def test_a_task_that_ignores_the_first_interruption_is_ended_by_the_second(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    process = start(tmp_path, "ignores", "hydra/launcher=basic", "steps=100000")
    until((tmp_path / "begun").is_file, 90)
    time.sleep(0.2)
    for _ in range(2):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.2)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert states(tmp_path) == {("waiting", "interrupted", 0)}


@pytest.fixture
def handler() -> Iterator[Any]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_a_handler_of_the_task_is_called_and_forgotten(handler: Any) -> None:
    called: list[int] = []
    with noted_interrupts(lambda: None) as interrupts:
        assert not interrupts
        before = signal.signal(signal.SIGINT, lambda number, _: called.append(number))
        assert before is handler
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is not handler
        assert called == [signal.SIGINT]
        assert interrupts
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_signal_to_a_forked_child_is_no_interruption(handler: Any) -> None:
    with noted_interrupts(lambda: None) as interrupts:
        child = os.fork()
        if child == 0:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5)
            except KeyboardInterrupt:
                os._exit(3)
            os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert not interrupts


def test_what_is_no_handler_is_refused_as_ever(handler: Any) -> None:
    with noted_interrupts(lambda: None), pytest.raises(TypeError):
        signal.signal(signal.SIGINT, "no handler")  # type: ignore[arg-type]
