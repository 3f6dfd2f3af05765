"""Several data sets in one study (``data.sets``): what each is made of, and the overrides that choose it.

Nothing here loads Keras, TensorFlow or NumPy: the command line reads it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ablate.errors import ConfigError
from ablate.formatting import enumeration
from ablate.study.setting import Rule, Setting, check_section, either, list_of, mapping, setting_fault, text, written

EXAMPLE = "[{path: photos}, digits]"
_FILES = {".csv": "table", ".tsv": "table", ".npz": "arrays", ".npy": "arrays", ".h5": "arrays", ".hdf5": "arrays"}
"""Sources whose path is a file, by its suffix; any other path is that of a folder of images."""


def sets_rule() -> Rule:
    """At least two sets: names of ready ones, or mappings of keys of ``data``; in a list, or by their names."""
    member = either(text(), mapping())
    several = either(list_of(member, "", empty=False), mapping(member))
    return Rule(
        lambda value: several.allows(value) and len(value) > 1,
        f"at least two sets, each the name of a ready one or a mapping of keys of data: {EXAMPLE}, or by name "
        "{mine: {path: photos}, theirs: digits}",
    )


def set_overrides(
    sets: Any, setting: Setting, settings: Mapping[str, Mapping[str, Setting]]
) -> dict[str, tuple[str, ...]]:
    """The overrides that choose each set, by its name.

    Args:
        sets: The value of ``data.sets``.
        setting: Its declaration.
        settings: The keys of the ``data`` section, by source.

    Raises:
        ConfigError: With every fault of every set, a line each.

    Example:
        >>> from ablate.keras.settings import DATA_SETTINGS, data_settings
        >>> from ablate.keras.data import SOURCES
        >>> by_source = {source: data_settings(source) for source in SOURCES}
        >>> for line in set_overrides([{"path": "my photos"}, "digits"], DATA_SETTINGS["sets"], by_source).items():
        ...     print(*line)
        my photos ('data=folder', 'data.path="my photos"', 'data.sets=null')
        digits ('data=digits', 'data.sets=null')
    """
    if fault := setting_fault("data.sets", sets, setting):
        raise ConfigError(fault)
    is_named = isinstance(sets, Mapping)
    faults: list[str] = []
    names: list[str] = []
    overrides: list[tuple[str, ...]] = []
    for place, member in sets.items() if isinstance(sets, Mapping) else enumerate(sets):
        key = f"data.sets.{place}" if is_named else f"data.sets[{place}]"
        values = {"source": member} if isinstance(member, str) else dict(member)
        choice = values.pop("source", None) or _source_of(values, settings)
        if choice is None:
            faults.append(f"{key}.source is missing: name a ready set or one of {', '.join(settings)}.")
        # A ready set has the keys of its source, which composing it will say.
        allowed = settings.get(str(choice)) or {
            name: one for source in settings.values() for name, one in source.items()
        }
        given = {name: one for name, one in allowed.items() if name in values or choice in settings}
        unknown = [name for name in values if name not in allowed]
        faults += [check_section(key, {name: values[name]}, allowed)[1][0] for name in unknown]
        faults += [
            fault
            for name, one in given.items()
            if name not in ("source", "sets") and (name in values or one.default is None)
            if (fault := setting_fault(f"{key}.{name}", values.get(name, one.default), one))
        ]
        if "sets" in values:
            faults.append(f"{key}.sets: a set holds no other sets.")
        name = str(place) if is_named else _name_of(str(choice), values)
        if is_named and choice in ("folder", "builder"):
            values.setdefault("name", name)
        names.append(name)
        lines = [f"data.{key}={hydra_value(value)}" for key, value in values.items()]
        overrides.append((f"data={choice}", *lines, "data.sets=null"))
    for name, count in Counter(names).items():
        if count > 1:
            faults.append(
                f"data.sets: {count} sets are called '{name}'. Name them: 'data.sets={{{_plain(name)}_a: ..., "
                f"{_plain(name)}_b: ...}}'."
            )
    if faults:
        raise ConfigError("\n".join(faults))
    return dict(zip(names, overrides, strict=True))


def _source_of(values: Mapping[str, Any], settings: Mapping[str, Mapping[str, Setting]]) -> str | None:
    """The only source that has one of the keys, such as ``builder``, or that of a path, by its suffix."""
    for key in values:
        sources = [source for source, allowed in settings.items() if key in allowed]
        if len(sources) == 1:
            return sources[0]
    if "path" in values:
        return _FILES.get(PurePath(str(values["path"])).suffix.lower(), "folder")
    return None


def _name_of(choice: str, values: Mapping[str, Any]) -> str:
    if name := values.get("name"):
        return str(name)
    if path := values.get("path"):
        return PurePath(str(path)).name or str(path)
    return str(values.get("builder") or choice)


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name)


def hydra_value(value: Any) -> str:
    """A value as the grammar of Hydra's overrides has it.

    Example:
        >>> print(hydra_value({"path": "a b", "depth": 2, "exclude": ["*_m*"], "white": None}))
        {path:"a b",depth:2,exclude:["*_m*"],white:null}
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{hydra_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(hydra_value, value))}]"
    if not isinstance(value, str):
        return written(value)
    return '"' + re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + ('\\"' if end[2] else ""), value) + '"'


def several_sets_fault(sets: Any) -> str:
    """What is wrong where a single run is to have several data sets."""
    names = [one if isinstance(one, str) else str(one) for one in sets]
    return f"data.sets ({enumeration(names)}): several data sets are a study: python -m ablate -m data.sets=..."
