"""Plain configurations of thousands of runs, made from one that was composed."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cloudpickle
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.sweep.frozen import apply_overrides, parse_overrides
from ablate.sweep.identity import VOLATILE, identity

__all__ = ["PlainConfiguration", "is_value"]

_KEY = re.compile(r"\w+(\.\w+)*")
# Resolvers whose outcome depends on nothing but what is written in them.
_LOCAL = {"oc.select", *VOLATILE}

Path = tuple[str, ...]


def is_value(line: str) -> bool:
    """Whether an override does no more than give an existing key a value without interpolations."""
    return line[:1] not in ("+", "~") and "${" not in line


@dataclass(frozen=True)
class _Patch:
    path: Path
    value: bytes


class PlainConfiguration:
    """A configuration as plain values, into which overrides can be put without composing again.

    Composing takes milliseconds a run; where nothing else is derived from the keys that overrides change, each of them
    puts its value in the same place whatever the others do, and needs to be tried only once.

    Args:
        task: The configuration, without its ``hydra`` node.
        lines: The overrides of keys, not groups, that it was composed with.
    """

    def __init__(self, task: DictConfig, lines: Sequence[str] = ()) -> None:
        self._task = cloudpickle.dumps(task)
        self._values = pickle.dumps(identity(task, ()))
        texts = list(_interpolations(OmegaConf.to_container(task, resolve=False)))
        self._sources = {source for text in texts for source in _sources(text)}
        keys = [override.key_or_group for override in parse_overrides(lines)]
        self._opaque = any(map(_looks_anywhere, texts)) or not all(map(_KEY.fullmatch, keys))
        self._taken = [tuple(key.split(".")) for key in keys]
        self._patches: dict[str, _Patch | None] = {}

    def under(self, lines: Sequence[str]) -> dict[str, Any] | None:
        """The configuration with some overrides put in, or None where only composing can tell.

        Args:
            lines: Overrides that give keys values; see :func:`is_value`.
        """
        patches = []
        for line in lines:
            if line not in self._patches:
                self._patches[line] = None if self._opaque else self._tried(line)
            patch = self._patches[line]
            if patch is None:
                return None
            patches.append(patch)
        paths = sorted([*self._taken, *(patch.path for patch in patches)])
        if any(long[: len(short)] == short for short, long in pairwise(paths)):
            return None  # one lies within the other, and what comes of them depends on their order
        values: dict[str, Any] = pickle.loads(self._values)
        for patch in patches:
            _put(values, patch)
        return values

    def _feeds(self, path: Path) -> bool:
        """Whether something may be interpolated from a key, from one within it or from one that it is within."""
        for source in self._sources:
            if source[0] == "" and {*source} & {*path}:  # relative to a place that would have to be found
                return True
            if source[: len(path)] == path[: len(source)]:
                return True
        return False

    def _tried(self, line: str) -> _Patch | None:
        """Where a line puts which value, or None if it does anything else."""
        override: Override = parse_overrides([line])[0]
        path = tuple(override.key_or_group.split("."))
        if not is_value(line) or not _KEY.fullmatch(override.key_or_group) or self._feeds(path):
            return None
        task: DictConfig = pickle.loads(self._task)
        try:
            apply_overrides(task, [override])
        except (HydraException, OmegaConfBaseException):
            return None  # composing will say what is wrong
        changed = identity(task, ())
        value: Any = changed
        for part in path:
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        patch = _Patch(path, pickle.dumps(value))
        values: dict[str, Any] = pickle.loads(self._values)
        return patch if _put(values, patch) and values == changed else None


def _put(values: dict[str, Any], patch: _Patch) -> bool:
    """Put a value in its place; returns whether there is one."""
    node: Any = values
    for part in patch.path[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        return False
    node[patch.path[-1]] = pickle.loads(patch.value)
    return True


def _interpolations(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _interpolations(item)
    elif isinstance(value, str) and "${" in value:
        yield value


def _sources(text: str) -> set[Path]:
    """What may be keys in the interpolations of a text; a relative one begins with an empty part."""
    found = set()
    for inner in re.findall(r"\$\{([^}]*)", text):
        words = {tuple(word.split(".")) for word in re.findall(r"[\w.]+", inner) if word.strip(".")}
        found |= {("", *word) for word in words} if "[" in inner else words
    return found


def _looks_anywhere(text: str) -> bool:
    """Whether the keys that a text is made from cannot be read off it."""
    nested = re.search(r"\$\{[^}]*\$\{", text) is not None
    return nested or bool({*re.findall(r"\$\{\s*([\w.]+)\s*:", text)} - _LOCAL)
