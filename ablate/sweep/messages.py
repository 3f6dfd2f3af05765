"""Errors of Hydra and OmegaConf as messages that say what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import suggestion

__all__ = ["explain", "unknown_key"]

_LIBRARIES = ("antlr4", "hydra", "omegaconf", "yaml")


def explain(error: BaseException, known_keys: Callable[[], Iterable[str]]) -> str | None:
    """The message for a user whose command line Hydra refused.

    Args:
        error: What Hydra or OmegaConf raised.
        known_keys: Returns the keys of the configuration, among which the nearest to an unknown one is suggested.

    Returns:
        A few lines, or None if the error is neither theirs nor about a file or folder.
    """
    if isinstance(error, OSError) and isinstance(error.filename, str):
        if (unreadable := _first_unreadable(Path(error.filename))) is not None:
            here = Path.cwd()
            path = unreadable.relative_to(here) if here in unreadable.parents else unreadable
            return f"Cannot read '{path}': {error.strerror}."
        return f"Cannot write to the output folder '{error.filename}': {error.strerror}."
    if not isinstance(error, HydraException | OmegaConfBaseException):
        # Some faults of a command line come out of these libraries as whatever Python made of them.
        return f"{_first_line(str(error)) or type(error).__name__}" if _raised_in_library(error) else None
    text = str(error).strip()
    cause = str(error.__cause__).strip() if error.__cause__ is not None else ""
    if (key := unknown_key(error)) is not None:
        return f"Unknown key '{key}'.{suggestion(key, known_keys())}"
    if match := re.search(r"Could not find '([^']+)'", text):
        group, _, option = match.group(1).rpartition("/")
        options_text = text.partition("Available options")[2].partition("Config search path")[0]
        options = [line.strip() for line in options_text.splitlines()[1:] if line.strip()]
        allowed = f" Allowed: {', '.join(options)}." if options else ""
        return f"{group}={option}: there is no such choice.{allowed}{suggestion(option, options)}"
    if match := re.search(r"Error merging override (.*)", text):
        return f"{match.group(1)}: {_first_line(cause) or 'not allowed'}"
    if "Multiple values for" in text or "is specified more than once" in text:
        return _first_line(text)
    return "\n".join([_first_line(text), _first_line(cause)]).strip() or type(error).__name__


def unknown_key(error: BaseException) -> str | None:
    """The key that the configuration lacks, where that is what Hydra complains of."""
    match = re.search(r"Could not (?:override|append to config\.? ?).*?'([^']+)'", str(error))
    return match.group(1) if match and isinstance(error, HydraException | OmegaConfBaseException) else None


def _first_unreadable(path: Path) -> Path | None:
    """The first folder on the way to a path, or the path itself, that the system does not let be read."""
    for folder in reversed(path.parents):
        if folder.is_dir() and not os.access(folder, os.X_OK):
            return folder
    needed = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    return path if path.exists() and not os.access(path, needed) else None


def _raised_in_library(error: BaseException) -> bool:
    trace = error.__traceback__
    name = ""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return name.partition(".")[0] in _LIBRARIES


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
