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
from dataclasses import dataclass
from typing import Any

from ablate.errors import suggestion

MISSING = "???"
"""What OmegaConf writes for a value that has to be given."""

_LONGEST = 50  # assignment on a help page; a longer one would leave no room for its description


@dataclass(frozen=True)
class Rule:
    """What a key may hold.

    Args:
        allows: Whether it may hold a value.
        description: What it may hold, as the end of a sentence that begins with "must be".
        names: The names that it may hold, from which a message suggests the nearest.

    Example:
        >>> even = Rule(lambda value: value % 2 == 0, "an even number")
        >>> setting_fault("size", 3, Setting(2, even))
        'size=3: must be an even number.'
    """

    allows: Callable[[Any], bool]
    description: str
    names: tuple[str, ...] = ()


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


def check_section(
    section: str, config: Mapping[str, Any], settings: Mapping[str, Setting]
) -> tuple[dict[str, Any], list[str]]:
    """The section with its defaults filled in, and every fault in it.

    Args:
        section: Name of the section, for the messages: ``"train"``; empty for keys that stand in none.
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
    unknown = [
        f"{section} has no key '{key}'.{suggestion(str(key), settings) or keys}"
        for key in config
        if key not in settings
    ]
    values = {key: config.get(key, setting.default) for key, setting in settings.items()}
    prefix = f"{section}." if section else ""
    wrong = [setting_fault(f"{prefix}{key}", values[key], setting) for key, setting in settings.items()]
    return values, [*unknown, *filter(None, wrong)]


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
    rule = setting.rule
    if rule.allows(value):
        return None
    return f"{key}={written(value)}: must be {rule.description}.{suggestion(str(value).lower(), rule.names)}"


def written(value: Any) -> str:
    """A value as it is typed on the command line.

    Example:
        >>> written(None), written(True), written(0.5), written(("a", "b"))
        ('null', 'true', '0.5', '[a,b]')
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def assignment(key: str, value: Any) -> str:
    """``key=value`` for a help page; the key alone where the value is a mapping or takes too much room.

    Example:
        >>> assignment("study.margin", None), assignment("study.requires", {"a": 1})
        ('study.margin=null', 'study.requires')
    """
    typed = f"{key}={written(value)}"
    return key if isinstance(value, Mapping) or len(typed) > _LONGEST else typed


def anything() -> Rule:
    """Any value."""
    return Rule(lambda value: True, "anything")


def whole(low: int, high: int | None = None) -> Rule:
    """A whole number of at least ``low``, and at most ``high`` where that is given."""

    def allows(value: Any) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and value >= low and (high is None or value <= high)

    return Rule(allows, f"a whole number {f'of at least {low}' if high is None else f'from {low} to {high}'}")


def number(low: float = -math.inf, high: float = math.inf, *, open_low: bool = False, open_high: bool = False) -> Rule:
    """A finite number between ``low`` and ``high``, the ends included unless stated otherwise."""
    bounds = []
    if low != -math.inf:
        bounds.append(f"above {low:g}" if open_low else f"of at least {low:g}")
    if high != math.inf:
        bounds.append(f"{'below' if open_high else 'at most'} {high:g}")

    def allows(value: Any) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        try:
            if not math.isfinite(value):
                return False
        except OverflowError:  # a whole number beyond all floating-point numbers
            return False
        return (value > low if open_low else value >= low) and (value < high if open_high else value <= high)

    return Rule(allows, " ".join(["a number", " and ".join(bounds)]).strip())


def fraction() -> Rule:
    """A number above 0 and below 1."""
    return number(0, 1, open_low=True, open_high=True)


def flag() -> Rule:
    """True or false."""
    return Rule(lambda value: isinstance(value, bool), "true or false")


def choice(allowed: Iterable[str]) -> Rule:
    """One of the given names; a message suggests the nearest."""
    names = tuple(sorted(allowed))
    one_of = "one of " if len(names) > 1 else ""
    return Rule(lambda value: isinstance(value, str) and value in names, f"{one_of}{', '.join(names)}", names)


def text() -> Rule:
    """A text that is not empty."""
    return Rule(lambda value: isinstance(value, str) and bool(value.strip()), "a text that is not empty")


def mapping(item: Rule | None = None, description: str = "a mapping") -> Rule:
    """A mapping with text keys.

    Args:
        item: What each value may be; None for anything.
        description: What the mapping is, with an example, for the message.
    """
    item = item or anything()

    def allows(value: Any) -> bool:
        if not isinstance(value, Mapping):
            return False
        return all(isinstance(key, str) and item.allows(one) for key, one in value.items())

    return Rule(allows, description)


def list_of(item: Rule, description: str, *, length: int | None = None, empty: bool = True) -> Rule:
    """A list whose items follow a rule.

    Args:
        item: What each item may be.
        description: What the list is, with an example, for the message.
        length: How many items it has, or None for any number.
        empty: Whether it may be empty.
    """

    def allows(value: Any) -> bool:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        return length in (None, len(value)) and (empty or len(value) > 0) and all(map(item.allows, value))

    return Rule(allows, description)


def sizes() -> Rule:
    """Pixels: one whole number, or height and width."""
    return either(whole(1), list_of(whole(1), "two of them: [height, width]", length=2))


def either(*rules: Rule) -> Rule:
    """What any of the rules allows; the message names all of them."""
    return Rule(
        lambda value: any(rule.allows(value) for rule in rules),
        ", or ".join(rule.description for rule in rules),
        tuple(name for rule in rules for name in rule.names),
    )


def optional(rule: Rule) -> Rule:
    """What ``rule`` allows, or null."""
    return either(rule, Rule(lambda value: value is None, "null"))


def config_node(settings: Mapping[str, Setting], fallback: str = "", resolver: str = "oc.select") -> dict[str, Any]:
    """A node of Hydra's configuration: the default of every key.

    Its values have no types, so that the checks and messages are those of the rules.

    Args:
        settings: The keys.
        fallback: Section whose value of the same key, where the configuration has that section, replaces the default.
        resolver: The resolver that looks there.

    Example:
        >>> config_node({"epochs": Setting(10, whole(1))})
        {'epochs': 10}
        >>> config_node({"seeds": Setting(3, whole(1))}, fallback="study")
        {'seeds': '${oc.select:study.seeds,3}'}
    """
    node = {}
    for key, setting in settings.items():
        source = f"{fallback}.{key}" if fallback else setting.fallback
        node[key] = f"${{{resolver}:{source},{written(setting.default)}}}" if source else copy.deepcopy(setting.default)
    return node
