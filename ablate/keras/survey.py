"""What a network is made of: each ingredient with its places, its cost, and whether it can be taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from ablate.errors import NetworkError
from ablate.keras.cost import CAPACITY_RATIO, flops, weights
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import sketch
from ablate.keras.ingredients import INGREDIENTS, Ingredient, Level, ablated_graph, catalogue, sites_of
from ablate.keras.ingredients.without_block import WithoutBlock, block_names

__all__ = ["Row", "main", "rendered", "survey"]


@dataclass(frozen=True)
class Row:
    """One ingredient of a network.

    Args:
        ingredient: Its name.
        description: What it is.
        sites: Number of places where it is found.
        places: Their names.
        level: The level that stands for the network without it.
        weights: Number of weights with it.
        weights_without: Number of weights without it; None if it cannot be taken away.
        flops: Floating-point operations of one image with it; None if they cannot be counted.
        flops_without: The same without it.
        removable: Whether the network can be built without it.
        remark: Why not, or what else to know; may be empty.
    """

    ingredient: str
    description: str
    sites: int
    places: tuple[str, ...]
    level: Level | None
    weights: int
    weights_without: int | None
    flops: int | None
    flops_without: int | None
    removable: bool
    remark: str

    def plain(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {**asdict(self), "places": list(self.places)}


def survey(model: Any, ingredients: Mapping[str, Ingredient] = INGREDIENTS) -> tuple[Row, ...]:
    """What a model is made of.

    Each ingredient is taken away by itself, without making any weights.

    Args:
        model: A functional or Sequential Keras model.
        ingredients: What to look for.

    Returns:
        A row an ingredient, in the order of the catalogue; also those that are not there, with 0 sites.

    Raises:
        NetworkError: If the model has no graph.
    """
    graph = graph_of(model)
    full, operations = weights(model), _counted(model)
    rows = []
    for name, ingredient in ingredients.items():
        places = sites_of(ingredient, graph)
        level = _away(ingredient)
        without, less, remark = None, None, "" if places else ingredient.absence
        if isinstance(ingredient, WithoutBlock):
            places = block_names(graph)
            remark = f"each a level: {', '.join(places)}" if places else remark
        if places and level is not None:
            try:
                found = ablated_graph(model, {name: level}, ingredients=ingredients)
                smaller = model if found is None else sketch(found)
                without, less = weights(smaller), _counted(smaller)
            except NetworkError as error:
                remark = str(error).splitlines()[0]
        if without is not None and without > CAPACITY_RATIO * full:
            remark = f"{without / full:.2g} times the weights without it: a change of capacity"
        rows.append(
            Row(
                ingredient=name,
                description=ingredient.description,
                sites=len(places),
                places=places,
                level=level if places else None,
                weights=full,
                weights_without=without,
                flops=operations,
                flops_without=less,
                removable=without is not None or (level is None and bool(places)),
                remark=remark,
            )
        )
    return tuple(rows)


def main(config: Mapping[str, Any]) -> tuple[Row, ...]:
    """What the network of a configuration is made of.

    Args:
        config: The resolved configuration of a run, as plain values. Levels in it do not count: it is the full network
            that is looked at.

    Raises:
        ConfigError: If a key or value is wrong.
        NetworkError: If the data cannot be had, or the network cannot be built or has no graph.
    """
    from ablate.keras.networks import full_model
    from ablate.keras.run_config import prepare_process
    from ablate.keras.run_data import load_run_data

    values = prepare_process(config)
    dataset, _ = load_run_data(config)
    return survey(full_model(config, dataset, values["mixed_precision"]), catalogue(config.get("ingredients")))


def rendered(rows: Iterable[Row]) -> Table:
    """The rows as a table for the terminal; print it with `rich`.

    Args:
        rows: What `survey` returned; ingredients that are not there share the last line.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ingredient", no_wrap=True)
    for title in ("sites", "weights without", "operations without"):
        table.add_column(title, justify="right")
    table.add_column("remark", overflow="fold")
    given = list(rows)
    if given:
        first = given[0]
        operations = "" if first.flops is None else f"{first.flops:,}"
        table.add_row("(full network)", "", f"{first.weights:,}", operations, "", style="dim")
    for row in given:
        if row.sites:
            table.add_row(
                row.ingredient,
                str(row.sites),
                _beside(row.weights_without, row.weights),
                _beside(row.flops_without, row.flops),
                row.remark if row.remark or row.removable else "cannot be taken away",
            )
    absent = ", ".join(row.ingredient for row in given if not row.sites)
    if absent:
        table.add_row("not there", "", "", "", absent, style="dim")
    return table


def _beside(number: int | None, full: int | None) -> str:
    if number is None:
        return "-"
    return f"{number:,}" + (f" ({number / full:.3g} x)" if full else "")


def _away(ingredient: Ingredient) -> Level | None:
    """The level that stands for the network without an ingredient; None if there is no such one."""
    for level in (False, "none", "flatten", "linear", "strided"):
        if level in ingredient.levels[1:] and ingredient.allows(level):
            return level
    return ingredient.levels[1] if len(ingredient.levels) > 1 else None


def _counted(model: Any) -> int | None:
    try:
        return flops(model)
    except (NetworkError, ValueError, TypeError):
        return None
