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
from ablate.sweep.pool import Call, WorkerPool

__all__ = ["function_named", "look"]


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
    make_folder(folder)
    own = WorkerPool(1) if pool is None else pool
    try:
        outcome = next(own.run(_look, [Call("preflight", (preflight, list(configurations), str(folder)))]))
    finally:
        if pool is None:
            own.close()
    if outcome.error is not None:
        raise RunError(
            f"The check before the first run failed: {outcome.error}\nWhat it printed: {folder / 'preflight.log'}"
        ) from outcome.error
    found: list[dict[str, Any]] = outcome.value
    return found


def _look(preflight: str, configurations: list[Mapping[str, Any]], folder: str) -> list[dict[str, Any]]:
    handle = os.open(Path(folder) / "preflight.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(handle, stream.fileno())
    os.close(handle)
    findings: list[dict[str, Any]] = function_named(preflight)(configurations)
    return findings
