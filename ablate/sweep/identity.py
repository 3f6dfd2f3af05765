"""What makes two runs the same run: their resolved configuration, hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

VOLATILE = ("now", "oc.env", "oc.decode", "hydra", "python_version")
"""Resolvers that give something else from one call, machine or job to the next, so that it cannot tell runs apart."""


def run_id(configuration: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for a configuration.

    Example:
        >>> run_id({"seed": 0, "residual": True}) == run_id({"residual": True, "seed": 0})
        True
    """
    text = json.dumps(configuration, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def identity(config: DictConfig, ignore: Sequence[str]) -> dict[str, Any]:
    """The part of a task's configuration that can change its result, as plain values.

    Args:
        config: The composed configuration; ``hydra`` in it is left out.
        ignore: Dotted keys that cannot change a result.

    Returns:
        Nested plain values with all interpolations resolved, except those of volatile resolvers such as ``${now:}``,
        which stay as they are written.
    """
    plain = task_part(config) if "hydra" in config else config
    OmegaConf.clear_cache(plain)
    with _volatile_as_written():
        try:
            values = OmegaConf.to_container(plain, resolve=True, enum_to_str=True)
        except OmegaConfBaseException:
            # An interpolation that only a running job can resolve: its text has to do.
            values = OmegaConf.to_container(plain, resolve=False, enum_to_str=True)
    return without(_json_values(values), ignore)


def _json_values(value: Any) -> Any:
    """What JSON makes of a value, so that a plan that was written and read again compares equal."""
    if isinstance(value, Mapping):
        return {str(key): _json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_values(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def task_part(config: DictConfig) -> DictConfig:
    """A copy of a configuration without its ``hydra`` node."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


@contextmanager
def _volatile_as_written() -> Iterator[None]:
    # OmegaConf can replace a resolver but not hand one back, so the table itself is saved and restored.
    saved = dict(BaseContainer._resolvers)
    try:
        for name in VOLATILE:
            OmegaConf.register_new_resolver(name, _as_written(name), replace=True)
        yield
    finally:
        BaseContainer._resolvers.clear()
        BaseContainer._resolvers.update(saved)


def _as_written(name: str) -> Callable[..., str]:
    def text(*arguments: object) -> str:
        return f"${{{name}:{','.join(str(argument) for argument in arguments)}}}"

    return text


def without(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Nested values without some dotted keys.

    Example:
        >>> without({"a": 1, "b": {"c": 2, "d": 3}}, ["b.c", "x"])
        {'a': 1, 'b': {'d': 3}}
    """
    kept = dict(values)
    for key in keys:
        head, _, rest = key.partition(".")
        if not rest:
            kept.pop(head, None)
        elif isinstance(kept.get(head), Mapping):
            kept[head] = without(kept[head], [rest])
    return kept


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


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two configurations, a line a key.

    Example:
        >>> differences({"train": {"epochs": 5}, "a": 1}, {"train": {"epochs": 9}, "b": 2})
        ['a: 1 -> absent', 'b: absent -> 2', 'train.epochs: 5 -> 9']
    """
    before, after = flatten(old), flatten(new)
    lines = []
    for key in sorted(before.keys() | after.keys()):
        was = _word(before[key]) if key in before else "absent"
        now = _word(after[key]) if key in after else "absent"
        if was != now:
            lines.append(f"{key}: {was} -> {now}")
    return lines


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
