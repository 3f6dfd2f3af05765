"""Help pages, from what verbs, settings and ingredients declare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ablate.app.schema import (
    REPORT_SETTINGS,
    SECTIONS,
    conf_dir,
    data_settings,
    known_names,
    sections,
    tasks,
    top_settings,
)
from ablate.app.verb import Key, Verb
from ablate.formatting import titled_rows
from ablate.study.setting import Setting, assignment

_HEAD = """\
ablate: does each ingredient of a network earn its place?

One network:
  python -m ablate                            trains the full network and prints its test accuracy
  python -m ablate residual=false             the same without its skip connections

A study (-m) trains with and without, several seeds each, and writes figures and tables to outputs/<study>/:
  python -m ablate -m                         the full network against the network without each ingredient
  python -m ablate -m residual=true,false     one ingredient
  python -m ablate -m residual=true,false head=gap,flatten      the grid of two
  python -m ablate -m layers=leave_one_out    every block of the network left out in turn
  python -m ablate -m residual=true,false 'residual.only=block[3-5]*'    only in layers whose names fit a pattern
  python -m ablate -m study.seeds=5           with five seeds instead of three
  python -m ablate -m seed=0,7,9              with these seeds
  python -m ablate -m train.epochs=20 study.name=longer         any key can be set beside it
