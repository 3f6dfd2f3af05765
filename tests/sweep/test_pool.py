from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import RunError
from ablate.sweep.calls import Call, Outcome
from ablate.sweep.pool import WorkerPool


def act(what: str, value: int = 0) -> Any:
    """What a call does in a worker."""
    if what == "raise":
        raise ValueError(f"bad {value}")
    if what == "exit":
        os._exit(7)
    if what == "sysexit":
        sys.exit(5)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        time.sleep(600)
    if what == "odd":
        raise Odd(1, 2)
    if what == "unpicklable":
        return threading.Lock()
    if what == "pid":
        time.sleep(0.02)
        return os.getpid()
    if what == "environment":
        return os.environ.get("CUDA_VISIBLE_DEVICES")
    if what == "no folder":
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        Path(folder).rmdir()
        return os.getpid()
    if what == "close all":
        os.closerange(3, 1000)
        time.sleep(0.3)
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "fork and die":
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(20)
        os._exit(0)
    if what == "fork and return":
        os.fork()
        return os.getpid()
    return value


class Odd(Exception):
    """It can be pickled and not be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")


class Unreadable:
    def __reduce__(self) -> Any:
        return (int, ("not a number",))


def unreadable(what: str) -> Any:
    return Unreadable() if what == "unreadable" else what


def outcomes(pool: WorkerPool, *calls: tuple[Any, ...], function: Callable[..., Any] = act) -> list[Outcome]:
    made = [Call(index, call) for index, call in enumerate(calls)]
    return sorted(pool.run(function, made), key=lambda outcome: outcome.key)


def test_values_come_back_by_key() -> None:
    with WorkerPool(2) as pool:
        found = outcomes(pool, *(("value", number) for number in range(6)))
    assert [outcome.value for outcome in found] == list(range(6))
    assert all(outcome.error is None and outcome.reason == "" for outcome in found)


def test_one_bad_end_of_each_kind_and_the_others_go_on() -> None:
    kinds = [("raise", 3), ("value", 1), ("exit",), ("value", 2), ("kill",), ("value", 3), ("sysexit",), ("value", 4)]
    with WorkerPool(2) as pool:
        found = outcomes(pool, *kinds)
    assert [outcome.value for outcome in found[1::2]] == [1, 2, 3, 4]
    assert [outcome.reason for outcome in found[::2]] == ["raised", "exited", "killed", "exited"]
    assert [str(outcome.error) for outcome in found[::2]] == [
        "bad 3",
        "The process of the run ended with exit code 7.",
        "The process of the run was killed by signal 9.",
        "The process of the run ended with exit code 5.",
    ]
    assert isinstance(found[0].error, ValueError)
    assert all(isinstance(outcome.error, RunError) for outcome in found[2::2])


def test_a_call_that_takes_too_long_is_ended_alone() -> None:
    begun = time.monotonic()
    with WorkerPool(2, timeout=5) as pool:
        found = outcomes(pool, ("hang",), ("value", 1), ("value", 2))
    assert time.monotonic() - begun < 40
    assert [outcome.reason for outcome in found] == ["timed out", "", ""]
    assert str(found[0].error) == "The run took longer than 5 s."
    assert [outcome.value for outcome in found[1:]] == [1, 2]


@pytest.mark.parametrize(("what", "message"), [("odd", "Odd: 1 2"), ("unpicklable", "cannot pickle '_thread.lock'")])
def test_what_cannot_be_pickled_is_an_error_of_its_call_alone(what: str, message: str) -> None:
    with WorkerPool(1) as pool:
        found = outcomes(pool, (what,), ("value", 1))
    assert found[0].reason == "raised"
    assert message in str(found[0].error)
    assert found[1].value == 1


def test_an_answer_that_cannot_be_read_spoils_nothing() -> None:
    with WorkerPool(2) as pool:
        found = outcomes(pool, ("unreadable",), ("fine",), ("fine",), function=unreadable)
        assert isinstance(found[0].error, Exception)
        assert [outcome.value for outcome in found[1:]] == ["fine", "fine"]
        assert [outcome.value for outcome in outcomes(pool, ("value", 5), ("value", 6))] == [5, 6]


def test_a_run_that_was_left_early_does_not_answer_the_next() -> None:
    with WorkerPool(2) as pool:
        left = pool.run(act, [Call("old", ("value", 1)), Call("slow", ("hang",))])
        assert next(left).key == "old"
        left.close()
        assert [(found.key, found.value) for found in pool.run(act, [Call("new", ("value", 2))])] == [("new", 2)]


def test_workers_are_used_again() -> None:
    with WorkerPool(2) as pool:
        first = {outcome.value for outcome in outcomes(pool, *[("pid",)] * 6)}
        second = {outcome.value for outcome in outcomes(pool, *[("pid",)] * 6)}
    assert len(first | second) <= 2
    assert first & second


KEPT: list[bytes] = []


def hoard(size: int) -> int:
    KEPT.append(b"x" * size)
    return os.getpid()


def test_a_worker_that_has_grown_is_replaced_before_another_group() -> None:
    with WorkerPool(1, max_growth=40 * 2**20) as pool:
        sizes = [0, 10**8, 0, 0, 0, 0]
        calls = [Call(index, (size,), group) for index, (size, group) in enumerate(zip(sizes, "aaabbc", strict=True))]
        pids = [outcome.value for outcome in pool.run(hoard, calls)]
    assert pids[0] == pids[1] == pids[2] != pids[3] == pids[4] == pids[5]


def imported(module: str) -> bool:
    return module in sys.modules


def test_modules_are_imported_ahead_and_a_missing_one_harms_nobody() -> None:
    with WorkerPool(1) as pool:
        pool.start(modules=["colorsys", "no_such_module"])
        assert [found.value for found in outcomes(pool, ("colorsys",), ("wave",), function=imported)] == [True, False]


def test_a_process_each_where_that_is_asked_for() -> None:
    with WorkerPool(2, calls_per_worker=1) as pool:
        assert len({outcome.value for outcome in outcomes(pool, *[("pid",)] * 4)}) == 4


def meet(folder: str, group: str, index: int) -> int:
    """End together with the call of the other group that has the same number."""
    here = Path(folder)
    (here / f"{group}{index}").touch()
    end = time.monotonic() + 30
    while not all((here / f"{name}{index}").exists() for name in "ab"):
        if time.monotonic() > end:
            raise TimeoutError("the other group is not served at the same time")
        time.sleep(0.01)
    return os.getpid()


def test_calls_of_a_group_go_to_one_worker(tmp_path: Path) -> None:
    with WorkerPool(2) as pool:
        calls = [Call((group, index), (str(tmp_path), group, index), group) for group in "ab" for index in range(4)]
        found = {outcome.key: outcome.value for outcome in pool.run(meet, calls)}
    for group in "ab":
        assert len({pid for (name, _), pid in found.items() if name == group}) == 1
    assert found["a", 0] != found["b", 0]


def test_an_idle_worker_takes_from_a_group_that_is_not_its_own() -> None:
    with WorkerPool(2) as pool:
        found = list(pool.run(act, [Call(index, ("pid",), "one") for index in range(20)]))
    assert len({outcome.value for outcome in found}) == 2


def test_each_slot_has_its_own_environment() -> None:
    slots = [{"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "5"}]
    with WorkerPool(2, calls_per_worker=1, environments=slots) as pool:
        assert {outcome.value for outcome in outcomes(pool, *[("environment",)] * 4)} == {"3", "5"}


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_workers_end_with_the_pool(until: Callable[..., None]) -> None:
    with WorkerPool(2) as pool:
        pids = {outcome.value for outcome in outcomes(pool, *[("pid",)] * 4)}
        assert all(map(alive, pids))
    until(lambda: not any(map(alive, pids)))


PARENT = """
import os, sys, time
from ablate.sweep.calls import Call
from ablate.sweep.pool import WorkerPool
def hang(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(600)
pool = WorkerPool(2)
list(pool.run(hang, [Call(0, (sys.argv[1],)), Call(1, (sys.argv[2],))]))
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path, until: Callable[..., None]) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *map(str, files)])
    try:
        until(lambda: all(file.exists() and file.read_text() for file in files))
        pids = [int(file.read_text()) for file in files]
        assert all(map(alive, pids))
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(map(alive, pids)))


