"""What may be executed that a study's folder names, and what the user is asked about first.

A study's folder names code: where its task is, the command that made it, the overrides of its levels. In a study of the
user's own commands this is signed. What came from elsewhere is executed only after it was shown and agreed to, and
agreeing signs nothing: the next time it is asked about again.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ablate.characters import one_line
from ablate.errors import StoreError
from ablate.store.records import StudyRecord
from ablate.store.signatures import is_signed, make_key, sign
from ablate.study import Factor

Ask = Callable[[str], bool]
"""Shows a text that says what would be executed; returns whether the user agrees."""

_TRUSTED: ContextVar[bool] = ContextVar("executes_a_trusted_study", default=False)


def override_lines(factors: Iterable[Factor]) -> list[str]:
    """The overrides of all levels of factors, each once."""
    return sorted({line for factor in factors for level in factor.levels for line in level.overrides})


def signed_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a command for the history, with a signature of what it executes.

    It has none while a study that came from elsewhere is executed.

    Args:
        event: The entry, with ``task``, ``command`` and ``overrides``.

    Raises:
        StoreError: If there is no key and none can be made.
    """
    if _TRUSTED.get():
        return dict(event)
    make_key()
    return {**event, "signature": sign(_executed(event))}


def is_own_command(event: Mapping[str, Any]) -> bool:
    """Whether an entry of a history is of a command of this user's."""
    return _is_command(event) and is_signed(_executed(event), event.get("signature"))


def last_command(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The last command of this user's in a history; without one the last that can be given again, or else None."""
    commands = [event for event in history if _is_command(event)]
    own = [event for event in commands if is_own_command(event)]
    return next(reversed(own or commands), None)


def foreign_overrides(record: StudyRecord, own: Iterable[str] = ()) -> list[str]:
    """The overrides of a study's levels that no command of this user's brought.

    Args:
        record: What the study's folder holds.
        own: Overrides that were typed now.
    """
    own_lines = {*own, *(line for event in record.history if is_own_command(event) for line in event["overrides"])}
    return [line for line in override_lines(record.plan.factors) if line not in own_lines]


def require_trust(what: Sequence[tuple[str, str]], command: str, trust: bool, ask: Ask | None) -> None:
    """Go on only if the user agrees to what would be executed.

    Args:
        what: What would be executed: pairs of a title and a text.
        command: What to type to agree to it.
        trust: Whether the user has agreed already.
        ask: Asks the user; None where there is nobody to ask.

    Raises:
        StoreError: If the user does not agree, or cannot be asked.
    """
    if trust:
        return
    width = max(len(title) for title, _ in what)
    lines = [f"  {title:{width}}  {one_line(text)}" for title, text in what]
    text = "\n".join(["This was not made by a command of yours on this machine. It would execute:", *lines])
    if ask is None:
        raise StoreError(
            f"{text}\nLook at it first. If you trust where it comes from, type: {one_line(command)}\n"
            "(in Python: trust=True). Nothing was executed."
        )
    if not ask(text):
        raise StoreError("Nothing was executed.")


@contextmanager
def executing_trusted() -> Iterator[None]:
    """Execute a study that came from elsewhere, which the user agreed to, for the time of a ``with`` block."""
    token = _TRUSTED.set(True)
    try:
        yield
    finally:
        _TRUSTED.reset(token)


def is_executing_trusted() -> bool:
    """Whether a study that came from elsewhere is executed, which the user agreed to."""
    return _TRUSTED.get()


def described_task(task: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Where a task comes from, as pairs of a title and a text."""
    if task["module"] == "__main__":
        return ("script", task["file"]), ("function", task["name"])
    return ("module", task["module"]), ("function", task["name"])


def described_command(event: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What giving a command again executes, as pairs of a title and a text."""
    return (*described_task(event["task"]), ("command", shlex.join(event["command"])))


def _executed(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: event.get(key) for key in ("task", "command", "overrides")}


def _is_command(event: Mapping[str, Any]) -> bool:
    """Whether an entry of a history names a command and its task, as plain texts."""
    task, command = event.get("task"), event.get("command")
    if not isinstance(task, Mapping) or not isinstance(command, list | tuple):
        return False
    return all(isinstance(text, str) for text in (*command, *(task.get(key) for key in ("module", "name", "file"))))
