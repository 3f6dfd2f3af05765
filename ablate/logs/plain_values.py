"""YAML and JSON of others as plain values: no objects, and no more of them than fit into memory and the stack."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from ablate.logs.printing import short_line
from ablate.logs.regular_files import UnreadableFile

_MOST_VALUES = 1_000_000
_LONGEST_WRITTEN_OUT = 10_000_000  # characters, with every alias written out
_DEEPEST = 100
_LONGEST_NUMBER = 300  # characters; a longer whole number is none that a float can hold


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values only; numbers such as 1e-3 as Hydra reads them."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag of a value; a text of very many characters is no number, whose conversion could take for ever."""
        if kind is yaml.ScalarNode and implicit[0] and len(value) > _LONGEST_NUMBER:
            return "tag:yaml.org,2002:str"
        return super().resolve(kind, value, implicit)


# YAML 1.1 takes 1e-3 for a text; without this, one learning rate would have two levels.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*(?:[eE][-+]?\d+)|\.\d[\d_]*(?:[eE][-+]?\d+)?)$"),
    list("-+0123456789."),
)


def parse_yaml(text: str) -> Any:
    """The plain values in a YAML text: no objects, no interpolation.

    Raises:
        UnreadableFile: If it is not that, or stands for too many values.
    """
    try:
        if "&" in text and "*" in text:
            _check_aliases(text)
        return _checked(yaml.load(text, Loader=_Loader))  # a subclass of the safe loader
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise UnreadableFile(f"is no plain YAML{where}: {_brief(getattr(error, 'problem', None) or error)}") from error


def parse_json(text: str) -> Any:
    """The values in a JSON text.

    Raises:
        UnreadableFile: If it is none, or stands for too many values.
    """
    try:
        return _checked(json.loads(text, parse_int=_whole_number))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"is no JSON: {_brief(error)}") from error


def _whole_number(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _brief(reason: object) -> str:
    return short_line(str(reason)[:200])


def _check_aliases(text: str) -> None:
    """Refuse a text whose aliases stand for more values than fit into memory; nothing is built to see that."""
    sizes: dict[str, int] = {}  # by anchor, what it stands for in characters and values
    open_nodes: list[tuple[str | None, int]] = []  # the anchors of what has begun and not ended, with the sizes so far
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        anchor: str | None = getattr(event, "anchor", None)
        ended: tuple[str | None, int] | None = None
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.pop(anchor or "", None)
            open_nodes.append((anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = open_nodes.pop()
        elif isinstance(event, yaml.ScalarEvent):
            ended = anchor, 1 + len(event.value)
        elif isinstance(event, yaml.AliasEvent):
            if anchor not in sizes and any(anchor == name for name, _ in open_nodes):
                raise UnreadableFile(f"contains itself at the alias '{_brief(anchor)}'")
            ended = None, sizes.get(anchor or "", 1)
        if ended is None:
            continue
        name, size = ended
        if name is not None:
            sizes[name] = size
        if open_nodes:
            outer, so_far = open_nodes[-1]
            open_nodes[-1] = outer, so_far + size
        total = max(total, size, open_nodes[-1][1] if open_nodes else 0)
        if total > _LONGEST_WRITTEN_OUT:
            raise UnreadableFile(
                f"stands for more than {_LONGEST_WRITTEN_OUT:,} characters once its aliases are written out"
            )


def _checked(value: Any) -> Any:
    """Values that are neither too many nor too deep, nor hold a number that is too large for a float."""
    level, count = [value], 1
    for _ in range(_DEEPEST + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                inner += one.values()
            elif isinstance(one, list | tuple | set):
                inner += one
            elif isinstance(one, int) and abs(one) > 10**_LONGEST_NUMBER:
                raise UnreadableFile(f"holds a whole number of more than {_LONGEST_NUMBER} digits")
        count += len(inner)
        if count > _MOST_VALUES:
            raise UnreadableFile(f"holds more than {_MOST_VALUES:,} values")
        if not inner:
            return value
        level = inner
    raise UnreadableFile(f"is nested more than {_DEEPEST} levels deep")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values as one level of dotted keys.

    Example:
        >>> flatten({"a": {"b": 1}, "c": [1, 2]})
        {'a.b': 1, 'c': [1, 2]}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat
