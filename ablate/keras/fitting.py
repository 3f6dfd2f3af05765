"""The data of a run in the shape that its network takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.keras.data import Dataset, load
from ablate.keras.models import chosen
from ablate.keras.models.application import applications, least_size

__all__ = ["fitting_data"]


def fitting_data(config: Mapping[str, Any]) -> tuple[Dataset, tuple[str, ...]]:
    """Loads the data of a run.

    ``model.input_shape`` wins over ``data.size`` and ``data.channels``; without it, images that a network of
    `keras.applications` would refuse are enlarged to the least size that it takes.

    Args:
        config: The resolved config of a run, as plain values, checked.

    Returns:
        The data, and a sentence for each change that nobody asked for.

    Raises:
        ConfigError: Unknown keys or values of the data section.
        NetworkError: The data cannot be had.
    """
    data, model = dict(config["data"]), chosen(config["model"])
    shape = model.get("input_shape")
    if shape is not None:
        return load(data | {"size": list(shape[:2]), "channels": shape[2]}, config["seed"]), ()
    dataset = load(data, config["seed"])
    least = least_size(model["network"]) if model.get("network") in applications() else 0
    height, width, _ = dataset.input_shape
    if min(height, width) >= least:
        return dataset, ()
    larger = [max(least, height), max(least, width)]
    note = (
        f"The images of '{dataset.name}' are enlarged from {height}x{width} to {larger[0]}x{larger[1]} pixels, the "
        f"least that {model['network']} takes; data.size or model.input_shape chooses another size."
    )
    return load(data | {"size": larger}, config["seed"]), (note,)
