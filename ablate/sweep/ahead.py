"""What a process does ahead of time, while it would only wait."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["import_ahead", "meanwhile"]


def import_ahead(modules: Sequence[str]) -> None:
    """Import modules; whoever needs one that cannot be imported says so.

    Args:
        modules: Their names.
    """
    for module in modules:
        with suppress(Exception):
            importlib.import_module(module)


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[None]:
    """Does something in a thread for the time of a ``with`` block, in which the process waits for others.

    The block ends when both are over; one that fails, or is interrupted, does not wait for the work. What goes wrong in
    the thread is not told: the work is done again, or looked at, where its result is needed.

    Args:
        work: What to do.
    """

    def quietly() -> None:
        with suppress(Exception):
            work()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    yield
    thread.join()
