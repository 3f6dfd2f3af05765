"""The configuration of ``python -m ablate``: its files, the schema that follows from declarations, its checks.

Which keys there are is declared where they are used: a study's in :mod:`ablate.study.settings`, a training's in
``ablate.keras.settings``, an ingredient's in its class. The YAML files of ``conf/`` hold the choices of the groups
``model`` and ``data``, and of everything else only what differs from the declarations. The Keras layer is reached by
name, through modules that load neither Keras nor TensorFlow.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, make_dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import ablate
from ablate.errors import ConfigError, suggestion
from ablate.figures.registry import FIGURES, PAGE_WIDTHS, choice_faults
from ablate.objects import load_object
from ablate.study.design import DESIGNS
from ablate.study.metric import METRICS, metric_stem
from ablate.study.setting import Setting, anything, check_section, config_node, mapping, text, whole
from ablate.study.settings import LAUNCHER_SETTINGS, STUDY_SETTINGS

REPORT_SETTINGS: Mapping[str, Setting] = {key: STUDY_SETTINGS[key] for key in ("figures", "width", "statements")}
"""The keys of ``report``."""

# The seed's key is `seed`, and confirmations are a verb: these two are for foreign applications.
_STUDY_SETTINGS: Mapping[str, Setting] = {
    **{key: setting for key, setting in STUDY_SETTINGS.items() if key not in ("seed_key", "confirms")},
    **{key: replace(setting, fallback=None) for key, setting in LAUNCHER_SETTINGS.items() if setting.fallback},
}

SECTIONS: Mapping[str, str] = {
    "train": "How a network is trained",
    "study": "What a study compares, how often, and by which number",
    "report": "What is written about a study (changes no run; the last command that trained decides)",
}
"""The sections whose keys are declared, each with what its keys are about."""


def sections() -> dict[str, Mapping[str, Setting]]:
    """The declared keys of every section in :data:`SECTIONS`."""
    return {
        "train": load_object("ablate.keras.settings.TRAIN_SETTINGS"),
        "study": _STUDY_SETTINGS,
        "report": REPORT_SETTINGS,
    }


def data_settings() -> dict[str, Mapping[str, Setting]]:
    """The declared keys of ``data``, by the source of the images."""
    settings = load_object("ablate.keras.settings.data_settings")
    return {source: settings(source) for source in load_object("ablate.keras.data.SOURCES")}


def ingredients() -> Mapping[str, Any]:
    """The built-in ingredients by name, each the value that describes itself."""
    return dict(load_object("ablate.keras.rewrites.registry.INGREDIENTS"))


def tasks() -> Mapping[str, Any]:
    """The tasks by name, each the value that describes itself."""
    return dict(load_object("ablate.keras.tasks.TASKS"))


def task_values(task: Any) -> dict[str, Any]:
    """The section ``task`` as it is where nothing is set.

    Args:
        task: One of `tasks`.
    """
    return {key: setting.default for key, setting in task.settings.items()}


def top_settings() -> dict[str, Setting]:
    """The keys that stand in no section: the seed, every ingredient, and what limits or extends them."""
    known = ingredients()
    return {
        "seed": Setting(0, whole(0), "everything random in a run comes from here, each source from its own stream"),
        **{name: Setting(one.levels[0], anything(), one.description) for name, one in known.items()},
        "blocks": Setting({}, mapping(), "blocks to leave out, by name: '+blocks.block2=false'"),
        "only": Setting(
            {name: None for name, one in known.items() if one.limited},
            mapping(),
            "limits an ingredient to layers whose names fit a pattern: 'residual.only=block[3-5]*'",
        ),
        "partial": load_object("ablate.keras.settings.PARTIAL"),
        "ingredients": Setting(
            {},
            mapping(),
            "ingredients of your own by dotted path: '+ingredients.my_part=my_package.parts.MyPart'; then "
            "'+my_part=true,false'",
        ),
        "trainer": Setting(
            load_object("ablate.keras.settings.TRAINER"), text(), "dotted path of the function that carries a run out"
        ),
    }


def known_names() -> dict[str, Iterable[str]]:
    """What may be named by keys that choose from a registry, in the order of registration."""
    reported = list(dict.fromkeys(name for task in tasks().values() for name in task.numbers(task_values(task))))
    stems = {metric_stem(name) for name in reported}
    return {
        "study.design": DESIGNS,
        # What our own tasks report, and what is declared for trainers of others.
        "study.metric": [*reported, *(name for name in METRICS if name not in stems)],
        "report.figures": FIGURES,
        "report.width": PAGE_WIDTHS,
    }


def conf_dir() -> str:
    """The folder of the YAML files: inside an installed package, beside it in a checkout.

    Raises:
        ConfigError: If neither is there, so the installation is broken.
    """
    package = Path(ablate.__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return str(folder)
    raise ConfigError(f"The configuration files of ablate are missing beside '{package}'. Install ablate-study again.")


def register() -> None:
    """Give Hydra what follows from declarations: the schema, and how networks are trained by default.

    Call it again after an ingredient or a setting was registered: the schema is what the registries hold at the time.
    """
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    store.store("default", config_node(sections()["train"]), group="train", provider="ablate")
    store.store("schema", _schema(), provider="ablate")
    for task in tasks().values():
        # At the top, since a task also says by which number a study decides, and which network and data it takes.
        store.store(task.name, _task_node(task), group="task", package="_global_", provider="ablate")


def _schema() -> type:
    """The type of the whole configuration: Hydra itself refuses a level of another type than the ingredient's."""
    types = {name: _level_type(one.levels) for name, one in ingredients().items()} | {
        "seed": int,
        "trainer": str,
        "partial": bool,
    }
    defaults = {key: setting.default for key, setting in top_settings().items()}
    defaults |= {"task": None, "model": None, "data": None, "train": None}
    defaults |= {"study": _study_node(), "report": config_node(REPORT_SETTINGS)}
    fields = []
    for key, default in defaults.items():
        factory = functools.partial(copy.deepcopy, default)
        fields.append((key, types.get(key, Any), field(default_factory=factory)))
    return make_dataclass("Config", fields)


