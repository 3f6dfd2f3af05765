"""The data of a run in the shape that its network takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ablate.keras.data import Dataset, load
from ablate.keras.models import build, chosen, least_side

__all__ = ["fitting_data"]

Sides = tuple[int | None, ...]

_OTHERS = ("saved", "builder")
"""Models of others, which may be built for images of one shape whatever they are asked for."""


def fitting_data(config: Mapping[str, Any]) -> tuple[Dataset, tuple[str, ...]]:
    """Loads the data of a run.

    ``model.input_shape`` wins over ``data.size`` and ``data.channels``. Without it, images that a network would refuse
    are enlarged to the least size that it takes, and a model that was built for images of one shape, one that was
    saved, say, gets them in that shape.

    Args:
        config: The resolved config of a run, as plain values, checked.

    Returns:
        The data, and a sentence for each change that nobody asked for.

    Raises:
        ConfigError: Unknown keys or values of the data section.
        NetworkError: The data cannot be had, or the network cannot be built.
    """
    data, model = dict(config["data"]), chosen(config["model"])
    shape = model.get("input_shape")
    if shape is not None:
        return load(data | {"size": list(shape[:2]), "channels": shape[2]}, config["seed"]), ()
    dataset = load(data, config["seed"])
    own = dataset.input_shape
    if model["name"] in _OTHERS:
        wanted = _shape_of(json.dumps(config["model"], sort_keys=True, default=str), own, dataset.classes)
        return _reshaped(dataset, data, wanted, config["seed"])
    least = least_side(model, own)
    height, width, _ = own
    if min(height, width) >= least:
        return dataset, ()
    larger = [max(least, height), max(least, width)]
    named = model.get("network") or model["name"]
    note = (
        f"The images of '{dataset.name}' are enlarged from {height}x{width} to {larger[0]}x{larger[1]} pixels, the "
        f"least that {named} takes; data.size or model.input_shape chooses another size."
    )
    return load(data | {"size": larger}, config["seed"]), (note,)


def _reshaped(dataset: Dataset, data: Mapping[str, Any], wanted: Sides, seed: int) -> tuple[Dataset, tuple[str, ...]]:
    """The data in the shape that a model was built for; sides that it leaves open stay."""
    own = dataset.input_shape
    if len(wanted) != len(own):
        return dataset, ()  # no images; that is told where the model meets the data
    shape = tuple(mine if side is None else side for side, mine in zip(wanted, own, strict=True))
    if shape == own:
        return dataset, ()
    note = (
        f"The images of '{dataset.name}' are brought from {'x'.join(map(str, own))} to {'x'.join(map(str, shape))}, "
        "the shape that the model was built for."
    )
    return load({**data, "size": list(shape[:2]), "channels": shape[2]}, seed), (note,)


@lru_cache(maxsize=8)
def _shape_of(model: str, images: tuple[int, int, int], classes: int) -> Sides:
    """Height, width and channels of what a model takes when it is asked for these images; empty if it does not say."""
    inputs = getattr(build(json.loads(model), images, classes), "inputs", None)
    return tuple(inputs[0].shape[1:]) if inputs else ()
