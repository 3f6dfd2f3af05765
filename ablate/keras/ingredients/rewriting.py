"""A network with some of its ingredients at other levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ablate.errors import NetworkError, suggestion
from ablate.keras.graph import Graph
from ablate.keras.graph_identity import fingerprint
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import model_of, sketch
from ablate.keras.ingredients.catalogue import INGREDIENTS
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site

__all__ = ["Patterns", "ablate_model", "ablated_graph", "count", "matching", "present", "rewritten", "sites_of"]

Patterns = Sequence[str]
"""Patterns of layer names such as ``block[3-5]*``, as in a shell; none means all."""

# Layers in front of the network and whole blocks go first. Shortcuts go before batch norm, so that one that fed a sum
# meets its activation; batch norm goes when nothing looks for it any more.
_ORDER = (
    "augmentation flip rotation zoom contrast without_block residual dense_connections squeeze_excite separable "
    "pooling bn_placement activation bias batch_norm norm dropout head"
).split()
_VOID_WITHOUT_BATCH_NORM = ("bn_placement", "bias")
_IN_FRONT = ("augmentation", "flip", "rotation", "zoom", "contrast")


def sites_of(ingredient: Ingredient, graph: Graph, prefix: str = "") -> tuple[str, ...]:
    """The names of the places where an ingredient is found; ``nested/place`` within a nested model.

    Args:
        ingredient: What to look for.
        graph: Where.
        prefix: What to put before each name.
    """
    own = tuple(prefix + "/".join(_path(graph, site)) for site in ingredient.find(graph))
    inner = (layer for layer in graph.layers.values() if layer.inner is not None)
    return (*own, *(name for one in inner for name in sites_of(ingredient, one.inner, f"{prefix}{one.name}/")))  # type: ignore[arg-type]


def _path(graph: Graph, site: Site) -> tuple[str, ...]:
    return site.nodes if graph.layer(site.nodes[0]).inner is not None else site.nodes[:1]


def count(ingredient: Ingredient, graph: Graph) -> int:
    """The number of places where an ingredient is found, nested models included."""
    return len(sites_of(ingredient, graph))


def present(model: Any, ingredients: Mapping[str, Ingredient] = INGREDIENTS) -> dict[str, int]:
    """What a model is made of.

    Args:
        model: A functional or Sequential Keras model.
        ingredients: What to look for.

    Returns:
        The number of places for each ingredient, in the order of `INGREDIENTS`; 0 for one that is not there.

    Raises:
        NetworkError: If the model has no graph.
    """
    graph = graph_of(model)
    return {name: count(ingredient, graph) for name, ingredient in ingredients.items()}


def matching(graph: Graph, sites: Sequence[Site], only: Patterns, prefix: str = "") -> list[Site]:
    """The sites with a layer whose name fits one of the patterns.

    Args:
        graph: Where the sites were found.
        sites: The sites.
        only: The patterns; none lets all pass.
        prefix: Nested models in which the graph stands, each followed by ``/``.
    """

    def fits(name: str) -> bool:
        return any(fnmatchcase(name, pattern) or fnmatchcase(f"{prefix}{name}", pattern) for pattern in only)

    if not only:
        return list(sites)
    return [site for site in sites if any(map(fits, (*site.nodes, "/".join(_path(graph, site)))))]


def rewritten(ingredient: Ingredient, graph: Graph, level: Level, only: Patterns = (), prefix: str = "") -> Graph:
    """The graph with one ingredient at another level, nested models included.

    Args:
        ingredient: The ingredient.
        graph: The graph.
        level: One of its levels, not the first.
        only: Patterns of the names of the layers to which it is limited.
        prefix: Nested models in which the graph stands, each followed by ``/``.
    """
    in_front = ingredient.name in _IN_FRONT and level is not False
    nested = [
        layer.nested(rewritten(ingredient, layer.inner, level, only, f"{prefix}{layer.name}/"))
        for layer in graph.layers.values()
        if layer.inner is not None and not in_front
    ]
    graph = graph.edited(layers=nested)
    seen: list[list[Site]] = []
    # Taking one away may lay another bare.
    while (sites := matching(graph, ingredient.find(graph), only, prefix)) not in seen:
        seen.append(sites)
        graph = ingredient.rewrite(graph, sites, level)
    return graph


def ablate_model(
    model: Any,
    levels: Mapping[str, Level],
    only: Mapping[str, str | Patterns] | None = None,
    ingredients: Mapping[str, Ingredient] = INGREDIENTS,
) -> Any:
    """The model with its ingredients at the given levels.

    Args:
        model: A functional or Sequential Keras model in its full form; it is left as it is.
        levels: Levels by ingredient. Those of the full form change nothing. ``bn_placement`` and ``bias`` are void
            without batch norm: when ``batch_norm`` is false they are ignored.
        only: By ingredient, patterns of the names of the layers to which it is limited.
        ingredients: All ingredients by name, where there are others than those built in.

    Returns:
        The model itself if nothing is to be changed, otherwise a new functional model, not compiled, with new weights
        and with layers of the same names.

    Raises:
        NetworkError: If an ingredient or a level is unknown, if the model does not contain an ingredient that is to be
            changed, if a change leaves it as it is, or if it has no graph.
    """
    graph = ablated_graph(model, levels, only, ingredients)
    return model if graph is None else model_of(graph)


def ablated_graph(
    model: Any,
    levels: Mapping[str, Level],
    only: Mapping[str, str | Patterns] | None = None,
    ingredients: Mapping[str, Ingredient] = INGREDIENTS,
) -> Graph | None:
    """What `ablate_model` builds, as a graph; None if nothing is to be changed.

    Args:
        model: As for `ablate_model`, as are the others.
        levels: Levels by ingredient.
        only: Patterns of layer names by ingredient.
        ingredients: All ingredients by name.

    Raises:
        NetworkError: As `ablate_model`.
    """
    limits = {name: _patterns(value) for name, value in (only or {}).items() if value is not None}
    faults = [fault for name, level in levels.items() for fault in _faults(ingredients, name, level)]
    faults += [
        f"only.{name}: there is no ingredient '{name}'.{suggestion(name, ingredients)}"
        for name in limits
        if name not in ingredients
    ]
    if faults:
        raise NetworkError("\n".join(faults))
    order = (*_ORDER, *(name for name in ingredients if name not in _ORDER))
    changes = {name: levels[name] for name in order if name in levels and levels[name] != ingredients[name].levels[0]}
    if levels.get("batch_norm") is False and not limits.get("batch_norm"):
        changes = {name: level for name, level in changes.items() if name not in _VOID_WITHOUT_BATCH_NORM}
    if not changes:
        return None
    graph = full = graph_of(model)
    for name in [name for name in changes if name in _IN_FRONT]:
        graph = _changed(ingredients, name, graph, changes.pop(name), limits.get(name, ()))
    if graph is not full:
        graph = _settled(graph)
    missing = [ingredients[name] for name in ingredients if name in changes and not count(ingredients[name], graph)]
    if missing:
        raise NetworkError(_absence(full, missing, ingredients))
    last = next(reversed(changes), None)
    for name, level in changes.items():
        if count(ingredients[name], graph):
            graph = _changed(ingredients, name, graph, level, limits.get(name, ()))
            graph = graph if name == last else _settled(graph)
    return graph


def _settled(graph: Graph) -> Graph:
    """The same graph with the shapes and arguments that an edit leaves behind."""
    return graph_of(sketch(graph))


def _changed(ingredients: Mapping[str, Ingredient], name: str, graph: Graph, level: Level, only: Patterns) -> Graph:
    ingredient = ingredients[name]
    if level not in ingredient.adds and not isinstance(level, float) and not count(ingredient, graph):
        raise NetworkError(_absence(graph, [ingredient], ingredients))
    misfit = ingredient.misfit(graph, level)
    if misfit:
        raise NetworkError(misfit)
    after = rewritten(ingredient, graph, level, only)
    if fingerprint(after) == fingerprint(graph):
        raise NetworkError(_nothing(ingredient, graph, level, only))
    return after


def _nothing(ingredient: Ingredient, graph: Graph, level: Level, only: Patterns) -> str:
    said = f"{ingredient.name}={str(level).lower()} changes nothing in model '{graph.name}'"
    if not only:
        return f"{said}: it is like that already."
    places = sites_of(ingredient, graph)
    shown = ", ".join(places[:20]) + (f" and {len(places) - 20} more" if len(places) > 20 else "")
    return f"{said}: no place fits only.{ingredient.name}={', '.join(only)}. Places: {shown or 'none'}."


def _patterns(value: str | Patterns) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _faults(ingredients: Mapping[str, Ingredient], name: str, level: Any) -> list[str]:
    if name not in ingredients:
        return [f"Unknown ingredient '{name}'. Known: {', '.join(ingredients)}.{suggestion(name, ingredients)}"]
    if ingredients[name].allows(level):
        return []
    words = ingredients[name].allowed()
    return [
        f"Unknown level {level!r} of ingredient '{name}'. Known: {', '.join(words)}.{suggestion(str(level), words)}"
    ]


def _absence(graph: Graph, missing: Sequence[Ingredient], ingredients: Mapping[str, Ingredient]) -> str:
    counts = {name: count(ingredient, graph) for name, ingredient in ingredients.items()}
    found = [f"{name} ({number})" for name, number in counts.items() if number]
    lines = [
        f"`{ingredient.name}` is not present in model '{graph.name}': {ingredient.absence}." for ingredient in missing
    ]
    return "\n".join([*lines, f"Present: {', '.join(found) or 'no known ingredient'}."])
