"""What to tell a user whose overrides Hydra refuses."""

from __future__ import annotations

import errno
import os
import re
import shlex
import traceback
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ablate.app.schema import conf_dir, data_settings, register
from ablate.errors import suggestion
from ablate.sweep.factors import error_text, task_keys
from ablate.sweep.sweeper import fault_text

_LIBRARIES = ("antlr4", "hydra", "omegaconf", "yaml")


def explain_error(error: BaseException, arguments: Sequence[str]) -> str | None:
    """The message for a user whose command line was refused, with the command to type instead where there is one.

    Args:
        error: What was raised.
        arguments: The command line without the program's name.

    Returns:
        A few lines, or None if the error is not about the command line, a file or a folder.
    """
    if isinstance(error, OSError) and isinstance(error.filename, str):
        if error.errno == errno.ENAMETOOLONG:
            return fault_text(error)
        if (unreadable := _first_unreadable(Path(error.filename))) is not None:
            return f"Cannot read '{os.path.relpath(unreadable)}': {error.strerror}."
        return fault_text(error)
    if isinstance(error, RecursionError):
        return "A path, key or value of the command line is nested too deeply."
    if not isinstance(error, HydraException | OmegaConfBaseException):
        # Some faults of a command line come out of these libraries as whatever Python made of them.
        return error_text(error) if _raised_in_library(error) else None
    text = str(error).strip()
    if match := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", text):
        command = f"python -m ablate -m {' '.join(arguments)}"
        return f"{match.group(1)}: several levels are a study; add -m:\n  {command}"
    if match := re.search(r"Could not (?:override|append to config\.? ?).*?'([^']+)'", text):
        key = match.group(1)
        return (
            _studies_by_choice(key, arguments)
            or _source_with(key, arguments)
            or f"Unknown key '{key}'.{suggestion(key, _keys())}"
        )
    if match := re.search(r"Could not find '([^']+)'", text):
        group, _, option = match.group(1).rpartition("/")
        options_text = text.partition("Available options")[2].partition("Config search path")[0]
        options = [line.strip() for line in options_text.splitlines()[1:] if line.strip()]
        allowed = f" Allowed: {', '.join(options)}." if options else ""
        if group == "data":
            return f"data={option}: there is no such choice.{allowed} {_ways_to_data(option, options)}"
        return f"{group}={option}: there is no such choice.{allowed}{suggestion(option, options)}"
    if match := re.search(r"Error merging override (.*)", text):
        return f"{match.group(1)}: {error_text(error)}"
    return fault_text(error)


def _source_with(key: str, arguments: Sequence[str]) -> str | None:
    """What to type where a key of ``data`` belongs to another source of images than the chosen one."""
    name = key.removeprefix("data.")
    sources = [source for source, settings in data_settings().items() if name in settings]
    if name == key or not sources:
        return None
    chosen = next((one.partition("=")[2] for one in arguments if one.startswith("data=")), "digits")
    setting = next((one for one in arguments if one.lstrip("+").startswith(f"{key}=")), f"{key}=...")
    ways = " or ".join(f"data={source} {shlex.quote(setting.lstrip('+'))}" for source in sources)
    return f"data={chosen} has no key '{name}'. With {'that' if len(sources) == 1 else 'one of those'} it has: {ways}."


def _ways_to_data(option: str, options: Sequence[str]) -> str:
    """Where a data set may come from that is no ready choice."""
    if Path(option).expanduser().is_dir():
        return f"There is a folder of that name: data=folder data.path={shlex.quote(option)}."
    near = suggestion(option, options)
    # 'cifar100' is no misspelt 'cifar10'.
    near = "" if any(option.startswith(known) or known.startswith(option) for known in options) else near
    sources = f"data=tfds data.name={option}. Images in files: data=folder data.path=..."
    return f"Any set of tensorflow-datasets: {sources}{near}"


def _studies_by_choice(key: str, arguments: Sequence[str]) -> str | None:
    """Commands for a study that sweeps a group (``data=digits,telugu``) of which not every choice has a key."""
    group = key.partition(".")[0]
    swept = next((argument for argument in arguments if argument.startswith(f"{group}=") and "," in argument), None)
    if swept is None:
        return None
    choices = swept.partition("=")[2].split(",")
    lacking = [choice for choice in choices if key not in _keys(f"{group}={choice}")]
    if lacking == choices:
        return None
    setting = next((argument for argument in arguments if argument.lstrip("+").startswith(f"{key}=")), key)
    dropped = ("-m", "--multirun", swept, setting)
    rest = [argument for argument in arguments if argument not in dropped and not argument.startswith("study.name=")]
    lines = [
        f"{setting}: {group}={','.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no such key. Make a study of "
        "each, and one report of all:"
    ]
    for choice in choices:
        overrides = [
            f"{group}={choice}",
            *([] if choice in lacking else [setting]),
            *rest,
            f"study.name={choice}",
        ]
        lines.append(f"  python -m ablate -m {' '.join(overrides)}")
    return "\n".join([*lines, f"  python -m ablate report {' '.join(choices)} --into {'_'.join(choices)}"])


def _keys(*overrides: str) -> list[str]:
    """All keys of our own configuration under some overrides; none where these do not compose."""
    GlobalHydra.instance().clear()
    register()  # a verb may have failed before the application was imported
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        try:
            return task_keys(compose("config", list(overrides)))
        except HydraException:
            return []


def _first_unreadable(path: Path) -> Path | None:
    """The first folder on the way to a path, or the path itself, that the system does not let be read."""
    for place in (*reversed(path.parents), path):
        if place.exists() and not os.access(place, os.X_OK if place.is_dir() else os.R_OK):
            return place
    return None


def _raised_in_library(error: BaseException) -> bool:
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].partition(".")[0] in _LIBRARIES
