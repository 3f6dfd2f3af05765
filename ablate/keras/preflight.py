"""Checks the cells of a study before any training: data, networks, and what the cells change."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

from omegaconf import DictConfig

from ablate.errors import AblateError, ConfigError
from ablate.keras.data.forms import LabelForm
from ablate.keras.data.loading import load_run_data
from ablate.keras.data.quality import contradiction_note, giveaway_notes, leaks
from ablate.keras.graph_equality import fingerprint
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import sketch
from ablate.keras.mask_augmentation import split_augmentation
from ablate.keras.model_checks import refuse_unreadable_file, refuse_unreported_training, saving_notes
from ablate.keras.networks import FullModelCache, cell_graph, compile_notes, weight_notes
from ablate.keras.objective_checks import refuse_unfit_objective
from ablate.keras.rewrites import catalogue, inaccessible_places, partial_removals, present
from ablate.keras.rewrites.places import has_places, inaccessible_text, left_alone, left_alone_text, patterns
from ablate.keras.rewrites.without_block import block_key, block_names
from ablate.keras.run_config import cell_config, levels_of, plain_values, prepare_process
from ablate.keras.survey import refused_blocks
from ablate.keras.tasks import chosen_task
from ablate.keras.theoretical_cost import capacity_note, refuse_too_large
from ablate.study.setting import written


def check(configs: Sequence[Mapping[str, Any] | DictConfig]) -> list[dict[str, Any]]:
    """Loads the data and builds the network of every cell.

    Args:
        configs: Resolved configs; those that differ in the seed alone are built once.

    Returns:
        One mapping a config: ``error`` (a message or ``None``), ``absent`` (ingredients that the full network does not
        have, or only where they cannot be removed), ``weights`` (all of the network), ``sites`` (of each ingredient in
        the full network), ``inaccessible`` (where an ingredient is inside layers of the user), ``input_shape``,
        ``classes``, and ``notes`` (a sentence for each change that the config does not ask for, of data or capacity,
        and for test images that another subset has too).
    """
    answers: dict[str, dict[str, Any]] = {}
    first_with_graph: dict[str, Mapping[str, Any]] = {}
    changed: set[str] = set()
    keys = []
    models = FullModelCache()
    for config in configs:
        plain = plain_values(config)
        cell = cell_config(plain)
        key = json.dumps(cell, sort_keys=True, default=str)
        keys.append(key)
        if key in answers:
            continue
        answers[key], graph = _build(plain, models)
        if answers[key]["inaccessible"]:
            changed |= _changed_levels(plain).keys()
        if graph is None:
            continue
        levels = (*catalogue(plain.get("ingredients")), "blocks")
        rest = {name: value for name, value in cell.items() if name not in levels}
        other = first_with_graph.setdefault(json.dumps([rest, graph], sort_keys=True, default=str), plain)
        if other is plain:
            continue
        removed, other_removed = _removed_blocks(plain), _removed_blocks(other)
        if removed != other_removed and "none" not in (removed, other_removed):
            # Two of several equal blocks in a row.
            answers[key]["notes"].append(
                f"Without {removed} and without {other_removed} the network is the same: these cells differ in their "
                "initial weights alone."
            )
        else:
            varied = [name for name in levels if plain.get(name) != other.get(name) and name != "blocks"]
            here, there = (", ".join(f"{name}={written(one.get(name))}" for name in varied) for one in (plain, other))
            answers[key]["error"] = f"{here} changes nothing: the network is the same as with {there}."
    return [_with_unreachable(answers[key], changed) for key in keys]


def _changed_levels(config: Mapping[str, Any]) -> dict[str, Any]:
    ingredients = catalogue(config.get("ingredients"))
    levels = levels_of(config, ingredients)
    return {name: level for name, level in levels.items() if level != ingredients[name].levels[0]}


def _with_unreachable(answer: Mapping[str, Any], changed: Collection[str]) -> dict[str, Any]:
    """An answer with a note for each ingredient that some config changes and that only layers of the user hold."""
    notes = [
        f"`{name}` is in this model and cannot be removed: {places}."
        for name, places in answer["inaccessible"].items()
        if name in changed and name in answer["absent"]
    ]
    return {**answer, "notes": [*answer["notes"], *notes]}


def _build(config: Mapping[str, Any], models: FullModelCache) -> tuple[dict[str, Any], str | None]:
    """The answer for one config, and the fingerprint of its network if that can be built."""
    answer: dict[str, Any] = {"error": None, "absent": [], "weights": 0, "input_shape": None, "classes": 0}
    answer |= {"sites": {}, "inaccessible": {}, "notes": []}
    full = None
    try:
        values = prepare_process(config)
        dataset, notes = load_run_data(config)
        answer |= {
            "input_shape": dataset.input_shape,
            "classes": dataset.classes,
            "notes": [
                *(*notes, *dataset.pool.notes, *leaks(dataset), *contradiction_note(dataset)),
                *giveaway_notes(dataset),
            ],
        }
        if values["batch_size"] > len(dataset.train):
            raise ConfigError(
                f"train.batch_size={values['batch_size']}: data set '{dataset.name}' has {len(dataset.train)} training "
                f"{dataset.pool.noun}; a batch must not be larger."
            )
        ingredients = catalogue(config.get("ingredients"))
        full = models.get(config, dataset, values["mixed_precision"])
        answer["notes"] += [*compile_notes(full), *weight_notes(config, full), *_blocks_note(config, full)]
        refuse_unfit_objective(full, config, dataset, values)
        refuse_unreported_training(full, config, dataset, values)
        answer["sites"] = present(full, ingredients)
        whole, only = graph_of(full), config.get("only") or {}
        answer["absent"] = [
            name
            for name, sites in answer["sites"].items()
            if not (sites or ingredients[name].adds or has_places(ingredients[name], whole, patterns(only.get(name))))
        ]
        places = {name: inaccessible_places(ingredient, whole) for name, ingredient in ingredients.items()}
        answer["inaccessible"] = {name: inaccessible_text(found) for name, found in places.items() if found}
        graph = cell_graph(full, config)
        model = full if graph is None else sketch(graph)
        answer["weights"] = model.count_params()
        refuse_unreadable_file(model, values)
        if chosen_task(config)[0].form is LabelForm.MASK:
            split_augmentation(model, None)  # refuses random layers that would move images alone
        answer["notes"] += saving_notes(model, values)
        levels = _changed_levels(config)
        if graph is not None:
            answer["notes"] += partial_removals(whole, graph, levels, only, ingredients)
        for name in (name for name in levels if not only.get(name)):
            others = left_alone(ingredients[name], whole)
            answer["notes"] += [f"{name}={written(levels[name])}: {left_alone_text(others)}."] if others else []
        changed = [f"{name}={written(level)}" for name, level in levels.items()]
        change = ", ".join(changed) or "the full network"
        refuse_too_large(change, answer["weights"])
        note = capacity_note(change, answer["weights"], full.count_params())
        answer["notes"] += [note] if note else []
    except AblateError as error:
        return answer | {"error": f"{error}{_advice_on_blocks(config, full)}"}, None
    return answer, fingerprint(graph_of(model))


def _advice_on_blocks(config: Mapping[str, Any], full: Any) -> str:
    """The limit under which a study leaves out every block but those without which the network cannot be built."""
    removed = "none" if full is None else _removed_blocks(config)
    if removed == "none":
        return ""
    limit = (config.get("only") or {}).get("without_block")
    refused = refused_blocks(full, limit)
    gone = removed.split(",")
    names = [name for name in block_names(graph_of(full), limit) if name not in refused]
    rest = [name for name in names if block_key(name) not in gone and name not in gone]
    return f" Blocks that can be left out: 'only.without_block=[{','.join(rest)}]'." if rest else ""


def _blocks_note(config: Mapping[str, Any], full: Any) -> list[str]:
    """The blocks that a study of all blocks does not leave out."""
    if not any(present is False for present in (config.get("blocks") or {}).values()):
        return []
    refused = refused_blocks(full, (config.get("only") or {}).get("without_block"))
    if not refused:
        return []
    return [
        f"{len(refused)} blocks cannot be left out, since what follows needs their channels, and are no factors: "
        f"{', '.join(refused)}."
    ]


def _removed_blocks(config: Mapping[str, Any]) -> str:
    return str(levels_of(config, catalogue(config.get("ingredients"))).get("without_block", "none"))
