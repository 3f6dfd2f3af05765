"""What can be found wrong before any training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

from omegaconf import DictConfig, OmegaConf

from ablate.errors import AblateError, ConfigError, NetworkError, suggestion
from ablate.keras import data, recipe
from ablate.keras.capacity import capacity_note, refuse_beyond
from ablate.keras.compiled import FullModels, cell, levels_of
from ablate.keras.data import Dataset
from ablate.keras.data.quality import leaks
from ablate.keras.fitting import fitting_data
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import sketch
from ablate.keras.ingredients import Ingredient, ablated_graph, catalogue, present
from ablate.keras.ingredients.without_block import block_key, block_names

__all__ = ["check", "checked", "validate"]


_FLAGS = (True, False)


def validate(config: Mapping[str, Any] | DictConfig) -> None:
    """Refuses a config whose faults show without loading data or building the network.

    Args:
        config: The resolved config of a run.

    Raises:
        ConfigError: With every fault, a line each.
    """
    checked(_plain(config))


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The train section of a config with its defaults.

    Args:
        config: The resolved config of a run, as plain values.

    Raises:
        ConfigError: With every fault of the whole config, a line each.
    """
    seed = config.get("seed")
    faults = []
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        faults.append(f"seed={seed}: must be a whole number of at least 0.")
    try:
        known = catalogue(config.get("ingredients"))
    except NetworkError as error:
        known = {}
        faults.append(str(error))
    for name, ingredient in known.items():
        if name in config and not ingredient.allows(config[name]):
            words = ingredient.allowed()
            near = suggestion(str(config[name]), words)
            faults.append(f"{name}={config[name]}: must be one of {', '.join(words)}.{near}")
    kept = config.get("blocks") or {}
    faults += [f"blocks.{name}={value}: must be true or false." for name, value in kept.items() if value not in _FLAGS]
    sections = {}
    for name in ("model", "data", "train"):
        sections[name] = config.get(name) or {}
        if not isinstance(sections[name], Mapping):
            faults.append(f"{name}={sections[name]}: must be a mapping.")
            sections[name] = {}
    values, train_faults = recipe.settings(sections["train"])
    _, data_faults = data.settings(sections["data"])
    faults += data_faults + train_faults
    if faults:
        raise ConfigError("\n".join(faults))
    return values


def check(configs: Sequence[Mapping[str, Any] | DictConfig]) -> list[dict[str, Any]]:
    """Loads the data and builds the network of every cell.

    Args:
        configs: Resolved configs; those that differ in the seed alone are built once.

    Returns:
        One mapping a config: ``error`` (a message or ``None``), ``absent`` (ingredients that the full network does not
        have), ``weights`` (all of the network), ``sites`` (of each ingredient in the full network), ``input_shape``,
        ``classes``, and ``notes`` (a sentence for each change that nobody asked for, of data or capacity, and for test
        images that another part has too).
    """
    answers: dict[str, dict[str, Any]] = {}
    first: dict[str, tuple[str, Mapping[str, Any]]] = {}
    keys = []
    models = FullModels()
    for config in configs:
        plain = _plain(config)
        key = json.dumps(cell(plain) | {"seed": None}, sort_keys=True, default=str)
        keys.append(key)
        if key in answers:
            continue
        answers[key], graph = _looked_at(plain, models)
        if graph is not None:
            rest = {
                name: value
                for name, value in cell(plain).items()
                if name not in (*catalogue(plain.get("ingredients")), "blocks")
            }
            same = json.dumps([rest, graph], sort_keys=True, default=str)
            if same in first and _differs_in_blocks(plain, first[same][1]):
                answers[key]["notes"].append(_same_blocks(plain, first[same][1]))
            elif same in first:
                answers[key]["error"] = _changes_nothing(plain, first[same][1])
            first.setdefault(same, (key, plain))
    return [dict(answers[key]) for key in keys]


