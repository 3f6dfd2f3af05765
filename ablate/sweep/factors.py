"""From what was typed to factors: which keys are swept, over which levels, and which level is the reference."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import DesignError, suggestion
from ablate.study import Factor, Layout, Level, level_label
from ablate.study.limits import MOST_LEVELS, MOST_RUNS
from ablate.study.settings import StudySettings
from ablate.sweep.config_loader import apply_overrides, parse_overrides, swept_values
from ablate.sweep.identity import flatten, task_config


@dataclass(frozen=True)
class StudyRequest:
    """The study that a command line describes.

    Args:
        fixed: Overrides that hold for every run, as typed.
        factors: What is varied.
        seeds: Seeds chosen by sweeping the seed key, or None.
        swept: Whether the factors were swept on the command line, rather than declared in the configuration.
        notes: What a user should know, one sentence each.
        layout: The cells, where they are given and not chosen by a design.
    """

    fixed: tuple[str, ...]
    factors: tuple[Factor, ...]
    seeds: tuple[int, ...] | None
    swept: bool
    notes: tuple[str, ...]
    layout: Layout | None = None


def read_request(
    arguments: Sequence[str], config: DictConfig, loader: ConfigLoader, settings: StudySettings
) -> StudyRequest:
    """Read the task overrides of a multirun.

    Args:
        arguments: Overrides as typed, without those of ``hydra``.
        config: The configuration composed without the sweeps: the reference.
        loader: Hydra's loader, which knows the config groups.
        settings: The sweeper's settings.

    Raises:
        DesignError: If keys, levels or their combination make no study, with all faults at once.
    """
    faults: list[str] = []
    fixed: list[Override] = []
    factors: list[Factor] = []
    notes: list[str] = []
    seeds: tuple[int, ...] | None = None
    overrides = parse_overrides(arguments, loader)
    added = {override.key_or_group for override in overrides if override.is_add() or override.is_force_add()}
    for override in overrides:
        key = override.key_or_group
        try:
            if key == settings.seed_key:
                seeds = _read_seeds(override)
            elif not override.is_sweep_override():
                fixed.append(override)
            elif not override.is_discrete_sweep():
                raise DesignError(f"{override.input_line}: a continuous range has no levels. List them: {key}=a,b,c.")
            elif any(f"{key}.".startswith(f"{ignored}.") for ignored in settings.ignore or ()):
                raise DesignError(
                    f"{override.input_line}: {key} cannot change a result, so there is nothing to compare. A list is "
                    f"written in brackets: '{key}=[a,b]'."
                )
            else:
                factor, factor_notes = _swept_factor(override, config, loader, settings, added)
                factors.append(replace(factor, block=key in (settings.blocks or ())))
                notes += factor_notes
        except DesignError as error:
            faults.append(str(error))
        except HydraException as error:
            faults.append(f"{override.input_line}: {error_text(error)}")
    if faults:
        raise DesignError("\n".join(faults))
    fixed_lines = {override.key_or_group: override.input_line for override in fixed}
    declarations = settings.factors or {}
    # Data sets alone are nothing to compare: within each of them the declared factors are.
    swept = any(not factor.block or not declarations for factor in factors)
    blocks, factors = ([], factors) if swept else (factors, [])
    if not factors:
        if settings.design is None and (named := [name for name in declarations if name in fixed_lines]):
            raise DesignError(
                "\n".join(
                    f"Nothing to compare: {fixed_lines[name]} is one level only. Write "
                    f"{name}={','.join(map(level_label, declarations[name]))} to compare, or leave it out."
                    for name in named
                )
            )
        declared = {name: levels for name, levels in declarations.items() if name not in fixed_lines}
        notes += [f"{fixed_lines[name]} is held fixed and not varied." for name in declarations if name in fixed_lines]
        if not declared and not blocks:
            raise DesignError(
                "Nothing to compare: no key is swept and no factors are declared. Sweep a key, for example key=a,b."
            )
        factors = [*blocks, *_declared_factors(declared, config, loader)]
    return StudyRequest(
        tuple(str(override.input_line) for override in fixed), tuple(factors), seeds, swept, tuple(notes)
    )


def _read_seeds(override: Override) -> tuple[int, ...]:
    texts = swept_values(override, MOST_RUNS) if override.is_sweep_override() else [str(override.value())]
    if not texts:
        raise DesignError(f"{override.input_line}: the sweep lists no seed.")
    try:
        return tuple(int(text) for text in texts)
    except ValueError:
        raise DesignError(f"{override.input_line}: seeds are whole numbers.") from None


def _swept_factor(
    override: Override, config: DictConfig, loader: ConfigLoader, settings: StudySettings, added: Set[str]
) -> tuple[Factor, list[str]]:
    """The factor of a swept override, and notes about its reference.

    A key that the configuration does not have is added to it by each level (``+key=value``): one of ``extra_factors``
    always, another one only in a mapping that takes new keys and only where the user typed the ``+``.
    """
    name, extra = override.get_key_element().lstrip("+"), settings.extra_factors or ()
    values = dict.fromkeys(swept_values(override, MOST_LEVELS))
    if not values:
        raise DesignError(f"{override.input_line}: the sweep lists no level.")
    if name in extra and not _has_key(config, name):
        levels = [Level(value.lower() if value in ("True", "False") else value) for value in values]
        levels = [Level(level.label, (f"+{name}={level.label}",)) for level in levels]
        return Factor(name, tuple(levels), levels[0].label), []
    if not _has_key(config, name) and _accepts_new_keys(name.rpartition(".")[0], config, added):
        if name not in added:
            listed = ",".join(values)
            raise DesignError(f"{override.input_line}: the configuration has no {name}. To add it: '+{name}={listed}'.")
        return _with_reference(name, _make_levels(name, [f"+{name}={value}" for value in values], config), None)
    factor, notes = _make_factor(name, [f"{name}={value}" for value in values], config, loader)
    unset = (settings.unset or {}).get(name)
    if unset is not None and factor.reference == level_label(unset) and level_label(unset) not in values:
        # Nobody chose it, so that it is no level of the study.
        chosen = tuple(level for level in factor.levels if level.label != factor.reference)
        note = f"{name}={chosen[0].label}, listed first, is the reference."
        return replace(factor, levels=chosen, reference=chosen[0].label), [note]
    return factor, notes


def _declared_factors(declared: Mapping[str, Any], config: DictConfig, loader: ConfigLoader) -> list[Factor]:
    factors, faults = [], []
    for name, value in declared.items():
        try:
            if isinstance(value, dict):
                factors.append(_factor_with_named_levels(name, value))
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


def _factor_with_named_levels(name: str, value: Mapping[Any, Any]) -> Factor:
    """A factor whose levels have names and may each change several keys; the first is the reference."""
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
    """The levels of a config group, and the label of the one that the configuration has, or None."""
    choices = config.hydra.runtime.choices
    choice = choices.get(name)
    prefix = "" if name in choices else "+"  # a group that the defaults list does not have is added to it
    levels = [Level(line.split("=", 1)[1], (f"{prefix}{line}",)) for line in lines]
    return levels, (None if choice in (None, "???") else str(choice))


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
    return levels, (None if missing else _value_label(OmegaConf.select(config, name, throw_on_missing=False)))


def _accepts_new_keys(head: str, config: DictConfig, added: Set[str]) -> bool:
    """Whether a node is a mapping with no keys but those that the command line adds."""
    node = OmegaConf.select(config, head) if head else None
    return isinstance(node, DictConfig) and all(f"{head}.{key!s}" in added for key in node)


def _make_levels(name: str, lines: Sequence[str], config: DictConfig) -> list[Level]:
    """A level from each override line."""
    levels, faults = [], []
    pickled = cloudpickle.dumps(config)  # unpickling costs a tenth of a deep copy
    for line in lines:
        trial: DictConfig = pickle.loads(pickled)
        try:
            apply_overrides(trial, parse_overrides([line]))
            value = OmegaConf.select(trial, name, throw_on_missing=False)
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
    return isinstance(node, DictConfig) and last in node


def _value_label(value: object) -> str:
    return level_label(OmegaConf.to_container(value) if OmegaConf.is_config(value) else value)


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
