"""What a network is made of: each ingredient with its places, its cost, and whether it can be taken away."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ablate.errors import NetworkError
from ablate.keras.ingredients import Ingredient, Level, ablated_graph, catalogue, sites_of
from ablate.keras.ingredients.without_block import WithoutBlock, block_key, block_names

if TYPE_CHECKING:
    from ablate.keras.graph import Graph


@dataclass(frozen=True)
class IngredientReport:
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


class Survey(tuple[IngredientReport, ...]):
    """All ingredients of a network, in the order of the catalogue; prints as a table, in a notebook too."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        """A report by position, or by the name of its ingredient."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        return next(report for report in self if report.ingredient == key)

    def __str__(self) -> str:
        text = io.StringIO()
        Console(width=120, file=text, color_system=None, force_jupyter=False).print(rendered(self))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def ingredients(model: Any, known: Mapping[str, Ingredient] | None = None) -> Survey:
    """What a model is made of.

    Each ingredient is taken away by itself, without creating any weights.

    Args:
        model: A functional or Sequential Keras model.
        known: What to look for; by default the ingredients built in and those of installed packages.

    Returns:
        A report an ingredient, also of those that are not there, with 0 sites.

    Raises:
        NetworkError: If the model has no graph.
    """
    from ablate.keras.graph_reader import graph_of

    known = catalogue() if known is None else known
    graph, full, operations = graph_of(model), model.count_params(), _flops(model)
    return Survey(_report(model, graph, full, operations, name, known) for name in known)


def _report(
    model: Any, graph: Graph, full: int, operations: int | None, name: str, known: Mapping[str, Ingredient]
) -> IngredientReport:
    from ablate.keras.cost import CAPACITY_RATIO
    from ablate.keras.graph_writer import sketch

    ingredient = known[name]
    by_name = isinstance(ingredient, WithoutBlock)
    places = block_names(graph) if by_name else sites_of(ingredient, graph)
    level = ingredient.removed if places else None
    weights_without, flops_without, remark = None, None, "" if places else ingredient.absence
    if places and by_name:
        remark = f"each a level: {', '.join(places)}"
    if level is not None:
        try:
            ablated = ablated_graph(model, {name: level}, ingredients=known)
            without = model if ablated is None else sketch(ablated)
            weights_without, flops_without = without.count_params(), _flops(without)
        except NetworkError as error:
            remark = str(error).splitlines()[0]
    if weights_without is not None and weights_without > CAPACITY_RATIO * full:
        remark = f"{weights_without / full:.2g} times the weights without it: a change of capacity"
    return IngredientReport(
        ingredient=name,
        description=ingredient.description,
        sites=len(places),
        places=places,
        level=level,
        weights=full,
        weights_without=weights_without,
        flops=operations,
        flops_without=flops_without,
        removable=weights_without is not None or (level is None and bool(places)),
        remark=remark,
    )


def main(config: Mapping[str, Any]) -> Survey:
    """What the network of a configuration is made of.

    Args:
        config: The resolved configuration of a run, as plain values. Levels in it do not count: the full network is
            surveyed.

    Raises:
        ConfigError: If a key or value is wrong.
        NetworkError: If the data cannot be had, or the network cannot be built or has no graph.
    """
    return ingredients(_full_model(config), catalogue(config.get("ingredients")))


def block_factors(config: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """The blocks of the network of a configuration, as declared factors of a study.

    Args:
        config: The resolved configuration of a run as plain values. ``only.without_block`` limits the blocks by
            patterns of their names.

    Returns:
        By the name of each block its levels: ``true`` for the block in its place, ``false`` with the override that
        leaves it out.

    Raises:
        ConfigError: If a key or value is wrong.
        NetworkError: If the network cannot be built, or has no such block.
    """
    from ablate.keras.graph_reader import graph_of

    graph = graph_of(_full_model(config))
    limit = (config.get("only") or {}).get(WithoutBlock.name)
    names = block_names(graph, limit)
    if not names:
        known = ", ".join(block_names(graph))
        reason = f"no block fits only.without_block={limit}. Blocks: {known}." if known else WithoutBlock.absence
        raise NetworkError(f"Model '{graph.name}': {reason}")
    return {name: {"true": [], "false": [f"+blocks.{block_key(name)}=false"]} for name in names}


def _full_model(config: Mapping[str, Any]) -> Any:
    from ablate.keras.data.loading import load_run_data
    from ablate.keras.networks import full_model
    from ablate.keras.run_config import prepare_process

    values = prepare_process(config)
    dataset, _ = load_run_data(config)
    return full_model(config, dataset, values["mixed_precision"])


def rendered(reports: Iterable[IngredientReport]) -> Table:
    """The reports as a table for the terminal; print it with `rich`.

    Args:
        reports: What `ingredients` returned; those that are not there share the last line.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ingredient", no_wrap=True)
    for title in ("sites", "weights without", "operations without"):
        table.add_column(title, justify="right")
    table.add_column("remark", overflow="fold")
    reports = list(reports)
    for first in reports[:1]:
        operations = "" if first.flops is None else f"{first.flops:,}"
        table.add_row("(full network)", "", f"{first.weights:,}", operations, "", style="dim")
    for report in reports:
        if report.sites:
            table.add_row(
                report.ingredient,
                str(report.sites),
                _with_ratio(report.weights_without, report.weights),
                _with_ratio(report.flops_without, report.flops),
                report.remark if report.remark or report.removable else "cannot be taken away",
            )
    absent = ", ".join(report.ingredient for report in reports if not report.sites)
    if absent:
        table.add_row("not there", "", "", "", absent, style="dim")
    return table


def _with_ratio(number: int | None, full: int | None) -> str:
    if number is None:
        return "-"
    return f"{number:,}" + (f" ({number / full:.3g} x)" if full else "")


def _flops(model: Any) -> int | None:
    from ablate.keras.cost import flops

    try:
        return flops(model)
    except (NetworkError, ValueError, TypeError):
        return None