def _looked_at(config: Mapping[str, Any], models: FullModels) -> tuple[dict[str, Any], str | None]:
    answer: dict[str, Any] = {
        **{"error": None, "absent": [], "weights": 0, "input_shape": None, "classes": 0},
        "sites": {},
        "notes": [],
    }
    full = None
    try:
        values = checked(config)
        device.prepare(values["threads"])
        dataset, notes = fitting_data(config)
        answer |= {
            "input_shape": dataset.input_shape,
            "classes": dataset.classes,
            "notes": [*notes, *dataset.pool.notes, *leaks(dataset)],
        }
        _refuse_batch(values, dataset)
        known = catalogue(config.get("ingredients"))
        full = models.of(config, dataset, values["mixed_precision"])
        answer["sites"] = present(full, known)
        answer["absent"] = [name for name, sites in answer["sites"].items() if not sites and not known[name].adds]
        levels = levels_of(config, known)
        graph = ablated_graph(full, levels, config.get("only"), known)
        model = full if graph is None else sketch(graph)
        answer["weights"] = model.count_params()
        said = _said(levels, known)
        refuse_beyond(said, answer["weights"])
        note = capacity_note(said, answer["weights"], full.count_params())
        answer["notes"] += [note] if note else []
    except AblateError as error:
        return answer | {"error": f"{error}{_other_blocks(config, full)}"}, None
    return answer, _graph_fingerprint(model)


def _other_blocks(config: Mapping[str, Any], full: Any) -> str:
    """How to have a study without a block that the network cannot be built without."""
    gone = "none" if full is None else _blocks_gone(config)
    if gone == "none":
        return ""
    limit = (config.get("only") or {}).get("without_block")
    rest = [name for name in block_names(graph_of(full), limit) if block_key(name) not in gone.split(",")]
    return f" All blocks but this: 'only.without_block=[{','.join(rest)}]'." if rest else ""


def _said(levels: Mapping[str, Any], known: Mapping[str, Ingredient]) -> str:
    changed = [f"{name}={_word(level)}" for name, level in levels.items() if level != known[name].levels[0]]
    return ", ".join(changed) or "the full network"


def _refuse_batch(values: Mapping[str, Any], dataset: Dataset) -> None:
    if values["batch_size"] > len(dataset.train):
        raise ConfigError(
            f"train.batch_size={values['batch_size']}: data set '{dataset.name}' has {len(dataset.train)} training "
            "images; a batch must not be larger."
        )


def _graph_fingerprint(model: Any) -> str:
    """Hash of the layers, their ties and weight shapes; names do not count."""
    places: dict[str, str] = {}

    def unnamed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: unnamed(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [unnamed(item) for item in value]
        return places.get(value, value) if isinstance(value, str) else value

    for place, layer in enumerate(model.layers):
        places[layer.name] = f"#{place}"
    places[model.name] = "#model"
    told = [unnamed(model.get_config()), [list(weight.shape) for weight in model.weights]]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _changes_nothing(config: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    known = catalogue(config.get("ingredients"))
    differing = [name for name in known if config.get(name) != other.get(name)]
    own = ", ".join(f"{name}={_word(config.get(name))}" for name in differing)
    theirs = ", ".join(f"{name}={_word(other.get(name))}" for name in differing)
    return f"{own} changes nothing: the network is the same as with {theirs}."


def _blocks_gone(config: Mapping[str, Any]) -> str:
    gone = levels_of(config, catalogue(config.get("ingredients"))).get("without_block", "none")
    return str(gone)


def _differs_in_blocks(config: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both leave out blocks, and not the same ones: two of a row of equal blocks, say."""
    mine, theirs = _blocks_gone(config), _blocks_gone(other)
    return mine != theirs and "none" not in (mine, theirs)


def _same_blocks(config: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return (
        f"Without {_blocks_gone(config)} and without {_blocks_gone(other)} the network is the same: these cells differ "
        "in their initial weights alone."
    )


def _word(level: Any) -> str:
    return str(level).lower()


def _plain(config: Mapping[str, Any] | DictConfig) -> Any:
    return OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else config
