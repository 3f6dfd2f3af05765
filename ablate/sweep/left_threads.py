"""The end of a process in which tasks have left threads that never end; Python itself would wait for them."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

_PATIENCE = 10.0
"""Seconds that the process gives threads of its runs after everything else has ended."""

_left_threads: list[threading.Thread] = []
_exit_code = 0


def set_exit_code(code: int) -> None:
    """Say with which code this process is about to end, for :func:`end_despite`."""
    global _exit_code
    _exit_code = code


def end_despite(threads: Sequence[threading.Thread]) -> None:
    """Let this process end although a task has left threads behind; Python itself waits for them without an end.

    Args:
        threads: Threads that are no daemons. They get ten seconds once the main thread has ended.
    """
    if threads and not _left_threads:
        threading.Thread(target=_end_process, daemon=True).start()
    _left_threads.extend(threads)


def _end_process() -> None:
    threading.main_thread().join()
    end = time.monotonic() + _PATIENCE
    for thread in _left_threads:
        thread.join(max(0.0, end - time.monotonic()))
    if names := [thread.name for thread in _left_threads if thread.is_alive()]:
        with suppress(Exception):
            sys.stderr.write(f"A run has left threads that do not end ({', '.join(names[:5])}); they are cut off.\n")
        with suppress(BaseException):
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(_exit_code)
