"""How a study is made of a Hydra application: a page for any application, or with the keys of a given one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablate.formatting import listing, titled_rows
from ablate.study.design import DESIGNS
from ablate.study.setting import Setting, assignment
from ablate.study.settings import LAUNCHER_SETTINGS, STUDY_SETTINGS

HELP = "help"
"""``hydra.sweeper.help=true`` prints the page for the application that is called, and trains nothing."""

_SEED_KEYS = re.compile(r"(^|[._])(seed|random_state|rng)$", re.IGNORECASE)


_MOST_KEYS = 40
"""Keys of an application that the page lists."""


@dataclass(frozen=True)
class Described:
    """What the page says of an application.

    Args:
        program: How it is called.
        seed_key: The key of its seed in use.
        keys: Its keys with their values, by dotted name.
        groups: The choices of its config groups, by name.
    """

    program: str = "python train.py"
    seed_key: str | None = "seed"
    keys: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


def seed_candidates(keys: Mapping[str, Any]) -> list[str]:
    """Those of an application's keys that look like its seed."""
    return [name for name in keys if _SEED_KEYS.search(name)]


def guide_page(application: Described | None = None) -> str:
    """The page.

    Args:
        application: The application whose words are to be used; None for an example.

    Example:
        >>> print(guide_page().splitlines()[0])
        A study of a Hydra application: python train.py -m hydra/sweeper=ablation ...
    """
    known = application or Described()
    call = f"{known.program} -m hydra/sweeper=ablation"
    factors = _example_factors(known)
    both = " ".join(factors)
    rows = [
        (f"{call} {both}", "every combination; what the configuration has without a sweep is the reference"),
        (f"{call} {both} hydra.sweeper.design=leave_one_out", "the reference, and each change of it alone"),
        (f"{call} {factors[0]} hydra.sweeper.seeds=5 hydra.sweeper.dry_run=true", "what would be trained"),
        (f"{call} {factors[0]} hydra/launcher=workers hydra.launcher.workers=2", "two runs at a time"),
    ]
    parts = [f"A study of a Hydra application: {call} ...\n"]
    parts += ["\n".join(f"  # {meaning}\n  {command}" for command, meaning in rows) + "\n"]
    parts.append(
        "The function returns a number, or a dict of numbers. The same command again trains nothing, and goes on after "
        "an\ninterruption. Results are in outputs/<study>/.\n"
    )
    if application is not None:
        parts.append(titled_rows("This application", _own_rows(application)))
    parts.append(
        titled_rows(
            "What can be swept",
            [
                ("key=a,b", "a key of the configuration"),
                ("'+key=a,b'", "one that it lacks, which each level adds; the first is the reference"),
                ("group=a,b", "the files of a config group"),
                ("group=null,a", "without and with one of them"),
                ("seed=1,2,3", "these seeds instead of hydra.sweeper.seeds"),
                ("+seed=0", "adds the key of the seed where the configuration lacks it"),
            ],
        )
    )
    parts.append(titled_rows("Keys of the study", _rows("hydra.sweeper", STUDY_SETTINGS)))
    parts.append(
        titled_rows(
            "Keys of hydra/launcher=workers and isolated (a process a run)", _rows("hydra.launcher", LAUNCHER_SETTINGS)
        )
    )
    return "\n".join(parts)


def _rows(section: str, settings: Mapping[str, Setting]) -> list[tuple[str, str]]:
    rows = []
    for key, setting in settings.items():
        names = f" ({', '.join(DESIGNS)})" if setting is STUDY_SETTINGS.get("design") else ""
        rows.append((assignment(f"{section}.{key}", setting.default), f"{setting.description}{names}"))
    if section == "hydra.sweeper":
        rows.append((f"{section}.{HELP}=true", "this page, with the words of the application that is called"))
        rows.append((f"{section}.params", "sweeps by key, which the application's configuration may hold"))
    return rows


def _own_rows(application: Described) -> list[tuple[str, str]]:
    rows = []
    seed_key = application.seed_key
    if seed_key is not None and seed_key in application.keys:
        rows.append((f"seed: {seed_key}", f"{assignment(seed_key, application.keys[seed_key])} unswept"))
    elif candidates := seed_candidates(application.keys):
        rows.append(("seed", f"hydra.sweeper.seed_key={candidates[0]}"))
    else:
        rows.append(("seed", "no key looks like one: +seed=0 adds it, hydra.sweeper.seed_key=null does without"))
    rows += [(f"group {name}", listing(choices)) for name, choices in application.groups.items()]
    rows += [(assignment(key, value), "") for key, value in list(application.keys.items())[:_MOST_KEYS]]
    if len(application.keys) > _MOST_KEYS:
        rows.append(("...", f"and {len(application.keys) - _MOST_KEYS} more; --cfg job shows all"))
    return rows


def _example_factors(application: Described) -> list[str]:
    """Two sweeps that the application knows: of a group with several choices, of a switch, of a number."""
    sweeps = [f"{name}={','.join(choices[:2])}" for name, choices in application.groups.items() if len(choices) > 1]
    switches = [key for key, value in application.keys.items() if isinstance(value, bool)]
    sweeps += [f"{key}={'true,false' if application.keys[key] else 'false,true'}" for key in switches]
    return [*sweeps, "optimizer=adam,sgd", "model.norm=batch,none"][:2]
