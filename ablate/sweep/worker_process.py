"""One process of a pool of workers: how it starts and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from ablate.sweep.calls import Call

_ROOT = Path(__file__).parents[2]

# The package is imported from where this one lies: an "ablate.py" of the user's may come first on the path, which later
# imports follow.
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import ablate.sweep.worker; del sys.path[0]; "
    "ablate.sweep.worker.main()"
)


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # deleted meanwhile
        return os.curdir


@dataclass
class Worker:
    """A worker process with our end of the pipe, and the call that it is carrying out, if any."""

    process: subprocess.Popen[bytes]
    connection: Connection
    slot: int
    calls: int = 0
    first_memory: int = 0
    function: bytes = b""
    group: str | None = None
    current: Call | None = None
    deadline: float = field(default=float("inf"))
    is_mute: bool = False  # its end of the pipe is closed, although the process lives on


def start_worker(slot: int, environment: Mapping[str, str]) -> Worker:
    """Start a worker process.

    Args:
        slot: Its place in the pool.
        environment: Environment variables of it, beside those of this process.
    """
    # A fresh interpreter instead of a fork: frameworks with threads and GPUs do not survive a fork.
    ours, theirs = socket.socketpair()
    environment = {**os.environ, **environment}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(_ROOT), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**environment, "PYTHONPATH": os.pathsep.join(path or _current_folder() for path in sys.path)},
            stdin=subprocess.DEVNULL,
        )
    return Worker(process, Connection(ours.detach()), slot)


def end_worker(worker: Worker, patience: float = 0.0) -> int:
    """End a worker, at once or after some seconds in which it may end by itself; returns its exit code."""
    worker.connection.close()
    try:
        return worker.process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        return worker.process.wait()
