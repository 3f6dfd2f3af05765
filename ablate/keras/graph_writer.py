"""Building a Keras model from a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from ablate.errors import NetworkError
from ablate.keras.fresh_names import with_fresh_names
from ablate.keras.graph import Graph
from ablate.keras.graph_equality import same_layer
from ablate.keras.graph_node import Shape, Tensor, substituted, tensors_in
from ablate.keras.layer_config import create_layer, how_to_copy, number_format
from ablate.keras.layer_spec import LayerIdentity, LayerSpec
from ablate.keras.layer_state import copy_vocabularies
from ablate.keras.model_class import model_of_class


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
    return _Writer(graph).model(graph, shapes)


class _Writer:
    """Builds a network and the models nested in it; a layer that several of them share is one layer."""

    def __init__(self, graph: Graph) -> None:
        self._chosen: dict[LayerIdentity, LayerSpec] = {}
        self._created: dict[LayerIdentity, Any] = {}
        self._choose(graph, graph.name)

    def _choose(self, graph: Graph, model: str) -> None:
        """Decides on the form of each layer: the edited one where a layer was edited in one of its places."""
        for name, identity in graph.identities.items():
            if name not in graph.layers:
                continue
            spec = graph.layers[name]
            chosen = self._chosen.setdefault(identity, spec)
            if chosen is not spec and not same_layer(spec, identity.spec):
                if not same_layer(chosen, identity.spec) and not same_layer(chosen, spec):
                    raise NetworkError(
                        f"Layer '{name}' is shared by models nested in '{model}', and would have to change in one of "
                        "them otherwise than in the other."
                    )
                self._chosen[identity] = spec
            if spec.inner is not None:
                self._choose(spec.inner, model)

    def model(self, graph: Graph, shapes: Sequence[Shape]) -> Any:
        """See `model_of`."""
        with number_format(graph.dtype):  # layers that a layer creates take it over, and so does the model
            return self._model(graph, shapes)

    def _model(self, graph: Graph, shapes: Sequence[Shape]) -> Any:
        built: dict[str, Any] = {}
        tensors: dict[Tensor, Any] = {}
        for tensor, shape in zip(tensors_in(graph.inputs), shapes or (None,) * len(graph.nodes), strict=False):
            layer = graph.layer(tensor.node)
            if shape is not None and not _fits(shape, layer.config["batch_shape"]):
                layer = layer.configured(batch_shape=shape)
            built[layer.name] = self._layer(layer, ())
            tensors[tensor] = built[layer.name].output
        for node in graph.nodes.values():
            if node.output in tensors:
                continue
            layer = graph.layer(node)
            args, kwargs = substituted((node.args, dict(node.kwargs)), tensors)
            if layer.name not in built:
                built[layer.name] = self._shared(
                    graph.identities.get(layer.name), layer, [tuple(tensors[tensor].shape) for tensor in node.inputs]
                )
            try:
                outputs = keras.tree.flatten(built[layer.name](*args, **kwargs))
            except (ValueError, TypeError, NotImplementedError) as error:
                raise NetworkError(
                    f"Model '{graph.name}' cannot be built again at layer '{layer.name}' ({layer.kind.__name__}): "
                    f"{error}"
                ) from error
            tensors |= {Tensor(node.key, position): output for position, output in enumerate(outputs)}
        inputs, outputs = substituted(graph.inputs, tensors), substituted(graph.outputs, tensors)
        model = model_of_class(graph.kind, inputs, outputs, graph.name, graph.attributes)
        if not graph.trainable:
            model.trainable = False
        return model

    def _shared(self, identity: LayerIdentity | None, spec: LayerSpec, shapes: Sequence[Shape]) -> Any:
        """The layer of an identity, created when it is first called."""
        if identity is None:
            return self._layer(spec, shapes)
        if identity not in self._created:
            self._created[identity] = self._layer(self._chosen[identity], shapes)
        return self._created[identity]

    def _layer(self, spec: LayerSpec, shapes: Sequence[Shape]) -> Any:
        """A new layer or operation; the shapes are those of its first call, which a nested model is built for."""
        if spec.wrapper is not None:
            return self._wrapped(spec, spec.wrapper)
        if spec.inner is not None:
            return self.model(spec.inner, shapes)
        try:
            layer = create_layer(spec.kind, spec.config)
        except Exception as error:
            if spec.origin is not None and not spec.weighted:
                return spec.origin
            raise NetworkError(
                f"Layer '{spec.name}' ({spec.kind.__name__}) cannot be created again from its configuration: {error} "
                f"{how_to_copy(spec.kind)}"
            ) from error
        # Some operations drop their name from their configuration.
        layer.name = spec.name
        if spec.origin is not None:
            copy_vocabularies(spec.origin, layer)
        return layer

    def _wrapped(self, spec: LayerSpec, wrapper: LayerSpec) -> Any:
        try:
            inside = replace(spec, name=spec.config.get("name", spec.name), wrapper=None, origin=None)
            layer = wrapper.kind(self._layer(inside, ()), **wrapper.config)
        except NetworkError:
            if spec.origin is not None and not spec.weighted:
                return spec.origin
            raise
        if spec.origin is not None:
            copy_vocabularies(spec.origin, layer)
        return layer


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


def _fits(shape: Shape, expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        side is None or size == side for size, side in zip(shape, expected, strict=True)
    )
