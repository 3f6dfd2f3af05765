"""From a swept or declared key to a factor: its levels, and which of them is the reference."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from ablate.errors import DesignError, suggestion
from ablate.study import Factor, Level, level_label
from ablate.study.limits import MOST_LEVELS
from ablate.sweep.config_loader import apply_overrides, parse_overrides, swept_values
from ablate.sweep.identity import flatten, task_config
from ablate.sweep.pickled_value import PickledValue

_SAME_WORD = 0.85
"""How like an existing key, from 0 to 1, one that is added must be to be taken for its misspelling."""

NONE = "null"
"""The level of a config group that stands for none of its files."""


def swept_factor(
    override: Override, config: DictConfig, loader: ConfigLoader, extra: Sequence[str] | None, added: Set[str]
) -> tuple[Factor, list[str]]:
    """The factor of a swept override, and notes about its reference.

    A key that the configuration does not have is added to it by each level, where the user typed the ``+``.

    Args:
        override: The override.
        config: The configuration composed without the sweeps: the reference.
        loader: Hydra's loader, which knows the config groups.
        extra: Keys that may be added, apart from those of mappings that take new keys; None for all.
        added: All keys that the command line adds.
    """
    name = override.get_key_element().lstrip("+")
    values = dict.fromkeys(swept_values(override, MOST_LEVELS))
    if not values:
        raise DesignError(f"{override.input_line}: the sweep lists no level.")
    if name in (extra or ()) and not _has_key(config, name):
        levels = [Level(value.lower() if value in ("True", "False") else value) for value in values]
        levels = [Level(level.label, (f"+{name}={level.label}",)) for level in levels]
        return Factor(name, tuple(levels), levels[0].label), []
    is_open = _accepts_new_keys(name.rpartition(".")[0], config, added)
    if (extra is None or is_open) and not is_group(name, loader):
        has_key, listed = _has_key(config, name), ",".join(values)
        hint = "" if is_open else suggestion(name, task_keys(config))
        if not has_key and name not in added:
            add = "" if hint else f" To add it: '+{name}={listed}'."
            raise DesignError(f"Unknown key '{name}': it cannot be swept.{hint}{add}")
        is_typo = bool(get_close_matches(name, task_keys(config), 1, _SAME_WORD)) and not is_open
        if not has_key and is_typo and not override.is_force_add():
            raise DesignError(f"Unknown key '{name}': it cannot be swept.{hint} To add it: '++{name}={listed}'.")
        # Hydra merges a mapping that is added into the one that is there.
        if name in added and (not has_key or all(value.startswith("{") for value in values)):
            return _with_reference(name, _make_levels(name, [f"+{name}={value}" for value in values], config), None)
    return _make_factor(name, [f"{name}={value}" for value in values], config, loader)


def declared_factors(declared: Mapping[str, Any], config: DictConfig, loader: ConfigLoader) -> list[Factor]:
    """The factors that the settings declare, by name: lists of levels, or of overrides by level."""
    factors, faults = [], []
    for name, value in declared.items():
        try:
            if isinstance(value, dict):
                factors.append(factor_with_named_levels(name, value))
            elif isinstance(value, list | tuple):
                lines = [f"{name}={level_label(level)}" for level in value]
                factors.append(_make_factor(name, lines, config, loader)[0])
            else:
                raise DesignError(f"study.factors.{name}={value}: list its levels, for example [true, false].")
        except DesignError as error:
            faults.append(str(error))
    if faults:
        raise DesignError("\n".join(faults))
    return factors


def factor_with_named_levels(name: str, value: Mapping[Any, Any]) -> Factor:
    """A factor whose levels have names and may each change several keys; the first is the reference.

    Args:
        name: The factor's name.
        value: Overrides by label.

    Raises:
        DesignError: It has no levels, or they are no lists of overrides.
    """
    levels = []
    for label, lines in value.items():
        overrides = [lines] if isinstance(lines, str) else lines or []
        if not isinstance(overrides, list) or not all(isinstance(line, str) for line in overrides):
            raise DesignError(
                f"study.factors.{name}.{level_label(label)}={lines}: list overrides, for example "
                "[model.residual=false, model.depth=10]."
            )
        levels.append(Level(level_label(label), tuple(overrides)))
    if not levels:
        raise DesignError(f"study.factors.{name} has no levels.")
    return Factor(name, tuple(levels), reference=levels[0].label)


def _make_factor(name: str, lines: Sequence[str], config: DictConfig, loader: ConfigLoader) -> tuple[Factor, list[str]]:
    """A factor from one override line a level, and notes about its reference."""
    if is_group(name, loader):
        return _with_reference(name, *_group_levels(name, lines, config))
    return _with_reference(name, *_value_levels(name, lines, config, loader))


def _with_reference(name: str, levels: Sequence[Level], reference: str | None) -> tuple[Factor, list[str]]:
    """A factor and notes about its reference, which is added to the levels where it is not among them.

    Args:
        name: The factor's name.
        levels: Its levels.
        reference: Label of the reference level, or None to take the first level.
    """
    if reference is None:
        first = levels[0].label
        note = f"{name} has no value in the configuration: {name}={first}, listed first, is the reference."
        return Factor(name, tuple(levels), first), [note]
    if reference in [level.label for level in levels]:
        return Factor(name, tuple(levels), reference), []
    note = f"{name}={reference} is the reference: the configuration has it, so it was added to the levels."
    return Factor(name, (Level(reference), *levels), reference), [note]


def _group_levels(name: str, lines: Sequence[str], config: DictConfig) -> tuple[list[Level], str | None]:
    """The levels of a config group, and the label of the one that the configuration has, or None.

    The level ``null`` stands for none of the group's files. Hydra itself has no word for it on the command line.
    """
    choices = config.hydra.runtime.choices
    choice = choices.get(name)
    prefix = "" if name in choices else "+"  # a group that the defaults list does not have is added to it
    levels = [Level(line.split("=", 1)[1], (f"{prefix}{line}",)) for line in lines]
    if choice == "???":
        return levels, None
    without = (f"~{name}",) if choice else ()
    levels = [replace(level, overrides=without) if level.label == NONE else level for level in levels]
    has_none = any(level.label == NONE for level in levels)
    return levels, (NONE if has_none else None) if choice is None else str(choice)


def _value_levels(
    name: str, lines: Sequence[str], config: DictConfig, loader: ConfigLoader
) -> tuple[list[Level], str | None]:
    """The levels of a key, and the label of the value that the configuration has, or None where it is missing."""
    if not _has_key(config, name):
        known = [*task_keys(config), *(group for group in loader.list_groups("") if group != "hydra")]
        if name not in known:
            raise DesignError(f"Unknown key '{name}': it cannot be swept.{suggestion(name, known)}")
    levels = _make_levels(name, lines, config)
    head, _, last = name.rpartition(".")
    node = OmegaConf.select(config, head) if head else config
    missing = isinstance(node, DictConfig) and OmegaConf.is_missing(node, last)
    return levels, (None if missing else _value_label(_value(config, name)))


def _accepts_new_keys(head: str, config: DictConfig, added: Set[str]) -> bool:
    """Whether a node is a mapping with no keys but those that the command line adds."""
    node = OmegaConf.select(config, head) if head else None
    return isinstance(node, DictConfig) and all(f"{head}.{key!s}" in added for key in node)


def _make_levels(name: str, lines: Sequence[str], config: DictConfig) -> list[Level]:
    """A level from each override line."""
    levels, faults = [], []
    source = PickledValue(config)  # unpickling costs a tenth of a deep copy
    for line in lines:
        trial: DictConfig = source.copy()
        try:
            apply_overrides(trial, parse_overrides([line]))
            value = _value(trial, name)
        except (HydraException, OmegaConfBaseException) as error:
            faults.append(f"{line}: {error_text(error)}")
            continue
        label, plus = _value_label(value), "+" if line.startswith("+") else ""
        levels.append(Level(label, (f"{plus}{name}={label}" if value is None or isinstance(value, bool) else line,)))
    if faults:
        raise DesignError("\n".join(faults))
    return levels


def _has_key(config: DictConfig, name: str) -> bool:
    head, _, last = name.rpartition(".")
    node = OmegaConf.select(config, head) if head else config
    return isinstance(node, DictConfig) and last in node.keys()


def _value(config: DictConfig, name: str) -> object:
    """The value of a key; as it is written where only a running job can resolve it, as ``${hydra:runtime.cwd}``."""
    try:
        return OmegaConf.select(config, name, throw_on_missing=False)
    except InterpolationResolutionError:
        head, _, last = name.rpartition(".")
        node = OmegaConf.select(config, head) if head else config
        return OmegaConf.to_container(node, resolve=False)[last]  # type: ignore[call-overload, index]


def _value_label(value: object) -> str:
    return level_label(OmegaConf.to_container(value) if OmegaConf.is_config(value) else value)


def is_group_line(line: str, loader: ConfigLoader) -> bool:
    """Whether an override chooses within a config group, or takes the group away."""
    return is_group(line.split("=", 1)[0].lstrip("+~"), loader)


@functools.lru_cache(maxsize=1024)  # Hydra searches all its sources for 20 ms
def is_group(name: str, loader: ConfigLoader) -> bool:
    """Whether a key is a config group, whose levels are files."""
    return bool(loader.get_group_options(name.split("@", 1)[0], ObjectType.CONFIG))


def task_keys(config: DictConfig) -> list[str]:
    """Every key of a configuration, inner nodes included, without those of ``hydra``."""
    keys = set()
    for key in flatten(OmegaConf.to_container(task_config(config), resolve=False)):  # type: ignore[arg-type]
        parts = key.split(".")
        keys |= {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return sorted(keys)


def error_text(error: BaseException) -> str:
    """The first line of an error of Hydra or OmegaConf, or of its cause where it has one."""
    source = error.__cause__ or error
    return (str(source).strip().splitlines() or [type(source).__name__])[0]
