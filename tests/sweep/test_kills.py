"""Whatever is killed, and whenever: the same command goes on, and the end is that of an undisturbed study."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launchers import LAUNCHERS, need

SEEDS = 8
ASKED = ("depth=2,3", f"hydra.sweeper.seeds={SEEDS}")
# Set by benchmarks/kills.py: so many kills of the parent and of a worker, under each launcher.
EACH = int(os.environ.get("ABLATE_KILLS_EACH", "0"))
POINTS = [
    (launcher, target, number)
    for launcher, parents, workers in (
        ("basic", 5, 0),
        ("joblib", 1, 1),
        ("isolated", 1, 1),
        ("workers", 1, 1),
        ("submitit", 1, 0),
        ("ray", 1, 0),
    )
    for target, count in (("parent", parents), ("worker", workers))
    for number in range(EACH if EACH and (target == "parent" or launcher != "basic") else count)
]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, make_toy: Callable[[Path], Any]) -> bytes:
    toy = make_toy(tmp_path_factory.mktemp("undisturbed"))
    ended = toy.run(*ASKED, *LAUNCHERS["basic"])
    assert ended.code == 0, ended.err
    return toy.collected()["effects.csv"]


@pytest.mark.parametrize(("launcher", "target", "number"), POINTS)
def test_a_kill_at_a_random_point_changes_nothing(
    launcher: str, target: str, number: int, toy: Any, expected: bytes, until: Callable[..., None]
) -> None:
    need(launcher)
    rng = random.Random(f"{launcher}{target}{number}")
    process = toy.start(*ASKED, *LAUNCHERS[launcher])
    begun = rng.randrange(2 * SEEDS)
    until(lambda: len(toy.trained()) >= begun or process.poll() is not None, 120)
    time.sleep(rng.random() * 0.05)
    if target == "worker":
        until(lambda: descendants(process.pid) or process.poll() is not None, 120)
    victims = [process.pid] if target == "parent" else descendants(process.pid)
    workers = descendants(process.pid)
    with contextlib.suppress(ProcessLookupError, IndexError):  # it may all be over already
        os.kill(rng.choice(victims), signal.SIGKILL)
    if target == "parent":
        process.wait(timeout=20)
        for stream in (process.stdout, process.stderr):
            stream.close()  # to be read no more: workers that live on may hold its other end
        settle(toy, workers)
        finished = {name for name, state in toy.states().items() if state == "finished"} if planned(toy) else set()
        before = len(toy.trained())
        again = [toy.run(*ASKED, *LAUNCHERS[launcher], timeout=200) for _ in range(2)]
        assert again[-1].code == 0, "\n".join(text for ended in again for text in (ended.out, ended.err))
        names = {f"{'full' if name[0] == '2' else 'depth=3'}/{name[2:]}" for name in toy.trained()[before:]}
        assert not finished & names
    else:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, out + err
    assert toy.collected()["effects.csv"] == expected


def planned(toy: Any) -> bool:
    return (toy.folder / "outputs" / "depth" / "plan.json").exists()


def settle(toy: Any, workers: list[int]) -> None:
    """Wait until no process that outlived its parent works on a run any more, or is about to begin one."""
    end = time.monotonic() + 60
    while time.monotonic() < end and (
        (planned(toy) and any(state == "running" for state in toy.states().values()))
        or any(works(worker) for worker in workers)
    ):
        time.sleep(0.1)


def descendants(pid: int) -> list[int]:
    """Processes that work for a process, without those that only watch."""
    found = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            children = [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
            found += [child for child in children if works(child)]
        except OSError:
            continue
        waiting += children
    return found


def works(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
    if "ray::" in words:
        return "Agent" not in words  # Ray's own servants, without which no node lives
    return any(name in words for name in ("ablate.sweep.worker", "popen_loky", "submitit.core._submit"))
