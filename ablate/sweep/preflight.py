"""Looking at all cells before the first run, in a process of its own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.errors import ConfigError, RunError
from ablate.store import make_folder
from ablate.sweep.pool import Call, Outcome, WorkerPool

__all__ = ["function_named", "in_worker", "in_workers", "look"]


def function_named(name: str) -> Callable[..., Any]:
    """The function of a dotted name.

    Raises:
        ConfigError: If it cannot be imported.

    Example:
        >>> function_named("os.path.join")("a", "b")
        'a/b'
    """
    module, _, attribute = name.rpartition(".")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"Cannot import '{name}': {error}.") from error
    return found


def look(
    preflight: str, configurations: Sequence[Mapping[str, Any]], folder: Path, pool: WorkerPool | None
) -> list[dict[str, Any]]:
    """What a preflight function finds out about configurations.

    Args:
        preflight: Dotted name of a function from a list of plain configurations to a list of findings, a dict each:
            ``error`` (a message or None), ``absent`` (names of factors that the configuration has no use for) and
            whatever else is worth keeping.
        configurations: One a cell.
        folder: Where what the function prints goes (``preflight.log``).
        pool: Workers to use, or None to start one.

    Raises:
        RunError: If the process died or the function raised.
    """
    log = folder / "preflight.log"
    try:
        found: list[dict[str, Any]] = in_worker(preflight, (list(configurations),), log, pool)
    except RunError as error:
        raise RunError(f"The check before the first run failed: {error}\nWhat it printed: {log}") from error
    return found


def in_worker(function: str, arguments: Sequence[Any], log: Path, pool: WorkerPool | None) -> Any:
    """What a function returns, called in a process of its own; see `in_workers`.

    Raises:
        RunError: If the process died or the function raised.
    """
    (outcome,) = in_workers([(function, arguments)], log, pool)
    if outcome.error is not None:
        raise RunError(str(outcome.error)) from outcome.error
    return outcome.value


def in_workers(tasks: Sequence[tuple[str, Sequence[Any]]], log: Path, pool: WorkerPool | None) -> list[Outcome]:
    """How functions end that are called in processes of their own, side by side as far as there are workers.

    Args:
        tasks: The dotted name of each function, and what to call it with.
        log: Where what they print goes; the folder is made if need be.
        pool: Workers to use, or None to start them.
    """
    make_folder(log.parent)
    own = WorkerPool(len(tasks)) if pool is None else pool
    calls = [
        Call(place, (function, tuple(arguments), str(log)), function)
        for place, (function, arguments) in enumerate(tasks)
    ]
    try:
        return sorted(own.run(_called, calls), key=lambda outcome: outcome.key)
    finally:
        if pool is None:
            own.close()


def _called(function: str, arguments: Sequence[Any], log: str) -> Any:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(handle, stream.fileno())
    os.close(handle)
    return function_named(function)(*arguments)
