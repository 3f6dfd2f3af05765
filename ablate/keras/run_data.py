"""The data of a run, resized to what its network takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ablate.keras.data.dataset import Dataset
from ablate.keras.data.loading import load
from ablate.keras.models import build, least_side, resolve_name

_USER_MODELS = ("saved", "builder")
"""Models of the user, which may be built for images of one shape, whatever shape is passed to them."""


def load_run_data(config: Mapping[str, Any]) -> tuple[Dataset, tuple[str, ...]]:
    """Loads the data of a run.

    ``model.input_shape`` wins over ``data.size`` and ``data.channels``. Without it, images that a network would refuse
    are enlarged to the least size that it takes, and a model that was built for images of one shape, such as a saved
    one, gets them in that shape.

    Args:
        config: The resolved config of a run, as plain values, checked.

    Returns:
        The data, and a sentence for each change that the config does not ask for.

    Raises:
        ConfigError: Unknown keys or values of the data section.
        NetworkError: The data cannot be had, or the network cannot be built.
    """
    data, model = dict(config["data"]), resolve_name(config["model"])
    shape = model.get("input_shape")
    if shape is not None:
        return load(data | {"size": list(shape[:2]), "channels": shape[2]}, config["seed"]), ()
    dataset = load(data, config["seed"])
    current = dataset.input_shape
    if model["name"] in _USER_MODELS:
        model_json = json.dumps(config["model"], sort_keys=True, default=str)
        sides = _model_input(model_json, current, dataset.classes)
        if len(sides) != len(current):
            return dataset, ()  # the model takes no images, which building it for this data will refuse
        shape = tuple(now if side is None else side for side, now in zip(sides, current, strict=True))
        reason = "the shape that the model was built for"
    else:
        least = least_side(model, current)
        shape = (max(least, current[0]), max(least, current[1]), current[2])
        reason = f"the least that {model.get('network') or model['name']} takes"
    if shape == current:
        return dataset, ()
    before, after = ("x".join(map(str, one)) for one in (current, shape))
    note = (
        f"The images of '{dataset.name}' are brought from {before} to {after}, {reason}; data.size or "
        "model.input_shape chooses another size."
    )
    return load(data | {"size": list(shape[:2]), "channels": shape[2]}, config["seed"]), (note,)


@lru_cache(maxsize=8)
def _model_input(model_json: str, input_shape: tuple[int, int, int], classes: int) -> tuple[int | None, ...]:
    """Height, width and channels that a model takes when it is built for such images; empty if it has no inputs yet."""
    inputs = getattr(build(json.loads(model_json), input_shape, classes), "inputs", None)
    return tuple(inputs[0].shape[1:]) if inputs else ()
