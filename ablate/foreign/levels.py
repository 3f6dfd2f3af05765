"""Which keys of foreign runs differ, which of them say the same, and which are factors."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ablate.errors import ConfigError, DesignError, suggestion
from ablate.foreign.reader import SEED_NAMES, ForeignRun
from ablate.foreign.request import AdoptSettings, number_or_text
from ablate.formatting import enumeration, listing
from ablate.logs.printing import short_line
from ablate.study import level_label
from ablate.study.settings import AUTO
from ablate.sweep.identity import run_id

ABSENT = "absent"
"""The level of a key that a run's configuration does not have."""

_MANY_RUNS = 4  # from here on a key with another value in every run is no coincidence

Levels = Mapping[str, tuple[str, ...]]
"""By key, the level of every run, in the order of the runs."""


def levels_by_key(runs: Sequence[ForeignRun]) -> Levels:
    """The level of every key in every run; equal numbers have one label, however they are written."""
    keys = dict.fromkeys(key for run in runs for key in run.config)
    levels = {}
    for key in keys:
        numbers: dict[float, str] = {}
        levels[key] = tuple(_label(run.config[key], numbers) if key in run.config else ABSENT for run in runs)
    return levels


def _label(value: Any, numbers: dict[float, str]) -> str:
    # A larger whole number is none that a float holds.
    if isinstance(value, float | int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return numbers.setdefault(float(value), level_label(value))
    if isinstance(value, list | Mapping):
        return short_line(json.dumps(value, ensure_ascii=False, default=str))
    return short_line(level_label(value))


def resolve_key(name: str, runs: Sequence[ForeignRun], levels: Levels) -> str:
    """The key of the configuration that a user means.

    Args:
        name: The key, its last parts, or what the folders of the runs call it.
        runs: The runs.
        levels: See :func:`levels_by_key`.

    Raises:
        ConfigError: If there is none, or more than one.
    """
    if name in levels:
        return name
    endings = [key for key in levels if key.endswith(f".{name}")]
    if len(endings) == 1:
        return endings[0]
    if endings:
        raise ConfigError(f"'{name}' stands for several keys: {', '.join(endings)}. Write one of them in full.")
    declared = [run.declared.get(name) for run in runs]
    if None not in declared:
        expected = [number_or_text(str(level)) for level in declared]
        same = [key for key, labels in levels.items() if list(map(number_or_text, labels)) == expected]
        if same:
            return min(same, key=lambda key: (len(set(levels[key])) == 1, key.count("."), len(key)))
    # Keys that differ come first: a constant is hardly meant.
    keys = sorted(levels, key=lambda key: len(set(levels[key])) == 1)
    names = [*levels, *(key for run in runs for key in run.declared)]
    raise ConfigError(f"No run has the key '{name}'. Keys: {listing(keys, 12)}.{suggestion(name, names)}")


def find_seed(
    runs: Sequence[ForeignRun], levels: Levels, settings: AdoptSettings
) -> tuple[str | None, Levels, list[str]]:
    """The key that holds the seed: the one that was named, or those that are called like a seed or a repetition.

    Returns:
        The key, or None; the levels, in which several such keys that vary (a seed and a fold) are one; and what a user
        should know, a sentence each.
    """
    if settings.seed != AUTO:
        return None if settings.seed is None else resolve_key(settings.seed, runs, levels), levels, []
    named = {resolve_key(name, runs, levels) for name in (*settings.factors, *settings.blocks)}
    names = {key: key.rpartition(".")[2].lower() for key in levels if key not in named}
    called_seed = sorted(
        (key for key, name in names.items() if name in SEED_NAMES),
        key=lambda key: (SEED_NAMES.index(names[key]), key.count(".")),
    )
    if not any(key not in called_seed and len(set(labels)) > 1 for key, labels in levels.items()):
        # Where nothing else differs, what is called a repetition is what was compared.
        called_seed = [key for key in called_seed if "seed" in names[key] or names[key] == "random_state"]
    varied = list({_partition(levels[key]): key for key in reversed(called_seed) if len(set(levels[key])) > 1}.values())
    varied = [key for key in called_seed if key in varied]
    if len(varied) < 2:
        return next(iter(varied or called_seed), None), levels, []
    joint = "+".join(varied)
    rows = ["/".join(row) for row in zip(*(levels[key] for key in varied), strict=True)]
    rest = {key: labels for key, labels in levels.items() if key not in varied}
    note = (
        f"Repetitions are told apart by {enumeration(varied)} together; seed=KEY names one, factors=[...] the factors."
    )
    return joint, {**rest, joint: tuple(rows)}, [note]


def same_config_notes(runs: Sequence[ForeignRun], seed: str | None) -> list[str]:
    """Levels that were meant to differ and gave the same configuration, a sentence each.

    What the command line or the folders call by different names made no difference where the configuration that the
    program got is the same in every key.
    """
    groups: dict[str, list[ForeignRun]] = {}
    for run in runs:
        if run.config and not run.fault.startswith(".hydra"):
            groups.setdefault(run_id(run.config), []).append(run)
    equal: dict[str, list[str]] = {}
    for same in groups.values():
        for key in dict.fromkeys(key for run in same for key in run.declared):
            names = dict.fromkeys(run.declared[key] for run in same if key in run.declared)
            if len({number_or_text(name) for name in names}) > 1 and key != seed:
                phrase = " and ".join(f"{key}={name}" for name in names)
                equal.setdefault(phrase, []).extend(run.location for run in same)
    return [
        f"{phrase} are the same configuration in every key, so their runs are repetitions of one cell: "
        f"{listing(locations, 4)}."
        for phrase, locations in equal.items()
    ]


def find_factors(
    runs: Sequence[ForeignRun], levels: Levels, seed: str | None, settings: AdoptSettings
) -> tuple[dict[str, str], list[str]]:
    """The factors: the keys that were named, or all that differ independently of each other.

    Keys that differ exactly where another does are that key by another name; a key that no command line set and that
    follows from those that were set is no factor.

    Returns:
        By the factor's name its key in the configurations, and notes for the user on how the factors were found.

    Raises:
        DesignError: If nothing differs, or runs that would share a cell differ in a key that was not named.
    """
    ignored = {resolve_key(key, runs, levels) for key in settings.ignore}
    seeds = _partition(levels[seed]) if seed is not None and len(set(levels[seed])) > 1 else None
    differing = {
        key: labels
        for key, labels in levels.items()
        if len(set(labels)) > 1 and key != seed and key not in ignored and _partition(labels) != seeds
    }
    named = {resolve_key(name, runs, levels): name for name in settings.factors}
    if named:
        factors = {name: key for key, name in named.items() if len(set(levels[key])) > 1}
        constant = {name: levels[key][0] for key, name in named.items() if name not in factors}
        if not factors:
            raise DesignError(f"Nothing to compare: {', '.join(constant)} has one level in all {len(runs)} runs.")
        _refuse_pooling(
            [levels[key] for key in factors.values()],
            {key: labels for key, labels in differing.items() if key not in named},
        )
        return factors, [f"{name} is {label} in all runs." for name, label in constant.items()]
    if not differing:
        what = f" {len(runs)} runs, all with the same configuration" if len(runs) > 1 else " There is one run"
        raise DesignError(f"Nothing to compare:{what}{' but for the seed' if seed else ''}.")
    overridden = {key.replace("/", ".") for run in runs for key in run.overridden}
    groups = tuple(f"{key}." for key in overridden)
    set_keys = {key for key in differing if key in overridden or key.startswith(groups)}
    keys, alias_notes = _without_aliases(differing, set_keys)
    keys, follower_notes = _without_followers(keys, differing, set_keys, overridden)
    return {key: key for key in keys}, [*alias_notes, *follower_notes]


def named_reference(
    factors: Mapping[str, str], runs: Sequence[ForeignRun], levels: Levels, settings: AdoptSettings
) -> dict[str, str]:
    """The levels of the reference cell that the settings name, by factor.

    Raises:
        ConfigError: If a key is no factor, or does not have the level.
    """
    names = {key: name for name, key in factors.items()}
    reference = {}
    for name, level in settings.reference.items():
        key = resolve_key(name, runs, levels)
        if key not in names:
            raise DesignError(f"reference.{name}: '{key}' is no factor. Factors: {', '.join(factors)}.")
        check_level(key, level, levels)
        reference[names[key]] = level
    return reference


def check_level(key: str, level: str, levels: Levels) -> None:
    """Refuse a level that no run has.

    Raises:
        DesignError: If there is no such level; the message lists those that there are.
    """
    labels = list(dict.fromkeys(levels[key]))
    if level not in labels:
        raise DesignError(f"'{key}' has no level '{level}'. Levels: {', '.join(labels)}.{suggestion(level, labels)}")


def _partition(labels: Sequence[str]) -> tuple[int, ...]:
    """Which runs share a level, whatever the levels are called."""
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(label, len(numbers)) for label in labels)


