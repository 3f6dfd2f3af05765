"""What a network is made of: each ingredient with its places, its cost, and whether it can be taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd
from rich.table import Table

from ablate.errors import NetworkError
from ablate.keras.data.loading import load_run_data
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import sketch
from ablate.keras.interface import cost
from ablate.keras.networks import full_model
from ablate.keras.rewrites import Ingredient, ablated_graph, catalogue, inaccessible_places, sites_of
from ablate.keras.rewrites.places import InaccessiblePlace, absence_text, inaccessible_text, left_alone, left_alone_text
from ablate.keras.rewrites.without_block import WithoutBlock, block_key, block_names, keeps_shapes
from ablate.keras.run_config import prepare_process
from ablate.keras.theoretical_cost import CAPACITY_RATIO

_REFUSED_BLOCKS: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()
"""By network in its full form what `refused_blocks` found."""


def ingredients(model: Any, known: Mapping[str, Ingredient] | None = None) -> pd.DataFrame:
    """What a model is made of.

    Each ingredient is taken away by itself, without creating any weights.

    Args:
        model: A functional or Sequential Keras model.
        known: What to look for; by default the ingredients built in and those of installed packages.

    Returns:
        A row an ingredient, by name, also for those that are not there, with 0 sites:

        - ``description``: what it is;
        - ``sites``, ``places``: number and names of the places where it is found and can be rewritten;
        - ``inaccessible``: number of places inside layers of the user, which stay; the remark says where;
        - ``left_alone``: places that look like it and are left alone, unless ``only`` names them, each with the reason;
          blocks without which the network cannot be built;
        - ``level``: its level that stands for the network without it;
        - ``weights``, ``weights_without``: number of weights with it and without; missing if it cannot be taken away;
        - ``flops``, ``flops_without``: operations of one image; missing if they cannot be counted;
        - ``removable``: whether the network can be built without it;
        - ``remark``: why not, or what else to know.

    Raises:
        NetworkError: If the model has no graph.
    """
    rows = _rows(model, catalogue() if known is None else known)
    return pd.DataFrame(rows).set_index("ingredient").convert_dtypes()


def main(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the network of a configuration is made of.

    Args:
        config: The resolved configuration of a run, as plain values. Levels in it do not count: the full network is
            surveyed.

    Returns:
        The rows of `ingredients` as plain values.

    Raises:
        ConfigError: If a key or value is wrong.
        NetworkError: If the data cannot be had, or the network cannot be built or has no graph.
    """
    return _rows(_full_model(config), catalogue(config.get("ingredients")))


def _rows(model: Any, known: Mapping[str, Ingredient]) -> list[dict[str, Any]]:
    graph, full = graph_of(model), cost(model)
    rows = []
    for name, ingredient in known.items():
        places = sites_of(ingredient, graph)
        inaccessible = inaccessible_places(ingredient, graph)
        remark = inaccessible_text(inaccessible) if inaccessible else absence_text(ingredient, graph)
        refused: Mapping[str, str] = {}
        if isinstance(ingredient, WithoutBlock) and places:
            refused = refused_blocks(model)
            places = tuple(block for block in block_names(graph) if block not in refused)
            remark = f"each a level: {', '.join(places)}" if places else ""
        elif places and ingredient.removed is None:
            remark = f"levels: {', '.join(ingredient.allowed())}"
        level = ingredient.removed if places else None
        without = None
        if level is not None:
            try:
                ablated = ablated_graph(model, {name: level}, ingredients=known, partial=True)
                if ablated is None:
                    without = full
                else:
                    sketched = sketch(ablated)
                    without = cost(sketched)
                    inaccessible = inaccessible_places(ingredient, graph_of(sketched)) if inaccessible else ()
            except NetworkError as error:
                remark = str(error).splitlines()[0]
        if without is not None:
            remark = _remark(inaccessible, without.weights / full.weights)
        others = left_alone(ingredient, graph)
        if isinstance(ingredient, WithoutBlock):
            others |= dict.fromkeys(refused, "what follows needs their channels, so they cannot be left out")
        if others:
            remark = "; ".join(filter(None, (remark, left_alone_text(others))))
        rows.append(
            {
                "ingredient": name,
                "description": ingredient.description,
                "sites": len(places),
                "places": list(places),
                "inaccessible": len(inaccessible),
                "left_alone": others,
                "level": level,
                "weights": full.weights,
                "weights_without": without.weights if without else None,
                "flops": full.flops,
                "flops_without": without.flops if without else None,
                "removable": bool(without or (places and level is None)),
                "remark": remark,
            }
        )
    return rows


