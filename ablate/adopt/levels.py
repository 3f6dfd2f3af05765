"""Which keys of foreign runs differ, which of them say the same, and which are factors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablate.adopt.material import ForeignRun
from ablate.adopt.request import Request
from ablate.errors import ConfigError, DesignError, suggestion
from ablate.study import level_label
from ablate.sweep.identity import run_id

__all__ = ["ABSENT", "Varied", "find_seed", "keys_named", "same_configurations", "varied_keys", "words_of"]

ABSENT = "absent"
"""The level of a key that a run's configuration does not have."""

_SEEDS = ("seed", "random_seed", "random_state", "rng_seed", "manual_seed")
_FEW = 4

Labels = Mapping[str, tuple[str, ...]]
"""By key, the level of every run, in the order of the runs."""


@dataclass(frozen=True)
class Varied:
    """The factors of foreign runs.

    Args:
        levels: By factor, under the name it is shown by, the level of every run.
        keys: By factor, the key it stands for.
        notes: What a user should know about how they were found, a sentence each.
    """

    levels: Labels
    keys: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())


def words_of(runs: Sequence[ForeignRun]) -> dict[str, tuple[str, ...]]:
    """The level of every key in every run; numbers of one size have one label, however they are written."""
    keys = dict.fromkeys(key for run in runs for key in run.values)
    return {key: _labels([run.values.get(key, _Missing) for run in runs]) for key in keys}


class _Missing:
    """Stands for no value where None is one."""


def _labels(values: Sequence[Any]) -> tuple[str, ...]:
    known: dict[float, str] = {}
    labels = []
    for value in values:
        if value is _Missing:
            labels.append(ABSENT)
        elif isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value):
            labels.append(known.setdefault(float(value), level_label(value)))
        elif isinstance(value, list | Mapping):
            labels.append(json.dumps(value, ensure_ascii=False, default=str))
        else:
            labels.append(level_label(value))
    return tuple(labels)


def keys_named(word: str, runs: Sequence[ForeignRun], words: Labels) -> str:
    """The key of the configuration that a user means.

    Args:
        word: The key, its last parts, or what the folders of the runs call it.
        runs: The runs.
        words: See :func:`words_of`.

    Raises:
        ConfigError: If there is none, or more than one.
    """
    if word in words:
        return word
    ending = [key for key in words if key.endswith(f".{word}")]
    if len(ending) == 1:
        return ending[0]
    spoken = tuple(run.declared.get(word) for run in runs)
    if not ending and all(label is not None for label in spoken):
        same = [key for key, labels in words.items() if _agree(labels, spoken)]
        if same:
            varied = [key for key in same if len(set(words[key])) > 1]
            return min(varied or same, key=lambda key: (key.count("."), len(key)))
    if len(ending) > 1:
        raise ConfigError(f"'{word}' stands for several keys: {', '.join(ending)}. Write one of them in full.")
    varied_first = sorted(words, key=lambda key: len(set(words[key])) == 1)
    listed = ", ".join(varied_first[:12]) + (f" and {len(words) - 12} more" if len(words) > 12 else "")
    spoken_words = [key for run in runs for key in run.declared]
    raise ConfigError(f"No run has the key '{word}'. Keys: {listed}.{suggestion(word, [*words, *spoken_words])}")


def _agree(labels: Sequence[str], spoken: Sequence[str | None]) -> bool:
    pairs = zip(labels, spoken, strict=True)
    return all(
        label == word or (_number(label) is not None and _number(label) == _number(word)) for label, word in pairs
    )


def _number(word: str | None) -> float | None:
    try:
        return float(str(word))
    except ValueError:
        return None


def find_seed(runs: Sequence[ForeignRun], words: Labels, request: Request) -> str | None:
    """The key that holds the seed: the one asked for, or one that is called like a seed; None if there is none."""
    if request.seed is not None:
        if not request.seed:
            return None
        return keys_named(request.seed, runs, words)
    called = [key for key in words if key.rpartition(".")[2].lower() in _SEEDS]
    varied = [key for key in called if len(set(words[key])) > 1]
    return min(varied or called, key=lambda key: (key.count("."), len(key)), default=None)


def same_configurations(runs: Sequence[ForeignRun], seed: str | None) -> list[str]:
    """Levels that were meant to differ and gave the same configuration.

    What the command line or the folders call by different words, while the configuration that the program got is the
    same in every key, made no difference.
    """
    groups: dict[str, list[ForeignRun]] = {}
    for run in runs:
        if run.values and not run.trouble.startswith(".hydra"):
            groups.setdefault(run_id(run.values), []).append(run)
    found: dict[str, list[str]] = {}
    for same in groups.values():
        for key in dict.fromkeys(key for run in same for key in run.declared):
            words = dict.fromkeys(run.declared[key] for run in same if key in run.declared)
            if len({_number(word) or word for word in words}) > 1 and key != seed:
                found.setdefault(f"{' and '.join(f'{key}={word}' for word in words)}", []).extend(
                    run.place for run in same
                )
    return [
        f"{words} are the same configuration in every key, so their runs are repetitions of one cell: "
        f"{', '.join(places[:4])}{', ...' if len(places) > 4 else ''}."
        for words, places in found.items()
    ]


