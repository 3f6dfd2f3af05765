"""Hydra's complaints in words that say what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import suggestion

__all__ = ["explain"]

_LIBRARIES = ("antlr4", "hydra", "omegaconf", "yaml")


def explain(error: BaseException, arguments: Sequence[str]) -> str | None:
    """What to tell a user whose command line Hydra refused.

    Args:
        error: What Hydra or OmegaConf raised.
        arguments: The command line without the program's name.

    Returns:
        A few lines, or None if the error is neither theirs nor about a file or folder.
    """
    if isinstance(error, OSError) and isinstance(error.filename, str):
        if (closed := _closed(Path(error.filename))) is not None:
            here = Path.cwd()
            return f"Cannot read '{closed.relative_to(here) if here in closed.parents else closed}': {error.strerror}."
        return f"Cannot write to the output folder '{error.filename}': {error.strerror}."
    if not isinstance(error, HydraException | OmegaConfBaseException):
        # Some faults of a command line come out of these libraries as whatever Python made of them.
        return f"{_first_line(str(error)) or type(error).__name__}" if _raised_in_library(error) else None
    text = str(error).strip()
    cause = str(error.__cause__).strip() if error.__cause__ is not None else ""
    if match := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", text):
        line = match.group(1)
        return f"{line}: several levels are a study; add -m:\n  python -m ablate -m {' '.join(arguments)}"
    if match := re.search(r"Could not (?:override|append to config\.? ?).*?'([^']+)'", text):
        key = match.group(1)
        return _of_some_choices(key, arguments) or f"Unknown key '{key}'.{suggestion(key, _keys_with())}"
    if match := re.search(r"Could not find '([^']+)'", text):
        group, _, option = match.group(1).rpartition("/")
        listing = text.partition("Available options")[2].partition("Config search path")[0]
        options = [line.strip() for line in listing.splitlines()[1:] if line.strip()]
        listed = f" Allowed: {', '.join(options)}." if options else ""
        return f"{group}={option}: there is no such choice.{listed}{suggestion(option, options)}"
    if match := re.search(r"Error merging override (.*)", text):
        return f"{match.group(1)}: {_first_line(cause) or 'not allowed'}"
    if "Multiple values for" in text or "is specified more than once" in text:
        return _first_line(text)
    return "\n".join([_first_line(text), _first_line(cause)]).strip() or type(error).__name__


def _closed(path: Path) -> Path | None:
    """The first folder on the way to a path, or what is there, that the system does not let be read; None if all is."""
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


def _of_some_choices(key: str, arguments: Sequence[str]) -> str | None:
    """What to say about a key that not all choices of a group have between which a study shall compare."""
    group = key.partition(".")[0]
    swept = next((word for word in arguments if word.startswith(f"{group}=") and "," in word), None)
    if swept is None:
        return None
    choices = [choice.strip() for choice in swept.partition("=")[2].split(",")]
    has = [choice for choice in choices if key in _keys_with(f"{group}={choice}")]
    if not has:
        return None
    line = next((word for word in arguments if word.lstrip("+").startswith(f"{key}=")), key)
    lack = [choice for choice in choices if choice not in has]
    rest = [word for word in arguments if word not in ("-m", "--multirun", swept, line)]
    rest = [word for word in rest if not word.startswith(("study.name=", "study.dry_run="))]
    commands = [
        " ".join(["python -m ablate -m", f"{group}={choice}", *([line] if choice in has else []), *rest])
        + f" study.name={choice}"
        for choice in choices
    ]
    said = f"{_choices(group, has)} this key, {_choices(group, lack)} not"
    return "\n".join(
        [
            f"{line}: {said}. Make a study of each, and one report of all:",
            *(f"  {command}" for command in commands),
            f"  python -m ablate report {' '.join(choices)} --into {'_'.join(choices)}",
        ]
    )


def _choices(group: str, names: Sequence[str]) -> str:
    return f"{group}={','.join(names)} {'has' if len(names) == 1 else 'have'}"


def _keys_with(*overrides: str) -> list[str]:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    from ablate.config import conf_dir
    from ablate.sweep.factors import task_keys

    GlobalHydra.instance().clear()
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        try:
            return task_keys(compose("config", list(overrides)))
        except HydraException:
            return []
