"""Overrides as users type them, and what to tell a user whose overrides Hydra refuses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException

from ablate.app.schema import conf_dir
from ablate.sweep.factors import task_keys
from ablate.sweep.messages import explain, unknown_key

__all__ = ["explain_error", "with_quotes"]

_LIMIT = re.compile(r"(?P<plus>\+{0,2})(?:only\.(?P<name>\w+)|(?P<first>\w+)\.only)=(?P<value>.*)", re.DOTALL)
_LIST = re.compile(r"\[(.*,.*|['\"].*)\]", re.DOTALL)


def with_quotes(word: str) -> str:
    """A word of the command line with patterns of layer names as Hydra understands them.

    Hydra's grammar has no ``*`` and no ``[3-5]`` outside quotes, which the shell takes away. And ``residual.only=...``
    is another way to type ``only.residual=...``. All else is left to Hydra.

    Args:
        word: As typed.

    Example:
        >>> print(with_quotes("residual.only=block[3-5]*"))
        only.residual="block[3-5]*"
        >>> print(with_quotes("only.bias=[conv1*,conv2*]"), with_quotes("only.bias=a*,null"), with_quotes("head=gap"))
        only.bias=["conv1*","conv2*"] only.bias="a*",null head=gap
    """
    match = _LIMIT.fullmatch(word)
    if match is None:
        return word
    value = match["value"]
    items = _LIST.fullmatch(value)
    quoted = f"[{_quoted(items[1])}]" if items else _quoted(value)
    return f"{match['plus']}only.{match['name'] or match['first']}={quoted}"


def _quoted(values: str) -> str:
    """Values between commas, each that is a pattern in quotes."""
    return ",".join(
        f'"{value}"' if re.search(r"[*?\[\]!]", value) and not value.startswith(("'", '"')) else value
        for value in values.split(",")
    )


def explain_error(error: BaseException, arguments: Sequence[str]) -> str | None:
    """The message for a user whose command line was refused, with the command to type instead where there is one.

    Args:
        error: What was raised.
        arguments: The command line without the program's name.

    Returns:
        A few lines, or None if the error is not about the command line, a file or a folder.
    """
    match = re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", str(error).strip())
    if match and isinstance(error, HydraException):
        command = f"python -m ablate -m {' '.join(arguments)}"
        return f"{match.group(1)}: several levels are a study; add -m:\n  {command}"
    key = unknown_key(error)
    advice = None if key is None else _studies_by_choice(key, arguments)
    return advice or explain(error, _keys)


def _studies_by_choice(key: str, arguments: Sequence[str]) -> str | None:
    """Commands for a study that sweeps a group (``data=digits,telugu``) of which not every choice has a key."""
    group = key.partition(".")[0]
    swept = next((word for word in arguments if word.startswith(f"{group}=") and "," in word), None)
    if swept is None:
        return None
    choices = [choice.strip() for choice in swept.partition("=")[2].split(",")]
    having = [choice for choice in choices if key in _keys(f"{group}={choice}")]
    if not having:
        return None
    lacking = [choice for choice in choices if choice not in having]
    line = next((word for word in arguments if word.lstrip("+").startswith(f"{key}=")), key)
    rest = [
        word
        for word in arguments
        if word not in ("-m", "--multirun", swept, line) and not word.startswith(("study.name=", "study.dry_run="))
    ]
    commands = [
        " ".join(["python -m ablate -m", f"{group}={choice}", *([line] if choice in having else []), *rest])
        + f" study.name={choice}"
        for choice in choices
    ]
    reason = f"{_subject(group, having)} this key, {_subject(group, lacking)} not"
    return "\n".join(
        [
            f"{line}: {reason}. Make a study of each, and one report of all:",
            *(f"  {command}" for command in commands),
            f"  python -m ablate report {' '.join(choices)} --into {'_'.join(choices)}",
        ]
    )


def _subject(group: str, names: Sequence[str]) -> str:
    return f"{group}={','.join(names)} {'has' if len(names) == 1 else 'have'}"


def _keys(*overrides: str) -> list[str]:
    """All keys of our own configuration under some overrides; none where these do not compose."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        try:
            return task_keys(compose("config", list(overrides)))
        except HydraException:
            return []
