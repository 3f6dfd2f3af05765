"""The network of a cell: built in its full form, then rewritten without what the cell takes away."""

from __future__ import annotations

import inspect
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.dataset import Dataset
from ablate.keras.graph import Graph
from ablate.keras.graph_node import tensors_in
from ablate.keras.graph_reader import functional, graph_of, nested_model
from ablate.keras.graph_writer import model_of
from ablate.keras.initial_weights import drawn_variables, leaf_layers
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.layer_state import carry_over
from ablate.keras.models import build, resolve_name
from ablate.keras.models.builder import REDRAW
from ablate.keras.rewrites import ablated_graph, catalogue
from ablate.keras.run_config import levels_of
from ablate.keras.tasks import chosen_task

_logger = logging.getLogger(__name__)


def full_model(config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
    """The network in its full form.

    Args:
        config: The config of the run.
        dataset: The images that it takes and the classes that it distinguishes.
        precision: ``float16`` or ``bfloat16`` for mixed precision.

    Raises:
        NetworkError: The network cannot be built, or does not fit the data.
    """
    task, settings = chosen_task(config)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}" if precision else "float32")
    try:
        model = build(config["model"], task.signature(dataset.pool))
    finally:
        keras.config.set_dtype_policy(policy)
    functional(model)  # refuses one without a graph
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NetworkError(
            f"Model '{model.name}' has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "one of each is needed."
        )
    task.check_network(model, dataset, settings)
    try:
        inspect.signature(model.compile).bind(optimizer=None, loss=None, metrics=None, jit_compile=None)
    except TypeError as error:
        raise NetworkError(
            f"Model '{model.name}' ({type(model).__name__}) cannot be compiled here: {error}. Its `compile` must take "
            "optimizer, loss, metrics and jit_compile."
        ) from error
    input_shape = tuple(model.inputs[0].shape)[1:]
    shape = dataset.input_shape
    fits = len(shape) == len(input_shape) and all(
        side in (None, size) for side, size in zip(input_shape, shape, strict=True)
    )
    if not fits:
        noun = dataset.pool.noun
        advice = ": set data.size and data.channels" if dataset.pool.are_images and len(input_shape) == 3 else ""
        raise NetworkError(
            f"Model '{model.name}' takes {noun} of {input_shape}, data set '{dataset.name}' has {shape}{advice}."
        )
    return model


def compile_notes(model: Any) -> list[str]:
    """What a builder compiled its network with, and what counts instead; empty if it is not compiled.

    Args:
        model: The network as it was built.
    """
    if not getattr(model, "compiled", False):
        return []
    optimizer, loss = getattr(model, "optimizer", None), getattr(model, "loss", None)
    parts = [type(optimizer).__name__] if optimizer is not None else []
    parts += [str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))] if loss is not None else []
    return [
        f"Model '{model.name}' comes compiled ({', '.join(parts)}), which is not used: train.optimizer, "
        "train.learning_rate and the other keys of train set how it is trained, and task.loss sets the loss."
    ]


def weight_notes(config: Mapping[str, Any], model: Any) -> list[str]:
    """What to say about trained weights that come with a network and are not used.

    Args:
        config: The config of the run.
        model: Its network.
    """
    node = resolve_name(config["model"])
    if node["name"] != "saved" and node.get("weights") != REDRAW:
        return []
    source = "path" if node["name"] == "saved" else "builder"
    frozen = [path for path, layer in leaf_layers(model) if drawn_variables(layer) and not layer.trainable]
    return [
        f"The weights that come with model.{source}={node[source]} are not used: every run starts from fresh ones."
        + (f" Frozen, and so never trained, are {listing(frozen, 5)}." if frozen else "")
    ]


class FullModelCache:
    """The last network that was built in its full form: most cells of a study start from the same one.

    These networks serve to read their graph; they are not trained.
    """

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}

    def get(self, config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
        """See `full_model`."""
        shape = [dataset.name, dataset.input_shape, dataset.class_names, dataset.pool.labels.shape[1:]]
        key = json.dumps([config["model"], config.get("task"), *shape, precision], default=str)
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
    for note in compile_notes(model):
        _logger.info(note)
    graph = cell_graph(model, config)
    if precision:
        graph = _with_exact_outputs(graph or graph_of(model))
    return model if graph is None else carry_over(model, model_of(graph))


def _with_exact_outputs(graph: Graph) -> Graph:
    """The graph with the last layers in 32 bits, and with them the operations behind them."""
    layers: dict[str, LayerSpec] = {}
    stack = [tensor.node for tensor in tensors_in(graph.outputs)]
    while stack:
        node = graph.nodes[stack.pop()]
        layer = graph.layer(node)
        if layer.wrapper is not None:
            layer = replace(layer, wrapper=layer.wrapper.configured(dtype="float32"), origin=None)
        if layer.inner is not None:
            layers[layer.name] = replace(layer, inner=_with_exact_outputs(layer.inner))
        elif "dtype" in layer.config:
            layers[layer.name] = layer if layer.is_a("InputLayer") else layer.configured(dtype="float32")
        else:
            stack += [tensor.node for tensor in node.inputs]
    return graph.edited(layers=layers.values())


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
