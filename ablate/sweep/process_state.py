"""What a task can leave behind in its process, and the way back to what was there before.

A process that carries out many runs (a worker, or the command itself under Hydra's basic launcher) needs streams, a
working folder, free descriptors and Python's own functions for the next run, and to record how this one ended. Settings
that a framework may make for good while it is imported within a run (variables of the environment, entries of the
import path, filters for warnings) stay; only what was taken away comes back.
"""

from __future__ import annotations

import builtins
import fcntl
import gc
import io
import locale
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_LOWEST_HANDLE = 64
"""Where copies of descriptors are kept: a task that closes descriptors mostly closes the first twenty."""

_SPARE_HANDLES = 16
"""Descriptors set aside, so that a run that has used up all others can be recorded."""

_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


@contextmanager
def preserved_process(figures: bool = False) -> Iterator[None]:
    """Put the process back into order at the end of a ``with`` block, whatever was done to it meanwhile.

    Args:
        figures: Whether to bring back matplotlib's settings as well, for a process that draws afterwards.
    """
    saves = [_save_descriptors, _save_streams, _save_folder, _save_python, _save_environment, _save_signals]
    restores: list[Callable[[], None]] = []
    for save in [*saves, *([_save_matplotlib] if figures else [])]:
        with suppress(OSError, ValueError):
            restores.append(save())
    try:
        yield
    finally:
        for restore in restores:
            # What cannot be restored must not hide how the run ended; a worker checks itself afterwards.
            with suppress(Exception):
                restore()


def prepare_streams() -> None:
    """Make standard streams that can be written: some may be closed, or unable to encode a letter.

    Python has no ``sys.stdout`` where the shell closed it (``>&-``), and the next file that is opened would get its
    number. What a stream cannot encode is written as an escape sequence; no study should end for a check mark.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if _file_identity(number) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            setattr(sys, name, _opened(number))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            with suppress(ValueError):  # it is closed
                stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Let further output go nowhere, after whoever read it has stopped, as ``head`` does."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def is_sound(spare: int = _SPARE_HANDLES) -> bool:
    """Whether the process can carry out a further run: it has a folder, streams and free descriptors.

    Args:
        spare: How many descriptors it must be able to open.
    """
    handles = []
    try:
        Path.cwd()
        for stream in (sys.stdout, sys.stderr):
            os.fstat(stream.fileno())
        handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(spare)]
    except (OSError, ValueError, AttributeError):
        return False
    finally:
        for handle in handles:
            os.close(handle)
    return True


def _save_descriptors() -> Callable[[], None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    copies: dict[int, int] = {}
    for number in (0, 1, 2):
        with suppress(OSError):  # a stream that was closed from the start
            copies[number] = _copy_high(number)
    spare = [_copy_high(copies[0])] if 0 in copies else []
    with suppress(OSError):
        spare += [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(_SPARE_HANDLES)]
    files = {number: _file_identity(number) for number in (*copies.values(), *spare)}

    def restore() -> None:
        # A number that others have closed may belong to another file by now.
        ours = {number for number, file in files.items() if _file_identity(number) == file}
        for number in ours.intersection(spare):
            os.close(number)
        for number, copy in copies.items():
            if copy in ours:
                if _file_identity(number) != files[copy]:
                    os.dup2(copy, number)
                os.close(copy)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        if not _has_free_descriptors():
            gc.collect()  # files that nobody refers to any more
        if not _has_free_descriptors():
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            more = soft + 1024
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(more, hard) if hard >= 0 else more, hard))

    return restore


def _has_free_descriptors() -> bool:
    handles = []
    try:
        handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(_SPARE_HANDLES)]
    except OSError:
        return False
    finally:
        for handle in handles:
            os.close(handle)
    return True


def _save_streams() -> Callable[[], None]:
    names = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
    streams = {name: getattr(sys, name) for name in names}

    def restore() -> None:
        for place, (name, stream) in enumerate(streams.items()):
            usable = _reopened(stream, place % 3)
            setattr(sys, name, usable)
            for handler in logging.getLogger().handlers:
                if isinstance(handler, logging.StreamHandler) and handler.stream is stream is not usable:
                    handler.stream = usable

    return restore


def _reopened(stream: Any, number: int) -> Any:
    """A standard stream, made anew on its descriptor if the object was closed or detached from it."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        is_usable = not stream.closed
    except ValueError:  # detached
        is_usable = False
    return stream if is_usable or _file_identity(number) is None else _opened(number)


def _opened(number: int) -> io.TextIOWrapper:
    # Not the builtin function, which a task may have replaced.
    file = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    buffer = io.BufferedReader(file) if number == 0 else io.BufferedWriter(file)
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _save_folder() -> Callable[[], None]:
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    handle = _copy_high(folder)
    os.close(folder)
    file, mask = _file_identity(handle), os.umask(0o022)
    os.umask(mask)
    path = Path.cwd()

    def restore() -> None:
        os.umask(mask)
        if _file_identity(handle) == file:
            os.fchdir(handle)
            os.close(handle)
        else:
            os.chdir(path)

    return restore


def _save_python() -> Callable[[], None]:
    functions = dict(vars(builtins))
    limit, collects = sys.getrecursionlimit(), gc.isenabled()
    numbers = locale.setlocale(locale.LC_ALL)
    socket = sys.modules.get("socket")
    patience = socket.getdefaulttimeout() if socket else None

    def restore() -> None:
        for name, function in functions.items():
            if vars(builtins).get(name) is not function and name != "_":  # "_" holds the last value in a console
                setattr(builtins, name, function)
        sys.setrecursionlimit(limit)
        if collects:
            gc.enable()
        if (module := sys.modules.get("socket")) is not None:
            module.setdefaulttimeout(patience)
        locale.setlocale(locale.LC_ALL, numbers)

    return restore


def _save_environment() -> Callable[[], None]:
    entries, paths, variables, arguments = sys.path, list(sys.path), dict(os.environ), list(sys.argv)
    environment = os.environ

    def restore() -> None:
        sys.path = entries
        sys.path += [path for path in paths if path not in entries]
        sys.argv = arguments
        os.environ = environment  # noqa: B003, a task may have replaced the object
        for name, value in variables.items():
            os.environ.setdefault(name, value)

    return restore


def _save_signals() -> Callable[[], None]:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    timer = signal.getitimer(signal.ITIMER_REAL)
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if timer == (0.0, 0.0):
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread can set handlers
        for number, handler in handlers.items():
            # None: set by C code, which Python cannot set again.
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)

    return restore


def _save_matplotlib() -> Callable[[], None]:
    matplotlib = sys.modules.get("matplotlib")
    # Not dict(rcParams): reading the key "backend" there chooses one.
    values = dict.copy(matplotlib.rcParams) if matplotlib else None

    def restore() -> None:
        if (module := sys.modules.get("matplotlib")) is None:
            return
        if values is None:
            module.rc_file_defaults()
        else:
            dict.update(module.rcParams, values)

    return restore


def _copy_high(number: int) -> int:
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _LOWEST_HANDLE)
    except OSError:
        return os.dup(number)


def _file_identity(number: int) -> tuple[int, int, int] | None:
    try:
        stat = os.fstat(number)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_rdev
