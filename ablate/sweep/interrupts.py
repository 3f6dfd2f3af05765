"""Interruptions by the user (Ctrl-C) during a run, noted whatever the run's task makes of them.

A task may catch ``KeyboardInterrupt`` and return what it has, end the process, or handle or ignore the signal itself,
as many trainers do. All the same its run was interrupted, and the user wants the study to end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""Exit code of a process that the user interrupted."""

_wakeup_handles: set[int] = set()


class Interrupts:
    """The interruptions since a run began, and what its task wants to be done about one.

    The first is handled as the task wishes, the second raises ``KeyboardInterrupt`` and the third ends the process,
    whatever it wishes, so that a user is never without a way out.

    Args:
        handler: What handled the signal so far.
        on_exit: Called before the third one ends the process.
    """

    def __init__(self, handler: Any, on_exit: Callable[[], None]) -> None:
        self.handler = handler
        self.on_exit = on_exit
        self._count = 0
        self._pid = os.getpid()
        self._handle: int | None = None

    def __bool__(self) -> bool:
        """Whether there was any."""
        return self._count > 0 or self._was_woken()

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        if os.getpid() == self._pid:  # not a child that the task forked
            self._count += 1
            if self._count > 2:
                with contextlib.suppress(Exception):
                    self.on_exit()
                os._exit(INTERRUPTED)
            if self._count > 1:
                raise KeyboardInterrupt
        if callable(self.handler):
            self.handler(number, frame)
        elif self.handler == signal.SIG_DFL:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def woken(self) -> Iterator[None]:
        """Have Python note signals in a pipe as well, for a handler that a task sets behind our back."""
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        _wakeup_handles.add(write)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        if before != -1:  # somebody else needs it
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        self._handle = read
        try:
            yield
        finally:
            self._was_woken()
            self._handle = None
            if before == -1 and (current := signal.set_wakeup_fd(-1)) not in (-1, write):
                signal.set_wakeup_fd(current, warn_on_full_buffer=False)
            _wakeup_handles.discard(write)
            for handle in (read, write):
                with contextlib.suppress(OSError):  # a task may close all it finds
                    os.close(handle)

    def _was_woken(self) -> bool:
        with contextlib.suppress(OSError):  # nothing to read
            if self._handle is not None and signal.SIGINT in os.read(self._handle, 4096):
                self._count = max(self._count, 1)
        return self._count > 0


@contextlib.contextmanager
def noted_interrupts(on_exit: Callable[[], None]) -> Iterator[Interrupts]:
    """Note interruptions by the user, to tell them from a ``KeyboardInterrupt`` that a task itself raises.

    A process that ignores interruptions, as workers do, has none to note; a thread other than the main one has none.

    Args:
        on_exit: Called before a third interruption ends the process.

    Yields:
        What is noted; false until there is one.
    """
    set_signal, get_signal = signal.signal, signal.getsignal
    handler = get_signal(signal.SIGINT)
    interrupts = Interrupts(handler, on_exit)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    is_active = True

    def set_handler(number: int, handler: Any) -> Any:
        if number != signal.SIGINT or not is_active or os.getpid() != interrupts._pid:
            return set_signal(number, handler)
        set_signal(number, handler)  # which refuses what is no handler, and other threads
        set_signal(number, interrupts.note)
        before, interrupts.handler = interrupts.handler, handler
        return before

    def get_handler(number: int) -> Any:
        return interrupts.handler if number == signal.SIGINT and is_active else get_signal(number)

    set_signal(signal.SIGINT, interrupts.note)
    signal.signal, signal.getsignal = set_handler, get_handler  # type: ignore[assignment]
    try:
        with interrupts.woken():
            yield interrupts
    finally:
        is_active = False  # a module that the task imported may have got hold of the functions
        signal.signal, signal.getsignal = set_signal, get_signal
        set_signal(signal.SIGINT, handler)


def _forget_wakeups() -> None:
    """Signals of a forked child are its own."""
    handle = signal.set_wakeup_fd(-1) if threading.current_thread() is threading.main_thread() else -1
    if handle != -1 and handle not in _wakeup_handles:
        signal.set_wakeup_fd(handle, warn_on_full_buffer=False)


os.register_at_fork(after_in_child=_forget_wakeups)
