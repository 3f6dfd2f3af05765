"""The network of a cell: built in its full form, then rewritten without what the cell takes away."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from ablate.errors import NetworkError
from ablate.keras.data.dataset import Dataset
from ablate.keras.graph import Graph
from ablate.keras.graph_reader import functional, nested_model
from ablate.keras.models import build
from ablate.keras.rewrites import ablated_graph, catalogue, remove
from ablate.keras.run_config import levels_of
from ablate.keras.streams import copied


def full_model(config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
    """The network in its full form.

    Args:
        config: The config of the run.
        dataset: The images that it takes and the classes that it distinguishes.
        precision: ``float16`` or ``bfloat16`` for mixed precision.

    Raises:
        NetworkError: The network cannot be built, or does not fit the data.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}" if precision else "float32")
    try:
        model = build(config["model"], dataset.input_shape, dataset.classes)
    finally:
        keras.config.set_dtype_policy(policy)
    functional(model)  # refuses one without a graph
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NetworkError(
            f"Model '{model.name}' has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "one of each is needed."
        )
    if tuple(model.outputs[0].shape) != (None, dataset.classes):
        raise NetworkError(
            f"Model '{model.name}' gives {tuple(model.outputs[0].shape)}; data set '{dataset.name}' needs "
            f"(None, {dataset.classes}), a number for each class."
        )
    input_shape = tuple(model.inputs[0].shape)[1:]
    if any(side not in (None, size) for side, size in zip(input_shape, dataset.input_shape, strict=True)):
        raise NetworkError(
            f"Model '{model.name}' takes images of {input_shape}, data set '{dataset.name}' has {dataset.input_shape}: "
            f"set data.size and data.channels."
        )
    return model


class FullModelCache:
    """The last network that was built in its full form: most cells of a study start from the same one.

    These networks serve to read their graph; they are not trained.
    """

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}

    def get(self, config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
        """See `full_model`."""
        key = json.dumps([config["model"], dataset.name, dataset.input_shape, dataset.classes, precision], default=str)
        if key not in self._models:
            self._models.clear()  # first, so that two networks never are in memory
            self._models[key] = full_model(config, dataset, precision)
        return self._models[key]


def cell_graph(full: Any, config: Mapping[str, Any]) -> Graph | None:
    """The graph of a cell's network, or ``None`` where the cell takes nothing away.

    Args:
        full: The network in its full form.
        config: The config of the run.

    Raises:
        NetworkError: The network cannot be rewritten.
    """
    ingredients = catalogue(config.get("ingredients"))
    return ablated_graph(
        full, levels_of(config, ingredients), config.get("only"), ingredients, bool(config.get("partial"))
    )


def build_model(config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
    """The network of a cell: the full form without what the cell takes away.

    Args:
        config: The config of the run.
        dataset: Its data.
        precision: ``float16`` or ``bfloat16`` for mixed precision; the last layer stays in 32 bits.

    Raises:
        NetworkError: The network cannot be built or rewritten, or does not fit the data.
    """
    model = full_model(config, dataset, precision)
    ingredients = catalogue(config.get("ingredients"))
    model = remove(
        model,
        only=config.get("only"),
        ingredients=ingredients,
        partial=bool(config.get("partial")),
        **levels_of(config, ingredients),
    )
    return _with_exact_outputs(model) if precision else model


def _with_exact_outputs(model: Any) -> Any:
    last = {tensor._keras_history.operation.name for tensor in model.outputs}

    def exact(layer: Any) -> Any:
        return copied(layer, dtype="float32") if layer.name in last else copied(layer)

    return keras.models.clone_model(model, clone_function=exact)


def named_weights(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All weights by nested model, layer, name, and number among those of one name in a layer.

    Args:
        model: The model.
        prefix: What to put before each path.

    Yields:
        Path, such as ``"encoder/conv1/kernel/0"``, and variable.
    """
    for layer in model.layers:
        nested = layer if isinstance(layer, keras.Model) else nested_model(layer)
        if nested is not None:
            yield from named_weights(nested, f"{prefix}{layer.name}/")
            continue
        counts: Counter[str] = Counter()
        for weight in layer.weights:
            yield f"{prefix}{layer.name}/{weight.name}/{counts[weight.name]}", weight
            counts[weight.name] += 1
