"""Reading a Keras model as a graph.

No other module reads the bookkeeping of Keras (`_keras_history`, `_inbound_nodes`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
from keras.src.models.functional import Functional

from ablate.errors import NetworkError
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.layer_config import how_to_copy, layer_config
from ablate.keras.layer_spec import LayerIdentity, LayerSpec
from ablate.keras.model_class import own_attributes

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
    return _read(model, {}, {})


def _read(model: Any, identities: dict[int, LayerIdentity], owners: dict[int, Any]) -> Graph:
    """The graph of a model.

    Args:
        model: The model.
        identities: Those of all layers that were read, by the number of the object; added to.
        owners: By the number of a weight the layer that has it; added to.
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

    nodes, layers, own = {}, {}, {}
    for identity, call in calls.items():
        args, kwargs = keras.tree.map_structure(tensor, (call.arguments.args, call.arguments.kwargs))
        shapes = tuple(tuple(output.shape) for output in call.outputs)
        node = Node(keys[identity], call.operation.name, args, kwargs, shapes)
        nodes[node.key] = node
        if node.layer not in layers:
            operation = call.operation
            if id(operation) not in identities:
                spec = _spec(operation, identities, owners)
                identities[id(operation)] = LayerIdentity(spec)
                _refuse_tied_weights(operation, spec, owners)
            own[node.layer] = identities[id(operation)]
            layers[node.layer] = own[node.layer].spec
    return Graph(
        name=model.name,
        kind=type(model),
        nodes=nodes,
        layers=layers,
        inputs=keras.tree.map_structure(tensor, network.input),
        outputs=keras.tree.map_structure(tensor, network.output),
        trainable=bool(model.trainable),
        dtype=str(model.dtype_policy.name),
        attributes=own_attributes(model),
        identities=own,
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


def _refuse_tied_weights(operation: Any, spec: LayerSpec, owners: dict[int, Any]) -> None:
    """Refuses weights that two layers have in common, as a wrapped layer has that stands elsewhere too."""
    if spec.inner is not None:
        return
    for weight in getattr(operation, "weights", ()):
        owner = owners.setdefault(id(weight), operation)
        if owner is not operation:
            raise NetworkError(
                f"Layers '{owner.name}' ({type(owner).__name__}) and '{operation.name}' ({type(operation).__name__}) "
                f"share the weight '{weight.path}', which a network built again would have twice. Call one layer in "
                "both places."
            )


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
    return _spec(operation, {}, {})


def _spec(operation: Any, identities: dict[int, LayerIdentity], owners: dict[int, Any]) -> LayerSpec:
    weighted = bool(getattr(operation, "weights", ()))
    if type(operation) in _WRAPPERS and type(operation.layer) not in _WRAPPERS:
        wrapper = LayerSpec(operation.name, type(operation), _wrapper_config(operation), weighted)
        inside = _spec(operation.layer, identities, owners)
        return replace(inside, name=operation.name, wrapper=wrapper, origin=operation)
    if isinstance(operation, keras.Sequential) or _is_graph(operation):
        return LayerSpec(operation.name, type(operation), {}, weighted, inner=_read(operation, identities, owners))
    try:
        config = layer_config(operation)
    except Exception as error:  # NotImplementedError of Keras, or whatever code of the user raises
        if weighted:
            raise NetworkError(
                f"Layer '{operation.name}' ({type(operation).__name__}) cannot be copied: {error} "
                f"{how_to_copy(type(operation))}"
            ) from error
        config = {}
    return LayerSpec(operation.name, type(operation), config, weighted, origin=operation)


def _wrapper_config(wrapper: Any) -> dict[str, Any]:
    """The arguments of a wrapper besides its layer, which Keras may not be able to write."""
    stand_in = object.__new__(type(wrapper))  # not by its constructor; the wrapper itself stays as it is
    vars(stand_in).update(vars(wrapper))
    vars(stand_in)["layer"] = keras.layers.Identity(name="layer")
    return {key: value for key, value in layer_config(stand_in).items() if key != "layer"}