def _without_aliases(differing: Levels, set_keys: set[str]) -> tuple[list[str], list[str]]:
    """One key of each group that changes together, and notes on the others."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for key, labels in differing.items():
        groups.setdefault(_partition(labels), []).append(key)
    chosen, notes = [], []
    for keys in groups.values():
        first, *others = sorted(keys, key=lambda key: _rank(key, differing[key], set_keys))
        chosen.append(first)
        if others:
            notes.append(f"'{first}' stands for all keys that change together with it: {listing(others, 6)}.")
    return [key for key in differing if key in chosen], notes


def _rank(key: str, labels: Sequence[str], set_keys: set[str]) -> tuple[Any, ...]:
    """By which key a group is called best: one that was set, is in all runs, holds a name, is short."""
    is_name = key.rpartition(".")[2] in ("name", "type", "kind", "_target_")
    is_interpolated = any("${" in label for label in labels)
    return (is_interpolated, key not in set_keys, ABSENT in labels, not is_name, key.count("."), len(key))


def _without_followers(
    keys: Sequence[str], differing: Levels, set_keys: set[str], overridden: set[str]
) -> tuple[list[str], list[str]]:
    """The keys that do not follow from others, and notes on those that do."""
    notes = []
    remaining = list(keys)
    for key in keys:
        differs_always = len(set(differing[key])) == len(differing[key]) >= _MANY_RUNS
        if differs_always and key not in set_keys and len(remaining) > 1:
            remaining.remove(key)
            notes.append(f"'{key}' has another value in every run and no command line set it: it is no factor.")
    for key in [key for key in remaining if key not in overridden]:
        # Keys that an option of a group brought along follow from the one that tells the options apart.
        group = next((f"{name}." for name in overridden if key.startswith(f"{name}.")), None)
        for other in [other for other in remaining if other != key and ABSENT not in differing[other]]:
            in_group = group is not None and other.startswith(group)
            if (in_group or ABSENT in differing[key]) and _follows(differing[key], differing[other]):
                remaining.remove(key)
                notes.append(f"'{key}' follows from {other}: it is no factor of its own.")
                break
    leading = [key for key in remaining if key in set_keys]
    joint = list(zip(*(differing[key] for key in leading), strict=True))
    for key in [key for key in remaining if joint and key not in set_keys]:
        if _follows(differing[key], joint):
            remaining.remove(key)
            notes.append(f"'{key}' follows from {', '.join(leading)}: it is no factor of its own.")
    return remaining, notes


def _follows(labels: Sequence[str], leading: Sequence[Any]) -> bool:
    """Whether one key has the same level wherever another one has."""
    return len(set(zip(leading, labels, strict=True))) == len(set(leading))


def _refuse_pooling(factors: Sequence[Sequence[str]], others: Levels) -> None:
    """Runs of a cell must agree in all that is no factor."""
    cells = list(zip(*factors, strict=True))
    mixed = {key: list(dict.fromkeys(labels)) for key, labels in others.items() if not _follows(labels, cells)}
    if mixed:
        key, labels = next(iter(mixed.items()))
        lines = [f"  {name}: {listing(values, 6)}" for name, values in mixed.items()]
        raise DesignError(
            "Runs that would share a cell differ in keys that are not among the factors:\n"
            + "\n".join(lines)
            + f"\nAdd them to factors=[...], keep one level (only.{key}={labels[0]}), or declare that they make no "
            f"difference (ignore=[{','.join(mixed)}])."
        )
