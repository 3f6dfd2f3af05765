"""Python commands in processes that have the libraries in memory already.

Importing pandas, SciPy, Matplotlib and Hydra takes two thirds of the time of a command that trains nothing. So a
server imports them once for each worker of pytest and forks: what runs in the child is the command, with its own
arguments, folder, environment, streams, signals and process group. Signals, kills, locks and children are those of any
process. Tests of the start itself use ``subprocess``.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

_PIECE = 1 << 20


class _Server:
    """The process that forks, and the connection to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = Path(__file__).resolve().parents[1]
        environment = {**os.environ, "PYTHONPATH": str(root), "MPLBACKEND": "agg"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm_server.py")), str(theirs.fileno())],
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd="/",
        )
        theirs.close()
        self._socket = ours
        atexit.register(self.close)

    def request(self, values: dict[str, Any], streams: list[int]) -> Any:
        data = json.dumps(values).encode()
        assert len(data) < _PIECE
        socket.send_fds(self._socket, [data], streams)
        return json.loads(self._socket.recv(_PIECE))

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


_servers: dict[int, _Server] = {}


def _server() -> _Server:
    # By process: a test that forks must not talk to the server of its parent.
    if os.getpid() not in _servers:
        _servers[os.getpid()] = _Server()
    return _servers[os.getpid()]


class WarmProcess(subprocess.Popen[Any]):
    """A ``subprocess.Popen`` of ``[sys.executable, "script.py" or "-m", ...]`` whose process is forked by the server.

    The interpreter's own handlers of signals are set in it, whatever the caller ignores; ``preexec_fn`` is not called.
    """

    def _execute_child(self, args: Any, *positional: Any) -> None:  # type: ignore[override]
        cwd, env = positional[4], positional[5]
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = positional[9:15]
        assert args[0] == sys.executable, args
        own = (p2cread, c2pwrite, errwrite)
        streams = [number if stream == -1 else stream for number, stream in enumerate(own)]
        request = {
            "arguments": list(map(str, args[1:])),
            "folder": str(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
            "session": bool(positional[20]),
        }
        self.pid = _server().request(request, streams)
        self._child_created = True
        self._exited = os.pidfd_open(self.pid)
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _reap(self, seconds: float | None) -> None:
        """Take the exit status, if the process ends within so many seconds; None for any time."""
        if self.returncode is None and select.select([self._exited], [], [], seconds)[0]:
            self.returncode = _server().request({"reap": self.pid}, [])
            os.close(self._exited)

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self._child_created:
            self._reap(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        self._reap(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode


def run(command: list[str], *, timeout: float = 300, **options: Any) -> subprocess.CompletedProcess[Any]:
    """As ``subprocess.run``."""
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    options.pop("check", None)
    with WarmProcess(command, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)
