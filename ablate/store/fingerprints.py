"""Fingerprints: short hashes of what a run was made with besides its configuration, such as its code or its data.

A name is ``<thing>`` or ``<thing>/<part>``: ``code/train.py``, ``data/digits``. Two runs that both have a name must
have the same value under it; otherwise they were made with different versions of the thing. A name that only one of
them has says nothing: one cell may load a module, or read a data set, that another has no use for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from typing import TypeVar

Run = TypeVar("Run", bound=Hashable)


def thing_of(name: str) -> str:
    """What a fingerprint is one of.

    Example:
        >>> thing_of("code/models/net.py"), thing_of("data")
        ('code', 'data')
    """
    return name.partition("/")[0]


def version_column(thing: str) -> str:
    """What the column of a table of runs is called that says which version of a thing each was made with."""
    return f"{thing} version"


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names that two sets of fingerprints have in common with different values.

    Example:
        >>> differing({"code/a.py": "1", "code/b.py": "2"}, {"code/a.py": "1", "code/b.py": "3", "code/c.py": "4"})
        ['code/b.py']
    """
    return [name for name, value in before.items() if now.get(name, value) != value]


def mixed_names(fingerprints: Mapping[Run, Mapping[str, str]]) -> list[str]:
    """The names under which runs have different values, sorted.

    Args:
        fingerprints: Those of each run.
    """
    first: dict[str, str] = {}
    mixed = set()
    for own in fingerprints.values():
        mixed |= {name for name, value in own.items() if first.setdefault(name, value) != value}
    return sorted(mixed)


def versions(fingerprints: Mapping[Run, Mapping[str, str]]) -> dict[Run, dict[str, str]]:
    """A label for the version of each thing that each run was made with; runs that do not differ have the same one.

    Args:
        fingerprints: Those of each run, in the order of the runs.

    Returns:
        For each run, by thing: eight hexadecimal digits. What a run lacks is taken to be as in the first run that has
        it.

    Example:
        >>> labels = versions({1: {"code/a": "x"}, 2: {"code/a": "x", "code/b": "y"}, 3: {"code/a": "z"}})
        >>> labels[1] == labels[2] != labels[3]
        True
    """
    first: dict[str, dict[str, str]] = {}
    for own in fingerprints.values():
        for name, value in own.items():
            first.setdefault(thing_of(name), {}).setdefault(name, value)
    labels: dict[tuple[tuple[str, str], ...], str] = {}
    result: dict[Run, dict[str, str]] = {}
    for run, own in fingerprints.items():
        result[run] = {}
        for thing in dict.fromkeys(map(thing_of, own)):
            complete = {**first[thing], **{name: value for name, value in own.items() if thing_of(name) == thing}}
            key = tuple(sorted(complete.items()))
            if key not in labels:
                labels[key] = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:8]
            result[run][thing] = labels[key]
    return result