def varied_keys(runs: Sequence[ForeignRun], words: Labels, seed: str | None, request: Request) -> Varied:
    """The factors: the keys that were asked for, or all that differ and say something of their own.

    Keys that differ exactly where another does are that key by another name; a key that no command line set and that
    follows from those that were set is no factor.

    Raises:
        DesignError: If nothing differs, or runs that would share a cell differ in a key that was not asked for.
    """
    ignored = {keys_named(key, runs, words) for key in request.ignore}
    differing = {
        key: labels
        for key, labels in words.items()
        if len(set(labels)) > 1 and key != seed and key not in ignored and not _is_seed_too(key, labels, words, seed)
    }
    asked = {keys_named(name, runs, words): name for name in request.factors}
    if asked:
        levels = {name: words[key] for key, name in asked.items() if len(set(words[key])) > 1}
        constant = [name for name in asked.values() if name not in levels]
        if not levels:
            raise DesignError(f"Nothing to compare: {', '.join(constant)} has one level in all {len(runs)} runs.")
        _refuse_pooling(levels, {key: labels for key, labels in differing.items() if key not in asked})
        notes = [f"{name} is {words[key][0]} in all runs." for key, name in asked.items() if name in constant]
        return Varied(levels, {name: key for key, name in asked.items() if name in levels}, tuple(notes))
    if not differing:
        held = f" {len(runs)} runs, all with the same configuration" if len(runs) > 1 else " There is one run"
        raise DesignError(f"Nothing to compare:{held}{' but for the seed' if seed else ''}.")
    said = {word.replace("/", ".") for run in runs for word in run.overridden}
    set_keys = {key for key in differing if key in said or any(key.startswith(f"{group}.") for group in said)}
    chosen, notes = _without_aliases(differing, set_keys)
    chosen, dropped = _without_followers(chosen, differing, set_keys, said)
    return Varied({key: differing[key] for key in chosen}, {key: key for key in chosen}, (*notes, *dropped))


def _is_seed_too(key: str, labels: tuple[str, ...], words: Labels, seed: str | None) -> bool:
    return seed is not None and len(set(words[seed])) > 1 and _partition(labels) == _partition(words[seed])


def _partition(labels: Sequence[str]) -> tuple[int, ...]:
    """Which runs share a level, whatever the levels are called."""
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(label, len(numbers)) for label in labels)


def _without_aliases(differing: Labels, set_keys: set[str]) -> tuple[list[str], list[str]]:
    groups: dict[tuple[int, ...], list[str]] = {}
    for key, labels in differing.items():
        groups.setdefault(_partition(labels), []).append(key)
    chosen, notes = [], []
    for keys in groups.values():
        first, *others = sorted(keys, key=lambda key: _rank(key, differing[key], set_keys))
        chosen.append(first)
        if others:
            listed = ", ".join(others[:6]) + (f" and {len(others) - 6} more" if len(others) > 6 else "")
            notes.append(f"'{first}' stands for all keys that change together with it: {listed}.")
    return [key for key in differing if key in chosen], notes


def _rank(key: str, labels: Sequence[str], set_keys: set[str]) -> tuple[Any, ...]:
    """What a group of keys is best called by: what was set, says a word, is there in all runs, is short."""
    tail = key.rpartition(".")[2]
    names = ("name", "type", "kind", "_target_")
    interpolated = any("${" in label for label in labels)
    return (interpolated, key not in set_keys, ABSENT in labels, tail not in names, key.count("."), len(key))


def _without_followers(
    keys: list[str], differing: Labels, set_keys: set[str], said: set[str]
) -> tuple[list[str], list[str]]:
    notes = []
    kept = list(keys)
    for key in keys:
        own = len(set(differing[key])) == len(differing[key]) >= _FEW
        if own and key not in set_keys and len(kept) > 1:
            kept.remove(key)
            notes.append(f"'{key}' has another value in every run and no command line set it: it is no factor.")
    for key in [key for key in kept if key not in said]:
        # Keys that an option of a group brought along follow from the one that tells the options apart.
        group = next((f"{word}." for word in said if key.startswith(f"{word}.")), None)
        for other in [other for other in kept if other != key and ABSENT not in differing[other]]:
            told = group is not None and other.startswith(group)
            if (told or ABSENT in differing[key]) and _follows(differing[key], differing[other]):
                kept.remove(key)
                notes.append(f"'{key}' follows from {other}: it is no factor of its own.")
                break
    leading = [key for key in kept if key in set_keys]
    joint = list(zip(*(differing[key] for key in leading), strict=True)) if leading else []
    for key in [key for key in kept if joint and key not in set_keys]:
        if _follows(differing[key], joint):
            kept.remove(key)
            notes.append(f"'{key}' follows from {', '.join(leading)}: it is no factor of its own.")
    return kept, notes


def _follows(labels: Sequence[str], leading: Sequence[Any]) -> bool:
    """Whether one key has the same level wherever another one has."""
    return len(set(zip(leading, labels, strict=True))) == len(set(leading))


def _refuse_pooling(levels: Labels, others: Labels) -> None:
    """Runs of a cell must agree in all that was not asked for."""
    cells = list(zip(*levels.values(), strict=True))
    mixed = {}
    for key, labels in others.items():
        found: dict[tuple[str, ...], set[str]] = {}
        for cell, label in zip(cells, labels, strict=True):
            found.setdefault(cell, set()).add(label)
        if any(len(several) > 1 for several in found.values()):
            mixed[key] = list(dict.fromkeys(labels))
    if mixed:
        key, several = next(iter(mixed.items()))
        lines = [
            f"  {name}: {', '.join(found[:6])}{', ...' if len(found) > 6 else ''}" for name, found in mixed.items()
        ]
        raise DesignError(
            "Runs that would share a cell differ in keys that are not among the factors:\n"
            + "\n".join(lines)
            + f"\nAdd them to factors=[...], keep one level (only.{key}={several[0]}), or declare that they make no "
            f"difference (ignore=[{','.join(mixed)}])."
        )
