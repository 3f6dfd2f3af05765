"""Declarations of configuration keys: name, default, rule, one-line description.

A section of the configuration is declared once, as a mapping from key to :class:`Setting`; its nodes in Hydra's
configuration, its checks and messages, the help page and keyword arguments follow from it.

```python
SETTINGS = {
    "epochs": Setting(10, whole(1), "how often the network sees the training part"),
    "schedule": Setting("constant", choice(("constant", "cosine")), "of the learning rate"),
}
values, faults = check_section("train", {"epochs": -1}, SETTINGS)
```
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ablate.errors import suggestion

MISSING = "???"
"""What OmegaConf writes for a value that has to be given."""

Rule = Callable[[Any], str | None]
"""Takes a value; returns ``None`` where it is allowed, and otherwise a description of what would be."""


@dataclass(frozen=True)
class Setting:
    """One key of a section.

    Args:
        default: The value where the configuration lacks the key.
        rule: What the key may hold.
        description: What it does, in one line, for the help page.
        fallback: Dotted key of another section whose value, where it is set, replaces the default.
    """

    default: Any
    rule: Rule
    description: str = ""
    fallback: str | None = None

    @property
    def node(self) -> Any:
        """The default as Hydra's configuration holds it."""
        if self.fallback is None:
            return self.default
        return f"${{oc.select:{self.fallback},{written(self.default)}}}"


def check_section(
    section: str, config: Mapping[str, Any], settings: Mapping[str, Setting]
) -> tuple[dict[str, Any], list[str]]:
    """The section with its defaults filled in, and every fault in it.

    Args:
        section: Name of the section, for the messages: ``"train"``.
        config: What the user wrote.
        settings: The keys that the section has.

    Returns:
        The values by key, in the order of ``settings``, and one sentence a fault.

    Example:
        >>> values, faults = check_section("train", {"epoch": 3}, {"epochs": Setting(10, whole(1))})
        >>> values, faults
        ({'epochs': 10}, ["train has no key 'epoch'. Did you mean 'epochs'?"])
    """
    keys = f" Keys: {', '.join(sorted(settings))}."
    faults = [
        f"{section} has no key '{key}'.{suggestion(str(key), settings) or keys}"
        for key in config
        if key not in settings
    ]
    values = {key: config.get(key, setting.default) for key, setting in settings.items()}
    for key, setting in settings.items():
        if (fault := setting_fault(f"{section}.{key}", values[key], setting)) is not None:
            faults.append(fault)
    return values, faults


def setting_fault(key: str, value: Any, setting: Setting) -> str | None:
    """What is wrong with the value of one key, as a sentence; None if nothing is.

    Args:
        key: The key as the user types it: ``"train.epochs"``.
        value: Its value.
        setting: Its declaration.

    Example:
        >>> setting_fault("train.epochs", -1, Setting(10, whole(1)))
        'train.epochs=-1: must be a whole number of at least 1.'
    """
    if value == MISSING:
        return f"{key} is missing: give it a value, {key}=..."
    allowed = setting.rule(value)
    if allowed is None:
        return None
    return f"{key}={written(value)}: must be {allowed}{'' if allowed.endswith('?') else '.'}"


def written(value: Any) -> str:
    """A value as it is typed on the command line.

    Example:
        >>> written(None), written(True), written(0.5), written(("a", "b"))
        ('null', 'true', '0.5', '[a,b]')
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def anything() -> Rule:
    """Any value."""
    return lambda value: None


def whole(low: int, high: int | None = None) -> Rule:
    """A whole number of at least ``low``, and at most ``high`` where that is given."""
    allowed = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def rule(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= low
        return None if good and (high is None or value <= high) else allowed

    return rule


def number(low: float = -math.inf, high: float = math.inf, *, open_low: bool = False, open_high: bool = False) -> Rule:
    """A finite number between ``low`` and ``high``, the ends included unless stated otherwise."""
    bounds = []
    if low != -math.inf:
        bounds.append(f"above {low:g}" if open_low else f"of at least {low:g}")
    if high != math.inf:
        bounds.append(f"{'below' if open_high else 'at most'} {high:g}")
    allowed = " ".join(["a number", " and ".join(bounds)]).strip()

    def rule(value: Any) -> str | None:
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        good = good and (value > low if open_low else value >= low) and (value < high if open_high else value <= high)
        return None if good else allowed

    return rule


def fraction() -> Rule:
    """A number above 0 and below 1."""
    return number(0, 1, open_low=True, open_high=True)


def flag() -> Rule:
    """True or false."""
    return lambda value: None if isinstance(value, bool) else "true or false"


def choice(allowed: Iterable[str]) -> Rule:
    """One of the given names, upper and lower case alike; the nearest is suggested."""
    names = sorted(allowed)

    def rule(value: Any) -> str | None:
        if isinstance(value, str) and value.lower() in {name.lower() for name in names}:
            return None
        near = suggestion(value.lower(), [name.lower() for name in names]) if isinstance(value, str) else ""
        return f"one of {', '.join(names)}" + (f".{near}" if near else "")

    return rule


def text() -> Rule:
    """A text that is not empty."""
    return lambda value: None if isinstance(value, str) and value.strip() else "a text that is not empty"


def mapping() -> Rule:
    """A mapping with text keys."""

    def rule(value: Any) -> str | None:
        good = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
        return None if good else "a mapping"

    return rule


def mapping_of(rule: Rule, allowed: str) -> Rule:
    """A mapping whose values follow a rule.

    Args:
        rule: What each value may be.
        allowed: What the mapping is, with an example, for the message.
    """

    def checked(value: Any) -> str | None:
        good = isinstance(value, Mapping) and all(rule(item) is None for item in value.values())
        return None if good else allowed

    return checked


def list_of(rule: Rule, allowed: str) -> Rule:
    """A list whose items follow a rule.

    Args:
        rule: What each item may be.
        allowed: What the list is, with an example, for the message.
    """

    def checked(value: Any) -> str | None:
        good = isinstance(value, Sequence) and not isinstance(value, str) and all(rule(item) is None for item in value)
        return None if good else allowed

    return checked


def sizes() -> Rule:
    """Pixels: one whole number, or height and width."""
    one = whole(1)

    def rule(value: Any) -> str | None:
        if isinstance(value, Sequence) and not isinstance(value, str):
            good = len(value) == 2 and all(one(side) is None for side in value)
        else:
            good = one(value) is None
        return None if good else "a whole number of at least 1, or two of them: [height, width]"

    return rule


def either(*rules: Rule) -> Rule:
    """What any of the rules allows; the message names all of them."""

    def rule(value: Any) -> str | None:
        allowed = [one(value) for one in rules]
        return None if None in allowed else ", or ".join(str(one) for one in allowed)

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


def config_node(settings: Mapping[str, Setting], fallback: str = "") -> dict[str, Any]:
    """A node of Hydra's configuration: the default of every key.

    Its values have no types, so that the checks and messages are those of the rules.

    Args:
        settings: The keys.
        fallback: Section whose value of the same key, where the configuration has that section, replaces the default.

    Example:
        >>> config_node({"epochs": Setting(10, whole(1))})
        {'epochs': 10}
        >>> config_node({"seeds": Setting(3, whole(1))}, fallback="study")
        {'seeds': '${oc.select:study.seeds,3}'}
    """
    if fallback:
        settings = {key: replace(setting, fallback=f"{fallback}.{key}") for key, setting in settings.items()}
    return {key: copy.deepcopy(setting.node) for key, setting in settings.items()}
