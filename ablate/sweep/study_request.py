"""From a command line to the study that it describes: what is varied, what is fixed, which seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig

from ablate.errors import AblateError, DesignError
from ablate.objects import load_object
from ablate.study import Factor, Layout, level_label
from ablate.study.limits import MOST_LEVELS, MOST_RUNS
from ablate.study.settings import StudySettings
from ablate.sweep.config_loader import parse_overrides, swept_values
from ablate.sweep.factors import declared_factors, error_text, factor_with_named_levels, swept_factor
from ablate.sweep.identity import resolved_values


@dataclass(frozen=True)
class StudyRequest:
    """The study that a command line describes.

    Args:
        fixed: Overrides that hold for every run, as typed.
        factors: What is varied.
        seeds: Seeds chosen by sweeping the seed key, or None.
        swept: Whether the factors were swept, rather than declared in the configuration.
        notes: What a user should know, one sentence each.
        config: The configuration with the fixed overrides: the reference.
        layout: The cells, where they are given and not chosen by a design.
    """

    fixed: tuple[str, ...]
    factors: tuple[Factor, ...]
    seeds: tuple[int, ...] | None
    swept: bool
    notes: tuple[str, ...]
    config: DictConfig
    layout: Layout | None = None


def read_request(
    arguments: Sequence[str],
    config: DictConfig,
    loader: ConfigLoader,
    settings: StudySettings,
    params: Sequence[str] = (),
) -> StudyRequest:
    """Read the task overrides of a multirun.

    Args:
        arguments: Overrides as typed, without those of ``hydra``.
        config: The configuration composed without the sweeps.
        loader: Hydra's loader, which knows the config groups.
        settings: The sweeper's settings.
        params: Further overrides, which the application keeps in ``hydra.sweeper.params``; those typed come first.

    Raises:
        DesignError: If keys, levels or their combination make no study, with all faults at once.
    """
    typed = parse_overrides(arguments, loader)
    from_params, notes = _read_params(params, {override.key_or_group for override in typed}, loader)
    fixed: list[str] = []
    lacking: list[str] = []  # fixed overrides that the configuration was not composed with
    swept: list[Override] = []
    faults: list[str] = []
    seeds: tuple[int, ...] | None = None
    for override in (*from_params, *typed):
        key, line = override.key_or_group, str(override.input_line)
        if key == settings.seed_key and not override.is_delete():
            try:
                seeds = _read_seeds(override)
            except DesignError as error:
                faults.append(str(error))
                continue
            if override.is_add() or override.is_force_add():
                added = line if not override.is_sweep_override() else f"{line.partition('=')[0]}={seeds[0]}"
                fixed.append(added)
                if not override.is_sweep_override():
                    seeds = None
                    notes.append(f"{line} adds the key; which seeds are taken says hydra.sweeper.seeds.")
                lacking += [added] if override.is_sweep_override() or override in from_params else []
        elif override.is_sweep_override():
            swept.append(override)
        else:
            fixed.append(line)
            lacking += [line] if override in from_params else []
    if lacking:
        config = loader.load_sweep_config(config, fixed)
    factors: list[Factor] = []
    added_keys = {one.key_or_group for one in typed if one.is_add() or one.is_force_add()}
    for override in swept:
        try:
            factor, factor_notes = _factor(override, config, loader, settings, added_keys)
            factors.append(factor)
            notes += factor_notes
        except DesignError as error:
            faults.append(str(error))
        except HydraException as error:
            faults.append(f"{override.input_line}: {error_text(error)}")
    try:
        factors = [*_declared_blocks(settings, config, {one.key_or_group for one in (*from_params, *typed)}), *factors]
    except AblateError as error:
        faults.append(str(error))
    if faults:
        raise DesignError("\n".join(faults))
    # Data sets alone are nothing to compare: within each of them the declared factors are.
    chosen = any(not factor.block or not settings.factors for factor in factors)
    if not chosen:
        fixed_lines = {override.key_or_group: str(override.input_line) for override in typed}
        factors += _declared(settings, fixed_lines, config, loader, has_blocks=bool(factors))
        held = [fixed_lines[name] for name in settings.factors or () if name in fixed_lines]
        notes += [f"{line} is held fixed and not varied." for line in held]
    return StudyRequest(tuple(fixed), tuple(factors), seeds, chosen, tuple(notes), config)


def _read_params(params: Sequence[str], typed: set[str], loader: ConfigLoader) -> tuple[list[Override], list[str]]:
    """The overrides that ``hydra.sweeper.params`` stands for, without those typed anew, and notes about them."""
    overrides: list[Override] = []
    ranges: list[Override] = []
    for line in params:
        try:
            (override,) = parse_overrides([line], loader)
        except HydraException as error:
            raise DesignError(f"hydra.sweeper.params: {line}: {error_text(error)}") from error
        if override.key_or_group in typed:
            continue
        is_range = override.is_sweep_override() and not override.is_discrete_sweep()
        (ranges if is_range else overrides).append(override)
    notes = []
    if overrides:
        lines = ", ".join(str(override.input_line) for override in overrides)
        notes.append(f"From hydra.sweeper.params: {lines}.")
    notes += [
        f"{override.input_line} in hydra.sweeper.params is a range to search, and not varied; to compare values, list "
        f"them: {override.key_or_group}=a,b."
        for override in ranges
    ]
    return overrides, notes


def _factor(
    override: Override, config: DictConfig, loader: ConfigLoader, settings: StudySettings, added: set[str]
) -> tuple[Factor, list[str]]:
    key = override.key_or_group
    if not override.is_discrete_sweep():
        raise DesignError(f"{override.input_line}: a continuous range has no levels. List them: {key}=a,b,c.")
    if any(f"{key}.".startswith(f"{ignored}.") for ignored in settings.ignore or ()):
        raise DesignError(
            f"{override.input_line}: {key} cannot change a result, so there is nothing to compare. A list is "
            f"written in brackets: '{key}=[a,b]'."
        )
    factor, notes = swept_factor(override, config, loader, settings.extra_factors, added)
    factor = replace(factor, block=key in (settings.blocks or ()))
    unset = (settings.unset or {}).get(key)
    typed = swept_values(override, MOST_LEVELS)
    if unset is not None and factor.reference == level_label(unset) and level_label(unset) not in typed:
        # Nobody chose it, so that it is no level of the study.
        chosen = tuple(level for level in factor.levels if level.label != factor.reference)
        note = f"{key}={chosen[0].label}, listed first, is the reference."
        return replace(factor, levels=chosen, reference=chosen[0].label), [note]
    return factor, notes


def _declared_blocks(settings: StudySettings, config: DictConfig, typed: set[str]) -> list[Factor]:
    """The blocks that the function ``settings.blocks_from`` makes of the configuration."""
    if settings.blocks_from is None or settings.confirms is not None:
        return []
    declared = load_object(settings.blocks_from, "study.blocks_from")(resolved_values(config))
    if chosen := sorted(declared.keys() & typed):
        raise DesignError(f"{chosen[0]}=... and the list of its levels exclude one another: leave one of them out.")
    return [replace(factor_with_named_levels(name, levels), block=True) for name, levels in declared.items()]


def _declared(
    settings: StudySettings, fixed: dict[str, str], config: DictConfig, loader: ConfigLoader, *, has_blocks: bool
) -> list[Factor]:
    """The factors that the settings declare, without those that are held fixed."""
    declarations = settings.factors or {}
    if settings.design is None and (named := [name for name in declarations if name in fixed]):
        raise DesignError(
            "\n".join(
                f"Nothing to compare: {fixed[name]} is one level only. Write "
                f"{name}={','.join(map(level_label, declarations[name]))} to compare, or leave it out."
                for name in named
            )
        )
    declared = {name: levels for name, levels in declarations.items() if name not in fixed}
    if not declared and not has_blocks:
        raise DesignError(
            "Nothing to compare: no key is swept and no factors are declared. Sweep a key, for example key=a,b."
        )
    return declared_factors(declared, config, loader)


def _read_seeds(override: Override) -> tuple[int, ...]:
    texts = swept_values(override, MOST_RUNS) if override.is_sweep_override() else [str(override.value())]
    if not texts:
        raise DesignError(f"{override.input_line}: the sweep lists no seed.")
    try:
        return tuple(int(text) for text in texts)
    except ValueError:
        raise DesignError(f"{override.input_line}: seeds are whole numbers.") from None
