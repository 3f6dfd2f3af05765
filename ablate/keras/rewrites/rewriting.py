"""A network with some of its ingredients at other levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ablate.errors import NetworkError, suggestion
from ablate.formatting import listing
from ablate.keras.graph import Graph
from ablate.keras.graph_equality import fingerprint
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage
from ablate.keras.rewrites.places import (
    Patterns,
    absence_text,
    has_places,
    inaccessible_places,
    inaccessible_text,
    left_alone,
    left_alone_text,
    matching_sites,
    number_of_places,
    patterns,
    sites_of,
)
from ablate.keras.rewrites.registry import catalogue


def rewriting_order(ingredients: Mapping[str, Ingredient]) -> tuple[str, ...]:
    """Names of ingredients in the order in which they are rewritten: by stage, and within one as they are listed."""
    return tuple(sorted(ingredients, key=lambda name: ingredients[name].stage))


def _rewritten(ingredient: Ingredient, graph: Graph, level: Level, only: Patterns = (), prefix: str = "") -> Graph:
    """The graph with one ingredient at another level, nested models included.

    Args:
        ingredient: The ingredient.
        graph: The graph.
        level: One of its levels, not the first.
        only: Patterns of the names of the layers to which it is limited.
        prefix: Nested models in which the graph stands, each followed by ``/``.
    """
    # What is put in front of the network is put there once, not in front of each model nested in it.
    in_front = ingredient.stage is Stage.INPUT and level is not False
    nested = [
        replace(layer, inner=_rewritten(ingredient, layer.inner, level, only, f"{prefix}{layer.name}/"))
        for layer in graph.layers.values()
        if layer.inner is not None and not in_front
    ]
    graph = graph.edited(layers=nested)
    full, seen = graph, list[list[Site]]()
    spared = {} if only else ingredient.left_alone(full)
    # Taking one away may lay another bare.
    while (sites := matching_sites(graph, _sites(ingredient, graph, only), only, prefix)) not in seen:
        seen.append(sites)
        # What only a name takes away stays, whatever it looks like without the others.
        taken = [site for site in sites if site not in spared or not _can_be_named(ingredient, full, site, level)]
        graph = ingredient.rewrite(graph, taken, level)
    return graph


def _can_be_named(ingredient: Ingredient, graph: Graph, site: Site, level: Level) -> bool:
    """Whether a place that is left alone would be rewritten if patterns named it."""
    return fingerprint(ingredient.rewrite(graph, [site], level)) != fingerprint(graph)


def _sites(ingredient: Ingredient, graph: Graph, only: Patterns) -> tuple[Site, ...]:
    """The sites of an ingredient; patterns may name places that are left alone without them."""
    return (*ingredient.find(graph), *(ingredient.left_alone(graph) if only else ()))


def remove(
    model: Any,
    *,
    only: Mapping[str, str | Patterns] | None = None,
    ingredients: Mapping[str, Ingredient] | None = None,
    partial: bool = False,
    **levels: Level,
) -> Any:
    """The model without some of its ingredients, or with them at other levels.

    ``remove(model, residual=False, head="flatten")`` is the network without residual connections, and with a flattened
    map instead of global pooling in front of its classifier.

    Args:
        model: A functional or Sequential Keras model in its full form; it is left as it is.
        only: By ingredient, a pattern of layer names such as ``"block[3-5]*"``, or several, to which it is limited.
        ingredients: All ingredients by name; by default those built in and those of installed packages.
        partial: Whether an ingredient may stay in places that cannot be rewritten, inside layers of the user.
        **levels: Levels by ingredient. Those of the full form change nothing, nor does the level of an ingredient that
            requires another one which is removed: ``bn_placement`` and ``bias`` are void with ``batch_norm=False``.

    Returns:
        The model itself if nothing is to be changed, otherwise a new functional model, not compiled, with new weights
        and with layers of the same names. Adapted preprocessing, matrices of embeddings and frozen layers stay.

    Raises:
        NetworkError: If an ingredient or a level is unknown, if the model does not contain an ingredient that is to be
            changed, if a change leaves it as it is, if some of it would stay inside layers of the user, or if it has no
            graph.
    """
    from ablate.keras.graph_writer import model_of
    from ablate.keras.layer_state import carry_over

    graph = ablated_graph(model, levels, only, ingredients, partial)
    return model if graph is None else carry_over(model, model_of(graph))


def ablated_graph(
    model: Any,
    levels: Mapping[str, Level],
    only: Mapping[str, str | Patterns] | None = None,
    ingredients: Mapping[str, Ingredient] | None = None,
    partial: bool = False,
) -> Graph | None:
    """What `remove` builds, as a graph; None if nothing is to be changed.

    Args:
        model: As for `remove`, as are the others.
        levels: Levels by ingredient.
        only: Patterns of layer names by ingredient.
        ingredients: All ingredients by name.
        partial: Whether an ingredient may stay in places that cannot be rewritten.

    Raises:
        NetworkError: As `remove`.
    """
    from ablate.keras.graph_reader import graph_of

    known = catalogue() if ingredients is None else ingredients
    limits = _limits(only)
    faults = [fault for name, level in levels.items() for fault in _faults(known, name, level)]
    for name in sorted(limits.keys() - known.keys()):
        faults.append(f"only.{name}: there is no ingredient '{name}'.{suggestion(name, known)}")
    if faults:
        raise NetworkError("\n".join(faults))
    changes = {
        name: levels[name]
        for name in rewriting_order(known)
        if name in levels and levels[name] != known[name].levels[0] and not _is_void(known[name], levels, limits)
    }
    if not changes:
        return None
    graph = full = graph_of(model)
    # Layers in front of the network are no part of it: they may come from a change as well.
    inside = [known[name] for name in known if name in changes and known[name].stage is not Stage.INPUT]
    missing = [one for one in inside if not has_places(one, graph, limits.get(one.name, ()))]
    if missing:
        raise NetworkError(_absence(full, missing, known))
    for name, level in changes.items():
        # An earlier change may have taken this one with it, as a block that is left out takes its residual connection.
        if known[name] not in inside or has_places(known[name], graph, limits.get(name, ())):
            graph = _settled(graph) if graph is not full else graph
            graph = _changed(known, name, graph, level, limits.get(name, ()))
    faults = [] if partial else partial_removals(full, graph, changes, only, known)
    if faults:
        advice = (
            "Limit the ingredient to other layers (only.<ingredient>=...), vary an argument of the class or of the "
            "function that builds the model instead, or accept what stays: partial=true."
        )
        raise NetworkError("\n".join([*faults, advice]))
    return graph


def partial_removals(
    full: Graph,
    graph: Graph,
    levels: Mapping[str, Level],
    only: Mapping[str, str | Patterns] | None = None,
    ingredients: Mapping[str, Ingredient] | None = None,
) -> list[str]:
    """A sentence for each ingredient of which some stays: how much, and where.

    Args:
        full: The network in its full form.
        graph: The network with its ingredients at the levels.
        levels: Levels by ingredient.
        only: Patterns of layer names by ingredient.
        ingredients: All ingredients by name.
    """
    known = catalogue() if ingredients is None else ingredients
    limits = _limits(only)
    sentences = []
    for name, level in levels.items():
        limit = limits.get(name, ())
        if level == known[name].levels[0] or _is_void(known[name], levels, limits):
            continue
        if not inaccessible_places(known[name], full, level, limit):
            continue
        # Arguments may have been changed with which a layer of the user drops nothing.
        graph = _settled(graph) if _has_edited_layers(graph) else graph
        left = inaccessible_places(known[name], graph, level, limit)
        if left:
            total = max(len(left), number_of_places(known[name], full, level, limit))
            sentences.append(
                f"{name}={str(level).lower()} changes {total - len(left)} of {total} places in model '{full.name}'; "
                f"{inaccessible_text(left)}."
            )
    return sentences


def _has_edited_layers(graph: Graph) -> bool:
    return any(
        _has_edited_layers(layer.inner) if layer.inner is not None else layer.origin is None and not layer.is_of_keras()
        for layer in graph.layers.values()
    )


def _limits(only: Mapping[str, str | Patterns] | None) -> dict[str, Patterns]:
    return {name: patterns(value) for name, value in (only or {}).items() if value}


def _is_void(ingredient: Ingredient, levels: Mapping[str, Level], limits: Mapping[str, Patterns]) -> bool:
    """Whether its level means nothing because all of another ingredient that it requires is removed."""
    return any(
        name in levels and levels[name] not in required and not limits.get(name)
        for name, required in ingredient.requires.items()
    )


def _settled(graph: Graph) -> Graph:
    """The same graph with the shapes and arguments that an edit leaves behind."""
    from ablate.keras.graph_reader import graph_of
    from ablate.keras.graph_writer import sketch

    return graph_of(sketch(graph))


def _changed(ingredients: Mapping[str, Ingredient], name: str, graph: Graph, level: Level, only: Patterns) -> Graph:
    ingredient = ingredients[name]
    adds = level in ingredient.adds or isinstance(level, float)
    if level is False and True in ingredient.adds and not ingredient.find(graph):
        return graph  # what may be added is not there, as asked
    if not adds and not has_places(ingredient, graph, only):
        raise NetworkError(_absence(graph, [ingredient], ingredients))
    misfit = ingredient.misfit(graph, level)
    if misfit:
        raise NetworkError(misfit)
    after = _rewritten(ingredient, graph, level, only)
    if fingerprint(after) == fingerprint(graph):
        raise NetworkError(_no_change(ingredient, graph, level, only))
    return after


def _no_change(ingredient: Ingredient, graph: Graph, level: Level, only: Patterns) -> str:
    message = f"{ingredient.name}={str(level).lower()} changes nothing in model '{graph.name}'"
    if not only:
        return f"{message}: it is like that already."
    places = listing([*sites_of(ingredient, graph), *left_alone(ingredient, graph)], 20) or "none"
    return f"{message}: no place fits only.{ingredient.name}={', '.join(only)}. Places: {places}."


def _faults(ingredients: Mapping[str, Ingredient], name: str, level: Any) -> list[str]:
    if name not in ingredients:
        return [f"Unknown ingredient '{name}'. Known: {', '.join(ingredients)}.{suggestion(name, ingredients)}"]
    if ingredients[name].allows(level):
        return []
    known = ingredients[name].allowed()
    return [
        f"Unknown level {level!r} of ingredient '{name}'. Known: {', '.join(known)}.{suggestion(str(level), known)}"
    ]


def _absence(graph: Graph, missing: Sequence[Ingredient], ingredients: Mapping[str, Ingredient]) -> str:
    counts = {name: len(sites_of(ingredient, graph)) for name, ingredient in ingredients.items()}
    contained = [f"{name} ({number})" for name, number in counts.items() if number]
    lines = [_absence_of(one, graph) for one in missing]
    return "\n".join([*lines, f"Present: {', '.join(contained) or 'no known ingredient'}."])


def _absence_of(ingredient: Ingredient, graph: Graph) -> str:
    places = inaccessible_places(ingredient, graph)
    others = left_alone(ingredient, graph)
    if others and not places:
        text = left_alone_text(others)
        return (
            f"`{ingredient.name}` is not present in model '{graph.name}': {absence_text(ingredient, graph)}; {text}. "
            f"Those that can be taken away are removed by only.{ingredient.name}=<their names>."
        )
    if places:
        return f"`{ingredient.name}` cannot be removed from model '{graph.name}': {inaccessible_text(places)}."
    return f"`{ingredient.name}` is not present in model '{graph.name}': {absence_text(ingredient, graph)}."
