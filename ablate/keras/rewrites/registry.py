"""Which ingredients there are: those built in, those of installed packages, those that a configuration names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from ablate.errors import ConfigError, NetworkError
from ablate.keras.rewrites.ingredient import Ingredient
from ablate.objects import load_object

GROUP = "ablate.ingredients"
"""The entry points by which an installed package brings ingredients."""

_BUILT_IN = (
    "residual.Residual",
    "batch_norm.BatchNorm",
    "bn_placement.BatchNormPlacement",
    "separable.Separable",
    "head.Head",
    "bias.Bias",
    "norm.Norm",
    "squeeze_excite.SqueezeExcite",
    "spatial_attention.SpatialAttention",
    "groups.Groups",
    "dropout.Dropout",
    "dense_connections.DenseConnections",
    "activation.Activation",
    "pooling.Pooling",
    "without_block.WithoutBlock",  # before what else takes blocks away: it names them as they are in the full network
    "mlp.Mlp",
    "attention.Attention",
    "position.Position",
    "norm_placement.NormPlacement",
    "skip.Skip",
    "upsampling.Upsampling",
    "bidirectional.Bidirectional",
    "augmentation.Augmentation",
    "augmentation.Flip",
    "augmentation.Rotation",
    "augmentation.Zoom",
    "augmentation.Contrast",
)

_INSTANCES: list[Ingredient] = [load_object(f"ablate.keras.rewrites.{path}")() for path in _BUILT_IN]
INGREDIENTS: Mapping[str, Ingredient] = MappingProxyType({one.name: one for one in _INSTANCES})
"""The ingredients that come with the package, by name, in the order of tables."""


def catalogue(own: Mapping[str, Any] | None = None) -> Mapping[str, Ingredient]:
    """All ingredients by name, in the order of tables: built in, of installed packages, of the configuration.

    Args:
        own: The ``ingredients`` node of a configuration: dotted paths of classes by name.

    Raises:
        NetworkError: If a name of the configuration is taken, or its path does not lead to an ingredient; all faults.
    """
    ingredients = {**INGREDIENTS, **_installed()}
    faults = []
    for name, path in (own or {}).items():
        try:
            kind = load_object(path, f"ingredients.{name}", "my_package.parts.MyIngredient")
            ingredients[name] = _instance(f"ingredients.{name}={path}", name, kind)
        except (ConfigError, NetworkError) as error:
            faults.append(str(error))
    if faults:
        raise NetworkError("\n".join(faults))
    return ingredients


def _instance(source: str, name: str, kind: Any) -> Ingredient:
    """An ingredient of a user's class.

    Args:
        source: Where the class is named, for messages.
        name: The key under which it is registered.
        kind: The class.
    """
    if name in INGREDIENTS:
        raise NetworkError(f"{source}: the name is taken by an ingredient that is built in.")
    if not (isinstance(kind, type) and issubclass(kind, Ingredient)):
        raise NetworkError(f"{source}: must be a class derived from ablate.keras.Ingredient.")
    try:
        ingredient = kind()
    except TypeError as error:
        raise NetworkError(f"{source}: cannot be instantiated: {error}.") from error
    texts = ("name", "description", "absence")
    missing = [f"`{text}`" for text in texts if not isinstance(getattr(ingredient, text, None), str)]
    if missing:
        raise NetworkError(f"{source}: the class lacks {', '.join(missing)}, a text each.")
    if ingredient.name != name:
        raise NetworkError(f"{source}: the class calls itself '{ingredient.name}'. Use that name.")
    return ingredient


@cache
def _installed() -> Mapping[str, Ingredient]:
    ingredients: dict[str, Ingredient] = {}
    for point in entry_points(group=GROUP):
        source = f"Entry point '{point.name}' ({point.value})"
        try:
            ingredients[point.name] = _instance(source, point.name, point.load())
        except Exception as error:  # a broken package must not stop a study that has no use for it
            logging.getLogger(__name__).warning("An installed ingredient is left out. %s: %s", source, error)
    return ingredients
