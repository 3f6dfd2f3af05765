"""Which ingredients there are: those built in, those of installed packages, those that a configuration names."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from ablate.errors import NetworkError, suggestion
from ablate.keras.ingredients.activation import Activation
from ablate.keras.ingredients.augmentation import Augmentation, Contrast, Flip, Rotation, Zoom
from ablate.keras.ingredients.batch_norm import BatchNorm
from ablate.keras.ingredients.bias import Bias
from ablate.keras.ingredients.bn_placement import BatchNormPlacement
from ablate.keras.ingredients.dense_connections import DenseConnections
from ablate.keras.ingredients.dropout import Dropout
from ablate.keras.ingredients.head import Head
from ablate.keras.ingredients.ingredient import Ingredient
from ablate.keras.ingredients.norm import Norm
from ablate.keras.ingredients.pooling import Pooling
from ablate.keras.ingredients.residual import Residual
from ablate.keras.ingredients.separable import Separable
from ablate.keras.ingredients.squeeze_excite import SqueezeExcite
from ablate.keras.ingredients.without_block import WithoutBlock

__all__ = ["GROUP", "INGREDIENTS", "catalogue", "ingredient_at"]

GROUP = "ablate.ingredients"
"""The entry points by which an installed package brings ingredients."""

_BUILT_IN: tuple[type[Ingredient], ...] = (
    Residual,
    BatchNorm,
    BatchNormPlacement,
    Separable,
    Head,
    Bias,
    Norm,
    SqueezeExcite,
    Dropout,
    DenseConnections,
    Activation,
    Pooling,
    Augmentation,
    Flip,
    Rotation,
    Zoom,
    Contrast,
    WithoutBlock,
)

INGREDIENTS: Mapping[str, Ingredient] = MappingProxyType({kind.name: kind() for kind in _BUILT_IN})
"""The ingredients that come with the package, by name, in the order of tables."""


def catalogue(own: Mapping[str, Any] | None = None) -> Mapping[str, Ingredient]:
    """All ingredients by name, in the order of tables: built in, of installed packages, of the configuration.

    Args:
        own: The ``ingredients`` node of a configuration: dotted paths of classes by name.

    Raises:
        NetworkError: If a name of the configuration is taken, or its path does not lead to an ingredient; all faults.
    """
    found = {**INGREDIENTS, **_installed()}
    faults = []
    for name, path in (own or {}).items():
        try:
            if name in INGREDIENTS:
                raise NetworkError(f"ingredients.{name}: the name is taken by an ingredient that is built in.")
            found[name] = ingredient_at(name, path)
        except NetworkError as error:
            faults.append(str(error))
    if faults:
        raise NetworkError("\n".join(faults))
    return found


def ingredient_at(name: str, path: Any) -> Ingredient:
    """The ingredient whose class a dotted path names.

    Args:
        name: The word for it in the configuration.
        path: Such as ``"my_package.parts.MyIngredient"``.

    Raises:
        NetworkError: If there is no such class, if it is no ingredient, or if it calls itself otherwise.
    """
    place = f"ingredients.{name}={path}"
    if not isinstance(path, str) or path.count(".") == 0 or not all(part.isidentifier() for part in path.split(".")):
        raise NetworkError(f"{place}: must be the dotted path of a class, such as my_package.parts.MyIngredient.")
    module_name, _, attribute = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise NetworkError(f"{place}: module '{module_name}' cannot be imported: {error}.") from error
    if not hasattr(module, attribute):
        raise NetworkError(
            f"{place}: module '{module_name}' has no '{attribute}'.{suggestion(attribute, vars(module))}"
        )
    return _made(place, name, getattr(module, attribute))


def _made(place: str, name: str, kind: Any) -> Ingredient:
    if not (isinstance(kind, type) and issubclass(kind, Ingredient)):
        raise NetworkError(f"{place}: must be a class derived from ablate.keras.ingredients.Ingredient.")
    try:
        made = kind()
    except TypeError as error:
        raise NetworkError(f"{place}: cannot be made: {error}.") from error
    lacking = [word for word in ("name", "description", "absence") if not isinstance(getattr(made, word, None), str)]
    if lacking:
        raise NetworkError(f"{place}: the class lacks {', '.join(f'`{word}`' for word in lacking)}, a text each.")
    if made.name != name:
        raise NetworkError(f"{place}: the class calls itself '{made.name}'. Use that name.")
    return made


@cache
def _installed() -> Mapping[str, Ingredient]:
    found: dict[str, Ingredient] = {}
    for point in entry_points(group=GROUP):
        place = f"Entry point '{point.name}' ({point.value})"
        try:
            if point.name in INGREDIENTS:
                raise NetworkError(f"{place}: the name is taken by an ingredient that is built in.")
            found[point.name] = _made(place, point.name, point.load())
        except Exception as error:  # a broken package must not stop a study that has no use for it
            logging.getLogger(__name__).warning("An installed ingredient is left out. %s", error)
    return found
