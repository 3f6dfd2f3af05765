"""A worker process: takes calls over a pipe, one after another, and answers each.

Started as ``python -P -m ablate.sweep.worker FD`` by :mod:`ablate.sweep.pool`; the argument is its end of the pipe.
"""

from __future__ import annotations

import gc
import importlib
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


def serve(connection: Connection) -> None:
    """Answer calls until the pipe closes.

    A message is a pair: ``("import", list)`` names modules to import before the first call; ``("function", bytes)``
    holds the cloudpickled function of later calls; ``("call", bytes)`` holds the cloudpickled arguments of one call.
    Only a call is answered: by ``(True, bytes)`` with what the function returned, or ``(False, bytes)`` with what it
    raised.

    Args:
        connection: The worker's end of the pipe.
    """
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
            value = cloudpickle.dumps(function(*cloudpickle.loads(data)))
            cloudpickle.loads(value)  # some exceptions can be pickled but not unpickled
            answer = (True, value)
        except Exception as error:
            answer = (False, _portable(error))
        connection.send(answer)


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
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(handle, stream.fileno())
    os.close(handle)


def _portable(error: Exception) -> bytes:
    """An error pickled; as a RuntimeError with its text where it cannot be pickled or unpickled."""
    try:
        data: bytes = cloudpickle.dumps(error)
        cloudpickle.loads(data)
    except Exception:
        data = cloudpickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return data


def _leave_with(parent: int) -> None:
    """End this process once its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


if __name__ == "__main__":
    # Ctrl-C reaches every process of the terminal; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    serve(Connection(int(sys.argv[1])))
