"""Where an ingredient is in a network: in the graph, where it can be rewritten, and inside layers of the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ablate.formatting import listing
from ablate.keras.graph import Graph
from ablate.keras.graph_equality import fingerprint
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage
from ablate.keras.rewrites.registry import INGREDIENTS

Patterns = Sequence[str]
"""Patterns of layer names such as ``block[3-5]*``, as in a shell; none means all."""


@dataclass(frozen=True)
class InaccessiblePlace:
    """A place inside a layer of the user, whose code no rewrite changes.

    Args:
        name: The layer's name, and behind a ``/`` that of the place in it.
        layer: The name of the layer alone.
        kind: The name of its class.
    """

    name: str
    layer: str
    kind: str


def patterns(only: str | Patterns | None) -> Patterns:
    """The patterns of ``only.<ingredient>``, which may be one alone, or none."""
    return [only] if isinstance(only, str) else only or ()


def sites_of(ingredient: Ingredient, graph: Graph, prefix: str = "") -> tuple[str, ...]:
    """The names of the places where an ingredient is found; ``nested/place`` within a nested model.

    Args:
        ingredient: What to look for.
        graph: Where.
        prefix: What to put before each name.
    """
    names = [prefix + "/".join(_path(graph, site)) for site in ingredient.find(graph)]
    for layer in graph.layers.values():
        if layer.inner is not None:
            names += sites_of(ingredient, layer.inner, f"{prefix}{layer.name}/")
    return tuple(names)


def present(model: Any, ingredients: Mapping[str, Ingredient] = INGREDIENTS) -> dict[str, int]:
    """What a model is made of.

    Args:
        model: A functional or Sequential Keras model.
        ingredients: What to look for.

    Returns:
        The number of places for each ingredient, in the order of `INGREDIENTS`; 0 for one that is not there. Places
        inside layers of the user do not count: `inaccessible_places` has them.

    Raises:
        NetworkError: If the model has no graph.
    """
    from ablate.keras.graph_reader import graph_of  # needs Keras, unlike the declarations of the ingredients

    graph = graph_of(model)
    return {name: len(sites_of(ingredient, graph)) for name, ingredient in ingredients.items()}


def left_alone(ingredient: Ingredient, graph: Graph, only: Patterns = (), prefix: str = "") -> dict[str, str]:
    """The names of places that look like an ingredient and are left alone, each with the reason.

    Args:
        ingredient: The ingredient.
        graph: Where.
        only: Patterns of the names of the layers to which it is limited.
        prefix: Nested models in which the graph stands, each followed by ``/``.
    """
    reasons = ingredient.left_alone(graph)
    names = {f"{prefix}{site.nodes[0]}": reasons[site] for site in matching_sites(graph, list(reasons), only, prefix)}
    for layer in graph.layers.values():
        if layer.inner is not None:
            names |= left_alone(ingredient, layer.inner, only, f"{prefix}{layer.name}/")
    return names


def has_places(ingredient: Ingredient, graph: Graph, only: Patterns = ()) -> bool:
    """Whether an ingredient is there, or patterns name something that looks like it and is left alone otherwise."""
    return bool(sites_of(ingredient, graph) or (only and left_alone(ingredient, graph, only)))


def left_alone_text(places: Mapping[str, str]) -> str:
    """The places that are left alone, by reason: ``left alone: 2, since ... (add_1, add_2)``.

    Args:
        places: Reasons by name, at least one.
    """
    reasons = dict.fromkeys(places.values())
    named = {reason: [name for name, one in places.items() if one == reason] for reason in reasons}
    return "left alone: " + "; ".join(f"{listing(names, 6)} ({reason})" for reason, names in named.items())


def matching_sites(graph: Graph, sites: Sequence[Site], only: Patterns, prefix: str = "") -> list[Site]:
    """The sites with a layer whose name matches one of the patterns.

    Args:
        graph: Where the sites were found.
        sites: The sites.
        only: The patterns; none lets all pass.
        prefix: Nested models in which the graph stands, each followed by ``/``.
    """
    return [site for site in sites if _fits((*site.nodes, "/".join(_path(graph, site))), only, prefix)]


def inaccessible_places(
    ingredient: Ingredient, graph: Graph, level: Level | None = None, only: Patterns = (), prefix: str = ""
) -> tuple[InaccessiblePlace, ...]:
    """The places inside layers of the user that are not at a level yet.

    Args:
        ingredient: What to look for.
        graph: Where.
        level: The level; by default that of a network without it. An ingredient without such a level has no places.
        only: Patterns of the names of the layers to which it is limited.
        prefix: Nested models in which the graph stands, each followed by ``/``.
    """
    from ablate.keras.layer_contents import contents

    level = ingredient.removed if level is None else level
    # What a level puts in front of the network is put there whatever is inside of it.
    if level is None or (ingredient.stage is Stage.INPUT and level is not False):
        return ()
    places: list[InaccessiblePlace] = []
    for name_of_layer in dict.fromkeys(node.layer for node in graph.nodes.values()):  # in the order of the graph
        layer = graph.layers[name_of_layer]
        if layer.inner is not None:
            places += inaccessible_places(ingredient, layer.inner, level, only, f"{prefix}{layer.name}/")
        for inside in contents(graph, layer) if ingredient.may_be_inside(graph, layer.name) else ():
            for name in _places_inside(ingredient, inside, level):
                if _fits((layer.name, f"{layer.name}/{name}"), only, prefix):
                    full = f"{prefix}{layer.name}"
                    places.append(InaccessiblePlace(f"{full}/{name}", full, layer.kind.__name__))
    return tuple(places)


def number_of_places(
    ingredient: Ingredient, graph: Graph, level: Level | None = None, only: Patterns = (), prefix: str = ""
) -> int:
    """The number of all places, inaccessible ones included.

    A layer of the user that is a place itself, as one with a rate of dropout among its arguments, counts as
    often as the ingredient is in it.

    Args:
        ingredient: As for `inaccessible_places`, as are the others.
        graph: Where.
        level: The level.
        only: Patterns of layer names.
        prefix: Nested models.
    """
    inside = inaccessible_places(ingredient, graph, level, only, prefix)
    holders = {place.layer for place in inside}
    return len(inside) + _number_of_sites(ingredient, graph, only, prefix, holders)


def _number_of_sites(ingredient: Ingredient, graph: Graph, only: Patterns, prefix: str, holders: set[str]) -> int:
    sites = matching_sites(graph, ingredient.find(graph), only, prefix)
    nested = (layer for layer in graph.layers.values() if layer.inner is not None)
    return sum(f"{prefix}{_layer(graph, site)}" not in holders for site in sites) + sum(
        _number_of_sites(ingredient, layer.inner, only, f"{prefix}{layer.name}/", holders)
        for layer in nested
        if layer.inner is not None
    )


def inaccessible_text(places: Sequence[InaccessiblePlace]) -> str:
    """Where inaccessible places are, by class: ``2 are inside `Block` (custom layer): a/drop, b/drop``.

    Args:
        places: At least one.
    """
    texts = []
    for kind, number in Counter(place.kind for place in places).items():
        names = listing([place.name for place in places if place.kind == kind], 6)
        texts.append(f"{number} {'is' if number == 1 else 'are'} inside `{kind}` (custom layer): {names}")
    return "; ".join(texts)


def absence_text(ingredient: Ingredient, graph: Graph) -> str:
    """What a network without the ingredient lacks, and which code may hide it.

    Args:
        ingredient: An ingredient that is in no place.
        graph: The network.
    """
    unseen = ", ".join(f"`{kind}`" for kind in _unseen_kinds(graph))
    return f"{ingredient.absence}; what the code of {unseen} computes cannot be seen" if unseen else ingredient.absence


def _unseen_kinds(graph: Graph) -> tuple[str, ...]:
    """The classes of the user whose code cannot be recorded, so that nobody can say what they compute."""
    from ablate.keras.layer_contents import is_unseen

    kinds: dict[str, None] = {}
    for layer in graph.layers.values():
        if layer.inner is not None:
            kinds |= dict.fromkeys(_unseen_kinds(layer.inner))
        elif is_unseen(graph, layer):
            kinds[layer.kind.__name__] = None
    return tuple(kinds)


def _places_inside(ingredient: Ingredient, graph: Graph, level: Level) -> Iterator[str]:
    """The names of places in the contents of a layer."""
    deeper = inaccessible_places(ingredient, graph, level)
    yield from (place.name for place in deeper)
    yield from _sites_to_change(ingredient, graph, level, {place.layer for place in deeper})


def _sites_to_change(
    ingredient: Ingredient, graph: Graph, level: Level, holders: set[str], prefix: str = ""
) -> Iterator[str]:
    for site in ingredient.find(graph):
        if f"{prefix}{_layer(graph, site)}" not in holders and _is_changed(ingredient, graph, site, level):
            yield prefix + "/".join(_path(graph, site))
    for layer in graph.layers.values():
        if layer.inner is not None:
            yield from _sites_to_change(ingredient, layer.inner, level, holders, f"{prefix}{layer.name}/")


def _is_changed(ingredient: Ingredient, graph: Graph, site: Site, level: Level) -> bool:
    """Whether a rewrite would change the graph: what is at the level already is no place of it."""
    try:
        return fingerprint(ingredient.rewrite(graph, [site], level)) != fingerprint(graph)
    except Exception:  # shapes in the contents of a layer may be unknown
        return True


def _layer(graph: Graph, site: Site) -> str:
    first = site.nodes[0]
    return graph.nodes[first].layer if first in graph.nodes else first


def _path(graph: Graph, site: Site) -> tuple[str, ...]:
    first = site.nodes[0]
    return site.nodes if first in graph.layers and graph.layers[first].inner is not None else site.nodes[:1]


def _fits(names: Sequence[str], only: Patterns, prefix: str) -> bool:
    return not only or any(
        fnmatchcase(name, pattern) or fnmatchcase(f"{prefix}{name}", pattern) for name in names for pattern in only
    )
