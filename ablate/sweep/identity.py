"""What makes two runs the same run: their resolved configuration, hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

from ablate.logs.plain_values import flatten as flatten

VOLATILE = ("now", "oc.env", "oc.decode", "hydra", "python_version")
"""Resolvers whose result depends on the time, machine or job, so that it must not be part of a run's identity."""


class _Absent(Enum):
    ABSENT = "absent"


ABSENT = _Absent.ABSENT
"""The value of a key that a configuration lacks."""


def run_id(configuration: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for a configuration.

    Example:
        >>> run_id({"seed": 0, "residual": True}) == run_id({"residual": True, "seed": 0})
        True
    """
    text = json.dumps(configuration, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def resolved_values(config: DictConfig) -> dict[str, Any]:
    """The configuration of a task as plain values.

    Args:
        config: The composed configuration; ``hydra`` in it is left out.

    Returns:
        Nested plain values with all interpolations resolved, except those of volatile resolvers such as ``${now:}``,
        which stay as they are written.
    """
    task = task_config(config) if "hydra" in config else config
    OmegaConf.clear_cache(task)
    with _unresolved_volatile():
        try:
            values = OmegaConf.to_container(task, resolve=True, enum_to_str=True)
        except OmegaConfBaseException:
            # An interpolation that only a running job can resolve stays as text.
            values = OmegaConf.to_container(task, resolve=False, enum_to_str=True)
    return _json_values(values)  # type: ignore[no-any-return]


def _json_values(value: Any) -> Any:
    """What JSON makes of a value, so that a plan that was written and read again compares equal."""
    if isinstance(value, Mapping):
        return {str(key): _json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_values(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def task_config(config: DictConfig) -> DictConfig:
    """A copy of a configuration without its ``hydra`` node."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


@contextmanager
def _unresolved_volatile() -> Iterator[None]:
    """Volatile resolvers return their own interpolations for the time of a ``with`` block."""
    # OmegaConf can replace a resolver but not hand one back, so the table itself is saved and restored.
    saved = dict(BaseContainer._resolvers)
    try:
        for name in VOLATILE:
            OmegaConf.register_new_resolver(name, _interpolation_writer(name), replace=True)
        yield
    finally:
        BaseContainer._resolvers.clear()
        BaseContainer._resolvers.update(saved)


def _interpolation_writer(name: str) -> Callable[..., str]:
    return lambda *arguments: f"${{{name}:{','.join(map(str, arguments))}}}"


def drop_keys(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """A copy of nested values from which some dotted keys are dropped.

    Example:
        >>> drop_keys({"a": 1, "b": {"c": 2, "d": 3}}, ["b.c", "x"])
        {'a': 1, 'b': {'d': 3}}
    """
    remaining = dict(values)
    for key in keys:
        head, _, rest = key.partition(".")
        if not rest:
            remaining.pop(head, None)
        elif isinstance(remaining.get(head), Mapping):
            remaining[head] = drop_keys(remaining[head], [rest])
    return remaining


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys in which two configurations differ, each with both values; :data:`ABSENT` where one lacks it.

    Example:
        >>> differences({"train": {"epochs": 5}, "a": 1}, {"train": {"epochs": 9}, "a": 1})
        {'train.epochs': (5, 9)}
    """
    before, after = flatten(old), flatten(new)
    pairs = {key: (before.get(key, ABSENT), after.get(key, ABSENT)) for key in sorted(before.keys() | after.keys())}
    return {key: pair for key, pair in pairs.items() if _value_text(pair[0]) != _value_text(pair[1])}


def difference_lines(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The differences between two configurations as text, one line for each key.

    Example:
        >>> difference_lines({"train": {"epochs": 5}, "a": 1}, {"train": {"epochs": 9}, "b": 2})
        ['a: 1 -> absent', 'b: absent -> 2', 'train.epochs: 5 -> 9']
    """
    return [f"{key}: {_value_text(was)} -> {_value_text(now)}" for key, (was, now) in differences(old, new).items()]


def _value_text(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    return value if isinstance(value, str) else json.dumps(value, default=str)
