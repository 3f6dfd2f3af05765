"""What the keys of a config section may hold, and one message that names all that is wrong.

A section is described by a plain table of :class:`Option`; checking it never stops at the first fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import suggestion

__all__ = [
    "Option",
    "check",
    "choice",
    "flag",
    "fraction",
    "mapping",
    "number",
    "optional",
    "sizes",
    "text",
    "whole",
]

_MISSING = "???"
"""What OmegaConf writes for a value that has to be given."""

Rule = Callable[[Any], str | None]
"""Takes a value; gives ``None`` where it is allowed, and otherwise the words for what would be."""


@dataclass(frozen=True)
class Option:
    """One key of a section.

    Args:
        default: The value where the config lacks the key.
        rule: What the key may hold.
    """

    default: Any
    rule: Rule


def check(section: str, config: Mapping[str, Any], options: Mapping[str, Option]) -> tuple[dict[str, Any], list[str]]:
    """The section with its defaults filled in, and every fault found in it.

    Args:
        section: Name of the section, for the messages: ``"train"``.
        config: What the user gave.
        options: The keys that the section has.

    Returns:
        The values by key, in the order of ``options``, and one sentence a fault.
    """
    faults = [
        f"{section} has no key '{key}'.{suggestion(str(key), options) or ' Keys: ' + ', '.join(sorted(options)) + '.'}"
        for key in config
        if key not in options
    ]
    values = {key: config.get(key, option.default) for key, option in options.items()}
    for key, option in options.items():
        if values[key] == _MISSING:
            faults.append(f"{section}.{key} is missing: give it a value, {section}.{key}=...")
            continue
        allowed = option.rule(values[key])
        if allowed is not None:
            end = "" if allowed.endswith("?") else "."
            faults.append(f"{section}.{key}={_shown(values[key])}: must be {allowed}{end}")
    return values, faults


def whole(least: int) -> Rule:
    """A whole number of at least ``least``."""

    def rule(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return None if good else f"a whole number of at least {least}"

    return rule


def number(low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False) -> Rule:
    """A finite number between ``low`` and ``high``, the ends counted in unless said otherwise."""
    words = f"above {low:g}" if open_low else f"of at least {low:g}"
    if high != math.inf:
        words += f" and {'below' if open_high else 'at most'} {high:g}"

    def rule(value: Any) -> str | None:
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        good = good and (value > low if open_low else value >= low) and (value < high if open_high else value <= high)
        return None if good else f"a number {words}"

    return rule


def fraction() -> Rule:
    """A number above 0 and below 1."""
    return number(0, 1, open_low=True, open_high=True)


def flag() -> Rule:
    """True or false."""
    return lambda value: None if isinstance(value, bool) else "true or false"


def choice(allowed: Iterable[str]) -> Rule:
    """One of the given words, upper and lower case alike; the nearest is named."""
    words = sorted(allowed)

    def rule(value: Any) -> str | None:
        if isinstance(value, str) and value.lower() in {word.lower() for word in words}:
            return None
        near = suggestion(value.lower(), [word.lower() for word in words]) if isinstance(value, str) else ""
        return f"one of {', '.join(words)}" + (f".{near}" if near else "")

    return rule


def text() -> Rule:
    """A word that is not empty."""
    return lambda value: None if isinstance(value, str) and value.strip() else "a text that is not empty"


def mapping() -> Rule:
    """A mapping with text keys."""

    def rule(value: Any) -> str | None:
        good = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
        return None if good else "a mapping"

    return rule


def sizes() -> Rule:
    """Pixels: one whole number, or height and width."""
    one = whole(1)

    def rule(value: Any) -> str | None:
        if isinstance(value, Sequence) and not isinstance(value, str):
            good = len(value) == 2 and all(one(part) is None for part in value)
        else:
            good = one(value) is None
        return None if good else "a whole number of at least 1, or two of them: [height, width]"

    return rule


def optional(rule: Rule) -> Rule:
    """What ``rule`` allows, or null."""

    def widened(value: Any) -> str | None:
        if value is None:
            return None
        allowed = rule(value)
        if allowed is None:
            return None
        kind, stop, near = allowed.partition(". ")
        return f"{kind}, or null{stop}{near}"

    return widened


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
