"""A worker process: takes calls over a pipe, one after another, and answers each.

Its :func:`main` is started by :mod:`ablate.sweep.worker_process` with the descriptor of its end of the pipe.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cloudpickle

from ablate.sweep.pickled_value import PickledValue
from ablate.sweep.process_state import is_sound
from ablate.sweep.safe_text import error_line

_LOWEST_HANDLE = 64


def serve(connection: Connection) -> None:
    """Answer calls until the pipe closes.

    A message is a pair: ``("import", list)`` names modules to import before the first call; ``("function", bytes)``
    holds the cloudpickled function of later calls; ``("call", bytes)`` holds the cloudpickled arguments of one call.
    Only a call is answered: by ``(True, bytes, bool)`` with what the function returned, or ``(False, bytes, bool)``
    with what it raised; the last item says whether the process is fit for further calls.

    Args:
        connection: The worker's end of the pipe.
    """
    pid, pipe = os.getpid(), _inode(connection)
    pickled_function = b""
    function: Callable[..., Any] | None = None
    while True:
        try:
            kind, data = connection.recv()
        except (EOFError, OSError):
            return
        if kind == "import":
            import_modules(data)
            gc.freeze()  # keeps a framework's million objects out of every later garbage collection
            continue
        if kind == "function":
            pickled_function, function = data, None
            continue
        try:
            if function is None:  # here, so that a failure to unpickle is answered like any other error
                function = cloudpickle.loads(pickled_function)
            value = _sendable(function(*cloudpickle.loads(data)))
            has_returned = True
        except SystemExit:
            raise
        except BaseException as error:  # such as a KeyboardInterrupt, which no user can cause in a worker
            has_returned, value = False, _portable(error)
        # A child that a task forked must not answer, nor may the answer go into another file that has got the number of
        # the pipe, after a task closed it.
        if os.getpid() != pid or _inode(connection) != pipe:
            os._exit(1)
        connection.send((has_returned, value, is_sound()))


def import_modules(names: Sequence[str]) -> None:
    """Import modules ahead of their use; one that cannot be imported is skipped, and raises where it is used.

    Args:
        names: Their names.
    """
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


def redirect_output(log: Path) -> None:
    """Append all that this process prints from now on to a file, also what frameworks print from C."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        with suppress(Exception):
            stream.flush()
        os.dup2(handle, number)
    if handle > 2:  # one of these was closed, and the file has got its number
        os.close(handle)


def _portable(error: BaseException) -> bytes:
    """An error pickled; as a RuntimeError with its text where it cannot be pickled or unpickled."""
    try:
        if not isinstance(error, Exception):
            raise TypeError
        return _sendable(error)
    except Exception:
        return cloudpickle.dumps(RuntimeError(error_line(error)))  # type: ignore[no-any-return]


def _sendable(value: Any) -> bytes:
    """A value pickled, after a test that it can be unpickled; some exceptions cannot."""
    PickledValue(value).copy()
    return cloudpickle.dumps(value)  # type: ignore[no-any-return]


def _inode(connection: Connection) -> int | None:
    try:
        return os.fstat(connection.fileno()).st_ino
    except OSError:
        return None


def _leave_with(parent: int) -> None:
    """End this process once its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def main() -> None:
    """Serve the pipe whose descriptor is the first argument, until the parent closes it or ends."""
    # Ctrl-C reaches every process of the terminal; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    number = int(sys.argv[1])
    with suppress(OSError):  # high, so that a task that closes the first descriptors does not close the pipe
        number = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _LOWEST_HANDLE)
        os.close(int(sys.argv[1]))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever the encoding, no run must fail for what it prints
    serve(Connection(number))
