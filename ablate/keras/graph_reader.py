"""Reading a Keras model as a graph.

No other module reads the bookkeeping of Keras (`_keras_history`, `_inbound_nodes`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
from keras.src.models.functional import Functional

from ablate.errors import NetworkError
from ablate.keras.graph import Graph, LayerSpec
from ablate.keras.graph_node import Node, Tensor

_WRAPPERS = (keras.layers.TimeDistributed, keras.layers.SpectralNormalization)


def graph_of(model: Any) -> Graph:
    """Reads a functional or Sequential model.

    Args:
        model: The model; it is left as it is.

    Returns:
        Its graph. A model nested in it is a layer with a graph of its own.

    Raises:
        NetworkError: If the model is subclassed, or is a Sequential model without an input shape.
    """
    network = functional(model)
    calls: dict[int, Any] = {}
    stack = [*network.outputs, *network.inputs]
    while stack:
        call = _call_behind(stack.pop())
        if id(call) not in calls:
            calls[id(call)] = call
            stack.extend(call.input_tensors)

    # A layer that the model shares with other models has calls that do not belong here.
    keys: dict[int, str] = {}
    for operation in {id(call.operation): call.operation for call in calls.values()}.values():
        here = [call for call in operation._inbound_nodes if id(call) in calls]
        keys |= {id(call): operation.name + (f"#{number}" if number else "") for number, call in enumerate(here)}

    def tensor(leaf: Any) -> Any:
        if not isinstance(leaf, keras.KerasTensor):
            return leaf
        return Tensor(keys[id(_call_behind(leaf))], leaf._keras_history.tensor_index)

    nodes, layers = {}, {}
    for identity, call in calls.items():
        args, kwargs = keras.tree.map_structure(tensor, (call.arguments.args, call.arguments.kwargs))
        shapes = tuple(tuple(output.shape) for output in call.outputs)
        node = Node(keys[identity], call.operation.name, args, kwargs, shapes)
        nodes[node.key] = node
        if node.layer not in layers:
            layers[node.layer] = layer_spec(call.operation)
    return Graph(
        name=model.name,
        kind=type(model),
        nodes=nodes,
        layers=layers,
        inputs=keras.tree.map_structure(tensor, network.input),
        outputs=keras.tree.map_structure(tensor, network.output),
        trainable=bool(model.trainable),
    )


def _call_behind(tensor: Any) -> Any:
    """The record that Keras keeps of the call that gave a tensor."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def functional(model: Any) -> Any:
    """The model itself, or the functional model of the same layers if it is Sequential.

    Args:
        model: Anything.

    Raises:
        NetworkError: If it is no Keras model, or has no graph.
    """
    if not isinstance(model, keras.Model):
        raise NetworkError(f"A Keras model is needed, not {model!r} ({type(model).__name__}).")
    if isinstance(model, keras.Sequential):
        if not getattr(model, "inputs", None):  # no attribute of a model that was not built
            raise NetworkError(
                f"Sequential model '{model.name}' does not know its input shape. "
                "Put `keras.Input(shape=...)` in front of its layers."
            )
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not _is_graph(model):
        raise NetworkError(
            f"Model '{model.name}' ({type(model).__name__}) is subclassed: what it computes stands in Python code, not "
            "in a graph, so nothing can be taken out of it. Build it with the functional API; what the function that "
            "builds it takes as arguments can be varied too: "
            "`model.builder=my_package.nets.make model.args.residual=true,false`."
        )
    return model


def _is_graph(model: Any) -> bool:
    """Whether it computes what its graph says: a functional model with the ``call`` of functional models."""
    return isinstance(model, Functional) and type(model).call is Functional.call


def nested_model(layer: Any) -> Any:
    """The functional or Sequential model that a layer is, or that it calls for each step in time; otherwise None.

    Args:
        layer: A layer of a model.
    """
    model = layer.layer if type(layer) in _WRAPPERS else layer
    return model if isinstance(model, keras.Sequential | Functional) else None


def layer_spec(operation: Any) -> LayerSpec:
    """Reads a layer or an operation.

    Args:
        operation: The layer or operation of Keras.

    Raises:
        NetworkError: If it has weights and no configuration.
    """
    weighted = bool(getattr(operation, "weights", ()))
    if type(operation) in _WRAPPERS and type(operation.layer) not in _WRAPPERS:
        config = {key: value for key, value in operation.get_config().items() if key != "layer"}
        wrapper = LayerSpec(operation.name, type(operation), config, weighted)
        return replace(layer_spec(operation.layer), name=operation.name, wrapper=wrapper, origin=operation)
    if isinstance(operation, keras.Sequential) or _is_graph(operation):
        return LayerSpec(operation.name, type(operation), {}, weighted, inner=graph_of(operation))
    try:
        config = operation.get_config()
    except NotImplementedError as error:
        if weighted:
            raise NetworkError(
                f"Layer '{operation.name}' ({type(operation).__name__}) cannot be copied. "
                f"Write `get_config` in {type(operation).__name__} so that it returns all its arguments."
            ) from error
        config = {}
    return LayerSpec(operation.name, type(operation), config, weighted, origin=operation)