def test_a_worker_that_a_call_has_put_out_of_order_is_replaced() -> None:
    with WorkerPool(1) as pool:
        found = outcomes(pool, ("no folder",), ("pid",), ("pid",))
    assert [outcome.reason for outcome in found] == ["", "", ""]
    assert found[0].value != found[1].value == found[2].value


def test_a_call_that_closes_the_pipe_goes_on_to_its_end() -> None:
    began = time.monotonic()
    with WorkerPool(1) as pool:
        found = outcomes(pool, ("close all",), ("value", 1))
    assert [outcome.reason for outcome in found] == ["exited", ""]
    assert time.monotonic() - began < 30


def test_an_interruption_in_a_worker_is_an_error_of_its_call() -> None:
    with WorkerPool(1) as pool:
        found = outcomes(pool, ("interrupt",), ("value", 1))
    assert [outcome.reason for outcome in found] == ["raised", ""]


def test_a_child_that_keeps_the_pipe_of_a_dead_worker_holds_nobody_up() -> None:
    began = time.monotonic()
    with WorkerPool(1) as pool:
        found = outcomes(pool, ("fork and die",), ("value", 1))
    assert [outcome.reason for outcome in found] == ["killed", ""]
    assert time.monotonic() - began < 15


def test_a_child_that_returns_from_the_call_does_not_answer_it() -> None:
    with WorkerPool(1) as pool:
        found = outcomes(pool, ("fork and return",), ("value", 1), ("value", 2))
        assert found[0].value == next(iter(pool._workers.values())).process.pid
    assert [outcome.value for outcome in found[1:]] == [1, 2]


def test_a_worker_that_dies_while_idle_costs_no_call(until: Callable[..., None]) -> None:
    with WorkerPool(1) as pool:
        pid = outcomes(pool, ("pid",))[0].value
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid))
        assert outcomes(pool, ("value", 7))[0].value == 7


def test_workers_are_started_from_this_package_whatever_lies_beside_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ablate.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "mine.py").write_text("NUMBER = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with WorkerPool(1) as pool:
        found = outcomes(pool, ("mine",), function=number_of)
    assert found[0].value == 3


def number_of(module: str) -> Any:
    return importlib.import_module(module).NUMBER


def test_workers_end_with_a_pool_that_nobody_closes(until: Callable[..., None]) -> None:
    pool = WorkerPool(1)
    pid = outcomes(pool, ("pid",))[0].value
    assert alive(pid)
    del pool
    until(lambda: not alive(pid))