def _remark(inaccessible: Sequence[InaccessiblePlace], ratio: float) -> str:
    """What to know of a network without an ingredient: how much of it stays, and how much larger it is."""
    remarks = []
    if inaccessible:
        remarks.append(f"removed in part (partial=true): {inaccessible_text(inaccessible)}")
    if ratio > CAPACITY_RATIO:
        remarks.append(f"{ratio:.2g} times the weights without it: a change of capacity")
    return "; ".join(remarks)


def block_factors(config: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """The blocks of the network of a configuration, as declared factors of a study.

    Args:
        config: The resolved configuration of a run as plain values. ``only.without_block`` limits the blocks by
            patterns of their names.

    Returns:
        By the name of each block without which the network can be built its levels: ``true`` for the block in its
        place, ``false`` with the override that leaves it out.

    Raises:
        ConfigError: If a key or value is wrong.
        NetworkError: If the network cannot be built, if it has no such block, or if one of those that
            ``only.without_block`` names cannot be left out.
    """
    model = _full_model(config)
    graph = graph_of(model)
    patterns = (config.get("only") or {}).get(WithoutBlock.name)
    refused = refused_blocks(model, patterns)
    typed = [patterns] if isinstance(patterns, str) else patterns or []
    if faults := [f"without_block={name}: {reason}" for name, reason in refused.items() if name in typed]:
        raise NetworkError("\n".join(faults))
    names = [name for name in block_names(graph, patterns) if name not in refused]
    if not names:
        known = ", ".join(block_names(graph))
        reason = f"no block fits only.without_block={patterns}. Blocks: {known}." if known else WithoutBlock.absence
        raise NetworkError(f"Model '{graph.name}': {reason}")
    return {name: {"true": [], "false": [f"+blocks.{block_key(name)}=false"]} for name in names}


def refused_blocks(model: Any, patterns: str | Sequence[str] | None = None) -> dict[str, str]:
    """The blocks without which a network cannot be built, because what follows needs their channels.

    Args:
        model: The network in its full form.
        patterns: As ``only.without_block``.

    Returns:
        Why, by name.
    """
    graph = graph_of(model)
    if model not in _REFUSED_BLOCKS:  # a network is built for each; the cells of a study share the full one
        _REFUSED_BLOCKS[model] = {
            name: fault
            for name in block_names(graph)
            if not keeps_shapes(graph, name)
            if (fault := _fault(model, name))
        }
    refused = _REFUSED_BLOCKS[model]
    return {name: refused[name] for name in block_names(graph, patterns) if name in refused}


def _fault(model: Any, block: str) -> str:
    try:
        ablated = ablated_graph(model, {WithoutBlock.name: block}, partial=True)
        if ablated is not None:
            sketch(ablated)
    except NetworkError as error:
        return str(error)
    return ""


def _full_model(config: Mapping[str, Any]) -> Any:
    precision = prepare_process(config)["mixed_precision"]
    return full_model(config, load_run_data(config)[0], precision)


def survey_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The rows as a table for the terminal; print it with `rich`.

    Args:
        rows: What `main` returned; ingredients that are not there share the last line.
    """
    table = Table("ingredient", box=None, pad_edge=False, header_style="bold")
    for title in ("sites", "weights without", "operations without"):
        table.add_column(title, justify="right")
    table.add_column("remark", overflow="fold")
    full = rows[0]
    table.add_row("(full network)", "", f"{full['weights']:,}", _with_ratio(full["flops"], None), "", style="dim")
    for row in rows:
        if _is_there(row):
            more = f" + {row['inaccessible']}" if row["inaccessible"] else ""
            table.add_row(
                row["ingredient"],
                f"{row['sites']}{more}",
                _with_ratio(row["weights_without"], full["weights"]),
                _with_ratio(row["flops_without"], full["flops"]),
                row["remark"],
            )
    absent = ", ".join(row["ingredient"] for row in rows if not _is_there(row))
    table.add_row("not there", "", "", "", absent, style="dim")
    return table


def _is_there(row: Mapping[str, Any]) -> bool:
    return bool(row["sites"] or row["inaccessible"] or row["left_alone"])


def _with_ratio(number: int | None, full: int | None) -> str:
    if number is None:
        return "-"
    return f"{number:,}" + (f" ({number / full:.3g} x)" if full else "")
