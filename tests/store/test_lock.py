from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.store import locks, owner_file
from ablate.store.locks import hold_lock, is_locked

HOLDER = """
import sys
from pathlib import Path
from ablate.store.locks import hold_lock
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


def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    program = (
        "import os, sys, time\nfrom pathlib import Path\nfrom ablate.store.locks import hold_lock\n"
        "with hold_lock(Path(sys.argv[1])):\n"
        "    if os.fork() == 0:\n        print('up', flush=True)\n        time.sleep(60)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with parent:
        assert first_line(parent) == "up"
        assert is_locked(path)
        parent.kill()
        parent.wait()
        assert not is_locked(path)
        os.killpg(parent.pid, signal.SIGKILL)


def test_closing_all_descriptors_does_not_release_the_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom ablate.store.locks import hold_lock, is_locked\n"
        "with hold_lock(Path(sys.argv[1])):\n    os.closerange(3, 30)\n    held = is_locked(Path(sys.argv[1]))\n"
        "    os.closerange(3, 200)\n    other = open(sys.argv[1] + '2', 'w')\n"
        "other.write('mine')\nprint(held, is_locked(Path(sys.argv[1])))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks."""

    def flock(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)
    locks._report_missing_locks.cache_clear()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_file_that_names_the_process_takes_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run" / ".lock"
    assert not is_locked(path)
    for _ in range(2):
        with hold_lock(path) as first, hold_lock(path) as second:
            assert (first, second) == (True, False)
            assert is_locked(path)
        assert not is_locked(path)
    assert capsys.readouterr().err.count("no locks") == 1


def write_owner(path: Path, **changes: object) -> None:
    owner = path.with_name(".lock.owner")
    owner.write_text(json.dumps({**owner_file._own_identity(), **changes}))
    path.touch()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_file_of_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for changes in ({"pid": dead.pid}, {"start": "1"}):  # no such process; a later process with the same id
        write_owner(path, **changes)
        assert not is_locked(path)
        with hold_lock(path) as held:
            assert held
    path.with_name(".lock.owner").write_text("")  # its process died while it wrote
    os.utime(path.with_name(".lock.owner"), (0, 0))
    with hold_lock(path) as held:
        assert held


@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_file_of_another_machine_counts_as_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".lock"
    write_owner(path, host="elsewhere")
    assert is_locked(path)
    with hold_lock(path) as held:
        assert not held
    monkeypatch.setattr(owner_file, "_LONGEST_WAIT", 0.1)
    with pytest.raises(StoreError, match="elsewhere"), hold_lock(path, wait=True):
        pass


@pytest.mark.usefixtures("no_locks")
def test_without_locks_one_waits_for_the_other(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    order = []

    def other() -> None:
        with hold_lock(path, wait=True):
            order.append("other")

    with hold_lock(path):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]