"""

_FOOT = """\
`python -m ablate VERB --help` explains a verb, its options and its keys; `python -m ablate help sweeper` how a Hydra
application of your own is made a study of.
Any key can be set with key=value, and compared with -m key=a,b.
--cfg job prints the whole configuration as it would be used; -sc install=bash (or zsh, fish) gives tab completion
to `ablate`; --hydra-help says what Hydra itself offers.
Exit codes: 0 all finished, 1 some run failed, 2 bad input, 130 interrupted.
"""


def help_page(verbs: Mapping[str, Iterable[Verb]]) -> str:
    """The general page: how to call it, its verbs, every choice and key.

    Args:
        verbs: By the title under which they stand.
    """
    parts = [_HEAD]
    for topic, members in verbs.items():
        parts.append(
            titled_rows(topic, [(f"python -m ablate {verb.name} {verb.arguments}", verb.summary) for verb in members])
        )
    parts.append(titled_rows("The task (task=..., its keys are task.<key>)", task_choices()))
    parts.append(titled_rows("The network (model=..., its keys are model.<key>)", _choices("model")))
    parts.append(titled_rows("The data set (data=..., its keys are data.<key>)", _choices("data")))
    parts.append(titled_rows("Keys of all tasks, networks and data sets", [*task_keys(), *model_keys(), *data_keys()]))
    parts.append(titled_rows("Ingredients and seed", ingredient_keys()))
    parts += [titled_rows(title, section_keys(section)) for section, title in SECTIONS.items()]
    return "\n".join([*parts, _FOOT])


def verb_page(verb: Verb) -> str:
    """The page of one verb: how to call it, its options and keys, an example.

    Args:
        verb: The verb.

    Example:
        >>> from ablate.app.verb import Option
        >>> colour = Option("--colour", "NAME", "of the paint")
        >>> print(verb_page(Verb("paint", print, "THING", "paints it", "wall", (colour,))))
        python -m ablate paint THING [--colour NAME]
        <BLANKLINE>
        Paints it.
        <BLANKLINE>
        Options:
          --colour NAME  of the paint
        <BLANKLINE>
        Example:
          python -m ablate paint wall
        <BLANKLINE>
    """
    parts = [f"python -m ablate {verb.usage}\n", f"{verb.summary[0].upper()}{verb.summary[1:]}.\n"]
    if verb.options:
        parts.append(titled_rows("Options", [(option.usage, option.description) for option in verb.options]))
    if verb.keys:
        groups = {"study": lambda: section_keys("study"), "model": model_keys, "data": data_keys, "adopt": adopt_keys}
        groups["ingredients"] = ingredient_keys
        parts.append(titled_rows("Keys", [key for name in verb.keys for key in groups[name]()]))
    return "\n".join([*parts, f"Example:\n  python -m ablate {verb.name} {verb.example}\n"])


def section_keys(section: str) -> list[Key]:
    """The keys of a section of the configuration, with the defaults that its YAML file sets.

    Args:
        section: Such as ``"study"``.
    """
    settings = sections()[section]
    if section == "study":  # these stand under `report`, from where they are handed on
        settings = {key: setting for key, setting in settings.items() if key not in REPORT_SETTINGS}
    return _keys(f"{section}.", settings, _yaml_defaults(section))


def ingredient_keys() -> list[Key]:
    """The ingredients, and the keys that limit them or add to them."""
    return _keys("", top_settings())


def data_keys() -> list[Key]:
    """The keys of data sets: those of all, then those that only some sources have."""
    described = {
        source: {key: setting.description for key, setting in settings.items()}
        for source, settings in data_settings().items()
    }
    return _shared_keys("data", "data.source", described)


def task_choices() -> list[Key]:
    """The tasks, each with what it is and the data that it takes by default."""
    return [
        (f"task={name}", f"{task.description} (default data={task.defaults['data']} model={task.defaults['model']})")
        for name, task in tasks().items()
    ]


def task_keys() -> list[Key]:
    """The keys of tasks: those of all, then those that only some tasks have."""
    described = {
        name: {key: setting.description for key, setting in task.settings.items() if key != "name"}
        for name, task in tasks().items()
    }
    return _shared_keys("task", "task", described)


def model_keys() -> list[Key]:
    """The keys of the networks in ``conf/model``, each with the comment of its line and the networks that have it."""
    comment = re.compile(r"^(\w+):.* # (.*)$", re.MULTILINE)
    described = {name: dict(comment.findall(file.read_text())) for name, file in _files("model").items()}
    return _shared_keys("model", "model", described)


def _shared_keys(section: str, choice: str, descriptions: Mapping[str, Mapping[str, str]]) -> list[Key]:
    """The keys of a section that depend on a choice, each with the choices that have it where not all do.

    Args:
        section: Such as ``"data"``.
        choice: The key that chooses, such as ``"data.source"``.
        descriptions: The keys with their descriptions, by choice.
    """
    rows = []
    for key in dict.fromkeys(key for described in descriptions.values() for key in described):
        owners = [name for name, described in descriptions.items() if key in described]
        where = "" if len(owners) == len(descriptions) else f" ({choice}={'|'.join(owners)})"
        rows.append((f"{section}.{key}", f"{descriptions[owners[0]][key].strip()}{where}"))
    return rows


def adopt_keys() -> list[Key]:
    """What ``ablate adopt`` can be told about foreign results."""
    from ablate.foreign.request import ADOPT_SETTINGS

    return _keys("", ADOPT_SETTINGS)


def _keys(prefix: str, settings: Mapping[str, Setting], values: Mapping[str, Any] | None = None) -> list[Key]:
    defaults = {key: setting.default for key, setting in settings.items()} | dict(values or {})
    names = known_names()
    rows = []
    for key, setting in settings.items():
        allowed = f" ({', '.join(names[prefix + key])})" if prefix + key in names else ""
        rows.append((f"{prefix}{assignment(key, defaults[key])}", f"{setting.description}{allowed}"))
    return rows


def _yaml_defaults(section: str) -> dict[str, Any]:
    """What the YAML file that the configuration chooses for a section sets."""
    config = yaml.safe_load((Path(conf_dir()) / "config.yaml").read_text())
    (chosen,) = [entry[section] for entry in config["defaults"] if isinstance(entry, dict) and section in entry]
    path = _files(section).get(chosen)
    return {} if path is None else dict(yaml.safe_load(path.read_text()))


def _choices(group: str) -> list[Key]:
    """The choices of a group, each with the comment that its file starts with."""
    return [(f"{group}={name}", file.read_text().splitlines()[0].lstrip("# ")) for name, file in _files(group).items()]


def _files(group: str) -> dict[str, Path]:
    return {path.stem: path for path in sorted((Path(conf_dir()) / group).glob("*.yaml"))}
