"""Building a Keras model from a graph."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from ablate.errors import NetworkError
from ablate.keras.graph import Graph, LayerSpec
from ablate.keras.graph_node import Shape, Tensor, substituted, tensors_in
from ablate.keras.models.builder import with_fresh_names


def model_of(graph: Graph, shapes: Sequence[Shape] = ()) -> Any:
    """Builds the network in Keras, with new weights.

    Args:
        graph: The graph.
        shapes: Shapes of the inputs where they differ from those the model was read with.

    Returns:
        A functional model, not compiled.

    Raises:
        NetworkError: If a layer cannot be created, or does not fit its input tensors.
    """
    built: dict[str, Any] = {}
    tensors: dict[Tensor, Any] = {}
    for tensor, shape in zip(tensors_in(graph.inputs), shapes or (None,) * len(graph.nodes), strict=False):
        layer = graph.layer(tensor.node)
        if shape is not None and not _fits(shape, layer.config["batch_shape"]):
            layer = layer.configured(batch_shape=shape)
        built[layer.name] = _layer(layer, ())
        tensors[tensor] = built[layer.name].output
    for node in graph.nodes.values():
        if node.output in tensors:
            continue
        layer = graph.layer(node)
        args, kwargs = substituted((node.args, dict(node.kwargs)), tensors)
        if layer.name not in built:
            built[layer.name] = _layer(layer, [tuple(tensors[tensor].shape) for tensor in node.inputs])
        try:
            outputs = keras.tree.flatten(built[layer.name](*args, **kwargs))
        except (ValueError, TypeError, NotImplementedError) as error:
            raise NetworkError(
                f"Model '{graph.name}' cannot be built again at layer '{layer.name}' ({layer.kind.__name__}): {error}"
            ) from error
        tensors |= {Tensor(node.key, position): output for position, output in enumerate(outputs)}
    kind = graph.kind if _takes_graph(graph.kind) else keras.Model
    model = kind(substituted(graph.inputs, tensors), substituted(graph.outputs, tensors), name=graph.name)
    if not graph.trainable:
        model.trainable = False
    return model


def sketch(graph: Graph) -> Any:
    """The network without numbers: all shapes, but no memory for its weights.

    Args:
        graph: The graph.

    Returns:
        A functional model that can be read and counted, not called on numbers.

    Raises:
        NetworkError: As `model_of`.
    """

    def build() -> Any:
        with keras.StatelessScope(initialize_variables=False):
            return model_of(graph)

    # Keras lists, for each thread, the weights that it creates after the scope; a thread of its own never gets there.
    return with_fresh_names(build)


def _layer(spec: LayerSpec, shapes: Sequence[Shape]) -> Any:
    """A new layer or operation; the shapes are those of its first call, which a nested model is built for."""
    if spec.wrapper is not None:
        return _wrapped(spec, spec.wrapper)
    if spec.inner is not None:
        return model_of(spec.inner, shapes)
    try:
        layer = spec.kind.from_config(copy.deepcopy(dict(spec.config)))  # type: ignore[attr-defined]
    except Exception as error:
        if spec.origin is not None and not spec.weighted:
            return spec.origin
        raise NetworkError(
            f"Layer '{spec.name}' ({spec.kind.__name__}) cannot be created again from its configuration: {error} "
            f"Write `get_config` and `from_config` in {spec.kind.__name__} so that they return all its arguments."
        ) from error
    # Some operations drop their name from their configuration.
    layer.name = spec.name
    return layer


def _wrapped(spec: LayerSpec, wrapper: LayerSpec) -> Any:
    try:
        layer = _layer(replace(spec, name=spec.config.get("name", spec.name), wrapper=None, origin=None), ())
        return wrapper.kind(layer, **wrapper.config)
    except NetworkError:
        if spec.origin is not None and not spec.weighted:
            return spec.origin
        raise


def _fits(shape: Shape, expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        side is None or size == side for size, side in zip(shape, expected, strict=True)
    )


def _takes_graph(kind: type) -> bool:
    """Whether the class is called with inputs and outputs, as `keras.Model` is."""
    if issubclass(kind, keras.Sequential):
        return False
    names = list(inspect.signature(kind.__init__).parameters)[1:3]  # type: ignore[misc]
    return names in (["inputs", "outputs"], ["args", "kwargs"])
