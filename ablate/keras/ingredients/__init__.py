"""What a network is made of, and the network without it.

An ingredient is a rewrite of the graph of a built model, not a switch in the code that builds it; so the same words
take apart our networks, those of `keras.applications` and any functional model of a user:

```python
model = keras.applications.MobileNetV2(weights=None)
present(model)                                 # {"residual": 10, "batch_norm": 52, ...}
smaller = ablate_model(model, {"residual": False})
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.errors import NetworkError, suggestion
from ablate.keras.graph import Graph
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import model_of
from ablate.keras.ingredients.batch_norm import BatchNorm
from ablate.keras.ingredients.bias import Bias
from ablate.keras.ingredients.bn_placement import BatchNormPlacement
from ablate.keras.ingredients.head import Head
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site
from ablate.keras.ingredients.residual import Residual
from ablate.keras.ingredients.separable import Separable

__all__ = ["INGREDIENTS", "Ingredient", "Level", "Site", "ablate_model", "count", "present", "rewritten"]

INGREDIENTS: Mapping[str, Ingredient] = {
    ingredient.name: ingredient
    for ingredient in (Residual(), BatchNorm(), BatchNormPlacement(), Separable(), Head(), Bias())
}
"""All ingredients by name, in the order of tables."""

# Shortcuts go first, so that a batch norm that fed a sum meets its activation; batch norm goes when nothing looks for
# it any more.
_ORDER = ("residual", "separable", "bn_placement", "bias", "batch_norm", "head")
_VOID_WITHOUT_BATCH_NORM = ("bn_placement", "bias")


def count(ingredient: Ingredient, graph: Graph) -> int:
    """The number of places where an ingredient is found, nested models included."""
    inner = (layer.inner for layer in graph.layers.values() if layer.inner is not None)
    return len(ingredient.find(graph)) + sum(count(ingredient, nested) for nested in inner)


def present(model: Any) -> dict[str, int]:
    """What a model is made of.

    Args:
        model: A functional or Sequential Keras model.

    Returns:
        The number of places for each ingredient, in the order of `INGREDIENTS`; 0 for one that is not there.

    Raises:
        NetworkError: If the model has no graph.
    """
    graph = graph_of(model)
    return {name: count(ingredient, graph) for name, ingredient in INGREDIENTS.items()}


def rewritten(ingredient: Ingredient, graph: Graph, level: Level) -> Graph:
    """The graph with one ingredient at another level, nested models included."""
    nested = [
        layer.nested(rewritten(ingredient, layer.inner, level))
        for layer in graph.layers.values()
        if layer.inner is not None
    ]
    graph = graph.edited(layers=nested)
    return ingredient.rewrite(graph, ingredient.find(graph), level)


def ablate_model(model: Any, levels: Mapping[str, Level]) -> Any:
    """The model with its ingredients at the given levels.

    Args:
        model: A functional or Sequential Keras model in its full form; it is left as it is.
        levels: Levels by ingredient. Those of the full form change nothing. ``bn_placement`` and ``bias`` are void
            without batch norm: when ``batch_norm`` is false they are ignored.

    Returns:
        The model itself if nothing is to be changed, otherwise a new functional model, not compiled, with new weights
        and with layers of the same names.

    Raises:
        NetworkError: If an ingredient or a level is unknown, if the model does not contain an ingredient that is to be
            changed, or if it has no graph.
    """
    faults = [fault for name, level in levels.items() for fault in _faults(name, level)]
    if faults:
        raise NetworkError("\n".join(faults))
    changes = {name: levels[name] for name in _ORDER if name in levels and levels[name] != INGREDIENTS[name].levels[0]}
    if "batch_norm" in changes:
        changes = {name: level for name, level in changes.items() if name not in _VOID_WITHOUT_BATCH_NORM}
    if not changes:
        return model
    graph = graph_of(model)
    missing = [INGREDIENTS[name] for name in INGREDIENTS if name in changes and not count(INGREDIENTS[name], graph)]
    if missing:
        raise NetworkError(_absence(model, missing))
    for name, level in changes.items():
        graph = rewritten(INGREDIENTS[name], graph, level)
    return model_of(graph)


def _faults(name: str, level: Any) -> list[str]:
    if name not in INGREDIENTS:
        return [f"Unknown ingredient '{name}'. Known: {', '.join(INGREDIENTS)}.{suggestion(name, INGREDIENTS)}"]
    known = INGREDIENTS[name].levels
    if any(type(level) is type(other) and level == other for other in known):
        return []
    words = [str(other).lower() for other in known]
    return [
        f"Unknown level {level!r} of ingredient '{name}'. Known: {', '.join(words)}.{suggestion(str(level), words)}"
    ]


def _absence(model: Any, missing: list[Ingredient]) -> str:
    found = [f"{name} ({number})" for name, number in present(model).items() if number]
    lines = [
        f"`{ingredient.name}` is not present in model '{model.name}': {ingredient.absence}." for ingredient in missing
    ]
    return "\n".join([*lines, f"Present: {', '.join(found) or 'no known ingredient'}."])
