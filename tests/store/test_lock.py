from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.store.atomic import hold_lock, is_locked

HOLDER = """
import sys
from pathlib import Path
from ablate.store.atomic import hold_lock
with hold_lock(Path(sys.argv[1])) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A live process that tries to hold the lock; its first line says whether it got it."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_lock_is_held_once_and_dropped_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / ".lock"
    assert not is_locked(path)
    with hold_lock(path) as first:
        assert first
        assert is_locked(path)
        with hold_lock(path) as second:
            assert not second
        assert is_locked(path)
    assert not is_locked(path)
    with hold_lock(path) as again:
        assert again


def test_a_lock_is_dropped_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    try:
        with hold_lock(path):
            raise RuntimeError
    except RuntimeError:
        pass
    assert not is_locked(path)


def test_looking_does_not_take_the_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.touch()
    assert not is_locked(path)
    with hold_lock(path) as held:
        assert held


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with holder(path) as process:
        assert first_line(process) == "True"
        assert is_locked(path)
        with hold_lock(path) as held:
            assert not held
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not is_locked(path)
        with hold_lock(path) as held:
            assert held


def test_another_process_does_not_get_what_we_hold(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with hold_lock(path), holder(path) as process:
        assert first_line(process) == "False"


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    program = "import time; print('up', flush=True); time.sleep(60)"
    with hold_lock(path):
        child = subprocess.Popen([sys.executable, "-c", program], close_fds=False, stdout=subprocess.PIPE, text=True)
    with child:
        assert first_line(child) == "up"
        assert not is_locked(path)
        child.kill()