def _task_node(task: Any) -> dict[str, Any]:
    """The file of the group ``task``: its keys, and what the rest of the configuration takes for it by default."""
    overrides = [{f"override /{group}": choice} for group, choice in task.defaults.items()]
    return {"defaults": [*overrides, "_self_"], "task": config_node(task.settings), "study": {"metric": task.metric}}


def _level_type(levels: Sequence[Any]) -> Any:
    types = {type(level) for level in levels}
    return types.pop() if types in ({bool}, {str}) else Any


def _study_node() -> dict[str, Any]:
    known = ingredients()
    return config_node(_STUDY_SETTINGS) | {
        # A child means something only beside certain levels of its parents.
        "requires": {
            name: {parent: levels[0] if len(levels) == 1 else list(levels) for parent, levels in one.requires.items()}
            for name, one in known.items()
            if one.requires
        },
        "labels": {name: one.label for name, one in known.items() if one.label != name},
        "extra_factors": "${ingredients}",
        "unset": {
            name: one.levels[0] for name, one in known.items() if True in one.adds and True not in one.levels[:1]
        },
        # Handed on to the sweeper, which must not look into a node `report` that another application may have.
        **{key: f"${{report.{key}}}" for key in REPORT_SETTINGS},
    }


def compose_config(overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration of a single run, as plain values.

    Args:
        overrides: Override strings in Hydra's grammar.

    Raises:
        hydra.errors.HydraException: If they do not compose.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    register()
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose("config", list(overrides))
    return OmegaConf.to_container(config, resolve=True, enum_to_str=True)  # type: ignore[return-value]


def check_values(values: Mapping[str, Any]) -> None:
    """Refuse a configuration in which something is wrong.

    Raises:
        ConfigError: With every fault, a line each.
    """
    if messages := faults(values):
        raise ConfigError("\n".join(messages))


def faults(values: Mapping[str, Any], explicit: bool = True) -> list[str]:
    """What is wrong with a configuration as far as it can be said without building anything.

    Args:
        values: The configuration as plain values.
        explicit: Whether all levels in it are there because somebody asked for them, so that a void one is a mistake.

    Returns:
        A sentence a fault; empty if there is none.

    Example:
        >>> faults({"residul": False, "study": {"seeds": 0.5}})[0]
        "Unknown key 'residul': nothing reads it. Did you mean 'residual'?"
    """
    allowed = {*top_settings(), "task", "model", "data", *SECTIONS}
    added = {*(values.get("ingredients") or {}), *_installed_ingredients()}
    messages = [
        f"Unknown key '{key}': nothing reads it.{suggestion(str(key), allowed)}"
        for key in values
        if key not in allowed and key not in added
    ]
    # Null stands for the default of every key of a study.
    study = {key: value for key, value in (values.get("study") or {}).items() if value is not None}
    report = values.get("report") or {}
    messages += check_section("study", study, _STUDY_SETTINGS)[1]
    messages += check_section("report", report, REPORT_SETTINGS)[1]
    messages += choice_faults(report.get("figures"), report.get("width"))
    return [*messages, *load_object("ablate.keras.settings.faults")(values, explicit)]


@functools.cache
def _installed_ingredients() -> frozenset[str]:
    """Names of ingredients that installed packages bring; their keys are added with a ``+``."""
    return frozenset(entry_points(group="ablate.ingredients").names)
