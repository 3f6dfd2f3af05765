"""What ``ablate adopt PATH key=value ...`` and :func:`ablate.adopt` may be asked for, each key declared once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ablate.errors import ConfigError, suggestion
from ablate.foreign.readers import READERS
from ablate.logs.plain_values import flatten
from ablate.study import level_label
from ablate.study.plan import DIRECTIONS
from ablate.study.setting import (
    Rule,
    Setting,
    choice,
    list_of,
    mapping,
    number,
    optional,
    setting_fault,
    text,
    written,
)
from ablate.study.settings import AUTO


def _declared(default: Any, rule: Rule, description: str) -> Any:
    """A field of :class:`AdoptSettings` with its declaration."""
    return field(default_factory=lambda: default, metadata={"setting": Setting(default, rule, description)})


def _one_of(names: Iterable[str]) -> Rule:
    return optional(choice(names))


_KEYS = list_of(text(), "a list of keys, for example [model,lr]")


@dataclass(frozen=True)
class AdoptSettings:
    """How foreign results are to be read; each field carries its default, its rule and its description."""

    name: str | None = _declared(None, optional(text()), "of the study and its folder; null: after the path")
    metric: str | None = _declared(None, optional(text()), "the number that decides; null: the only or best known one")
    direction: str | None = _declared(
        None, _one_of(DIRECTIONS), "max: higher is better, min: lower is better; null: after the metric's name"
    )
    margin: float | None = _declared(None, optional(number()), "the least effect that matters, in units of the metric")
    seed: str | None = _declared(
        AUTO, optional(text()), "the key that tells repetitions apart; auto: one called like a seed; null: none"
    )
    factors: tuple[str, ...] = _declared(
        (), _KEYS, "what is compared: keys, their last parts, or as folder names call them; []: every key that differs"
    )
    reference: Mapping[str, str] = _declared(
        {},
        mapping(),
        "reference.KEY=LEVEL: what to compare with; else the most frequent level, of equals true or the first",
    )
    only: Mapping[str, tuple[str, ...]] = _declared({}, mapping(), "only.KEY=LEVEL,LEVEL: leave other runs out")
    ignore: tuple[str, ...] = _declared((), _KEYS, "keys that make no difference")
    blocks: tuple[str, ...] = _declared(
        (), _KEYS, "factors within which cells are compared, but not across, such as data sets"
    )
    whole_plots: tuple[str, ...] = _declared(
        (), _KEYS, "factors that were set once for each seed (whole plots), while the others vary within"
    )
    results: str | None = _declared(
        None, optional(text()), "the file in each run that holds its results; null: all CSV and JSON files of a run"
    )
    repeats: str | None = _declared(
        None,
        _one_of(("latest", "mean", "replicates")),
        "what counts of several runs of one cell and seed: latest, mean, or replicates, where no seed was set",
    )
    source: str | None = _declared(
        None, _one_of(READERS), f"the format: {', '.join(READERS)}; null: the first of them that fits"
    )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> AdoptSettings:
        """Settings from plain values by key.

        Raises:
            ConfigError: If a key is unknown or a value is not allowed; the message names all faults.

        Example:
            >>> AdoptSettings.from_values({"reference": {"batch_norm": True}, "only": {"data": "mnist"}}).only
            {'data': ('mnist',)}
        """
        keys = [f"{key}.KEY" if setting.default == {} else key for key, setting in ADOPT_SETTINGS.items()]
        faults = []
        for key, value in values.items():
            if key not in ADOPT_SETTINGS:
                faults.append(f"Unknown key '{key}'. Keys: {', '.join(keys)}.{suggestion(key, keys)}")
            elif (fault := setting_fault(key, value, ADOPT_SETTINGS[key])) is not None:
                faults.append(fault)
        if faults:
            raise ConfigError("\n".join(faults))
        checked: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        reference = {key: level_label(level) for key, level in checked.pop("reference", {}).items()}
        only = {
            key: tuple(map(level_label, levels)) if isinstance(levels, list | tuple) else (level_label(levels),)
            for key, levels in checked.pop("only", {}).items()
        }
        return cls(reference=reference, only=only, **checked)

    def arguments(self) -> list[str]:
        """The settings that differ from their defaults, as arguments of the command line.

        Example:
            >>> parse_settings(["seed=null", "only.data=mnist,kmnist"]).arguments()
            ['seed=null', 'only.data=[mnist,kmnist]']
        """
        chosen = {key: value for key, value in vars(self).items() if value != ADOPT_SETTINGS[key].default}
        return [f"{key}={written(value)}" for key, value in flatten(chosen).items()]


ADOPT_SETTINGS: Mapping[str, Setting] = {item.name: item.metadata["setting"] for item in fields(AdoptSettings)}
"""All declarations by key."""


def parse_settings(arguments: Sequence[str]) -> AdoptSettings:
    """The settings in ``key=value`` arguments of the command line.

    Raises:
        ConfigError: If an argument is not understood; the message names all that are not.

    Example:
        >>> parse_settings(["metric=loss", "factors=[model,lr]", "only.data=mnist,kmnist"]).factors
        ('model', 'lr')
    """
    values: dict[str, Any] = {}
    faults = []
    for argument in arguments:
        key, sign, value = argument.partition("=")
        group, _, name = key.partition(".")
        if not sign or not value:
            faults.append(f"'{argument}' is not key=value.")
        elif name and group in ADOPT_SETTINGS and ADOPT_SETTINGS[group].default == {}:
            # Levels stay as they are typed: null and 0.10 are names of levels here.
            values.setdefault(group, {})[name] = _items(value) if group == "only" else value
        else:
            values[key] = _value(value, ADOPT_SETTINGS[key]) if key in ADOPT_SETTINGS else value
    try:
        settings = AdoptSettings.from_values(values)
    except ConfigError as error:
        faults.insert(0, str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def _value(value: str, setting: Setting) -> Any:
    if isinstance(setting.default, tuple):
        return _items(value)
    if value == "null":
        return None
    # A name may look like a number: text is text where the rule allows it.
    return value if setting.rule.allows(value) else number_or_text(value)


def number_or_text(text: str) -> float | str:
    """The number that a text is, or the text itself where it is none."""
    try:
        return float(text)
    except ValueError:
        return text


def _items(value: str) -> tuple[str, ...]:
    inner = value[1:-1] if value[0] == "[" and value[-1] == "]" else value
    # A comma within brackets belongs to a level.
    return tuple(item.strip() for item in re.split(r",(?![^\[{(]*[\]})])", inner) if item.strip())
