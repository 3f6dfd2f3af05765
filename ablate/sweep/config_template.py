"""Configurations of thousands of runs, made from one composed configuration by setting values.

Composing with Hydra and OmegaConf takes milliseconds a run, which a plan of ten thousand runs cannot afford. Setting a
value in a nested dict takes microseconds, but gives the same result only where nothing else is derived from that value.
This module decides where that is so, and leaves all else to composing.
"""

from __future__ import annotations

import functools
import operator
import pickle
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.sweep.config_loader import apply_overrides, parse_overrides
from ablate.sweep.identity import VOLATILE, resolved_values
from ablate.sweep.pickled_value import PickledValue

_KEY = re.compile(r"\w+(\.\w+)*")
# Resolvers that read no key but those written in their arguments. Volatile ones are left unresolved anyway.
_LOCAL = {"oc.select", *VOLATILE}

KeyPath = tuple[str, ...]


def is_assignment(line: str) -> bool:
    """Whether an override does no more than give an existing key a value without interpolations."""
    return line[:1] not in ("+", "~") and "${" not in line


@dataclass(frozen=True)
class _Patch:
    """The path of one key, and the pickled value that an override gives it."""

    path: KeyPath
    value: bytes


class ConfigTemplate:
    """A composed configuration as nested plain values, in which overrides can be set without composing again.

    An override is tested once, by composing with it alone: if that changes nothing but the value of its own key, it
    does the same beside any other overrides, and from then on only its patch is applied.

    Args:
        task: The configuration, without its ``hydra`` node.
        lines: The overrides of keys, not groups, that it was composed with.
    """

    def __init__(self, task: DictConfig, lines: Sequence[str] = ()) -> None:
        self._task = PickledValue(task)
        self._values = pickle.dumps(resolved_values(task))
        texts = list(_interpolations(OmegaConf.to_container(task, resolve=False)))
        self._sources = {source for text in texts for source in _sources(text)}
        keys = [override.key_or_group for override in parse_overrides(lines)]
        self._needs_composing = any(map(_has_hidden_sources, texts)) or not all(map(_KEY.fullmatch, keys))
        self._composed_paths = [tuple(key.split(".")) for key in keys]
        self._patches: dict[str, _Patch | None] = {}

    def with_overrides(self, lines: Sequence[str]) -> dict[str, Any] | None:
        """The configuration with some overrides applied, or None where it has to be composed.

        Args:
            lines: Overrides that give keys values; see :func:`is_assignment`.
        """
        patches = []
        for line in lines:
            if line not in self._patches:
                self._patches[line] = None if self._needs_composing else self._tested_patch(line)
            patch = self._patches[line]
            if patch is None:
                return None
            patches.append(patch)
        paths = sorted([*self._composed_paths, *(patch.path for patch in patches)])
        if any(long[: len(short)] == short for short, long in pairwise(paths)):
            return None  # two keys are equal or one contains the other: the result depends on the order
        values: dict[str, Any] = pickle.loads(self._values)
        for patch in patches:
            _set_value(values, patch)
        return values

    def _is_source(self, path: KeyPath) -> bool:
        """Whether an interpolation may read a key, one within it, or one that contains it."""
        for source in self._sources:
            if source[0] == "" and {*source} & {*path}:  # relative, and the node that it starts from is not known here
                return True
            if source[: len(path)] == path[: len(source)]:
                return True
        return False

    def _tested_patch(self, line: str) -> _Patch | None:
        """What an override sets, or None if it does anything else or if that is not certain."""
        override: Override = parse_overrides([line])[0]
        path = tuple(override.key_or_group.split("."))
        if not _KEY.fullmatch(override.key_or_group) or self._is_source(path):
            return None
        task: DictConfig = self._task.copy()
        try:
            apply_overrides(task, [override])
        except (HydraException, OmegaConfBaseException):
            return None  # composing reports what is wrong
        changed = resolved_values(task)
        values: dict[str, Any] = pickle.loads(self._values)
        try:
            patch = _Patch(path, pickle.dumps(functools.reduce(operator.getitem, path, changed)))
            _set_value(values, patch)
        except (KeyError, TypeError):
            return None  # the key is deleted, or does not lie in nested mappings
        return patch if values == changed else None


def _set_value(values: dict[str, Any], patch: _Patch) -> None:
    node: Any = functools.reduce(operator.getitem, patch.path[:-1], values)
    node[patch.path[-1]] = pickle.loads(patch.value)


def _interpolations(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _interpolations(item)
    elif isinstance(value, str) and "${" in value:
        yield value


def _sources(text: str) -> set[KeyPath]:
    """The keys that the interpolations of a text may read; the path of a relative one begins with an empty string."""
    sources = set()
    for inner in re.findall(r"\$\{([^}]*)", text):
        words = {tuple(word.split(".")) for word in re.findall(r"[\w.]+", inner) if word.strip(".")}
        sources |= {("", *word) for word in words} if "[" in inner else words
    return sources


def _has_hidden_sources(text: str) -> bool:
    """Whether a text may read keys not written in it: by a nested interpolation, or a resolver that is not known."""
    nested = re.search(r"\$\{[^}]*\$\{", text) is not None
    return nested or bool({*re.findall(r"\$\{\s*([\w.]+)\s*:", text)} - _LOCAL)
