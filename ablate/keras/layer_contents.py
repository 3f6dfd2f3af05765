"""What a layer of the user computes and holds, as graphs to look into: nothing in them can be rewritten.

The code of such a layer is called once on symbolic tensors, which records the same graph as a functional model has.
Where that is impossible (the code works on numbers alone), and for layers that it leaves aside, each layer held is a
graph of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import keras

from ablate.keras.fresh_names import with_fresh_names
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape, Tensor, substituted, tensors_in
from ablate.keras.graph_reader import graph_of, layer_spec
from ablate.keras.layer_config import create_layer
from ablate.keras.layer_spec import LayerSpec

_results: WeakKeyDictionary[Any, _Contents] = WeakKeyDictionary()


def contents(graph: Graph, layer: LayerSpec) -> tuple[Graph, ...]:
    """The graphs of what a layer of the user computes and holds; none for other layers.

    Args:
        graph: The graph in which it is called.
        layer: Any layer of it.

    Returns:
        Graphs that end with a layer with weights: as within a network, what they end with is not the end of it.
    """
    return _read(graph, layer).graphs if layer.is_custom else ()


def is_unseen(graph: Graph, layer: LayerSpec) -> bool:
    """Whether it is a layer of the user whose code cannot be recorded.

    Args:
        graph: The graph in which it is called.
        layer: Any layer of it.
    """
    return layer.is_custom and not _read(graph, layer).recorded


@dataclass(frozen=True)
class _Contents:
    graphs: tuple[Graph, ...]
    recorded: bool


def _read(graph: Graph, layer: LayerSpec) -> _Contents:
    holder = layer.unwrapped_origin
    if holder not in _results:
        traced = _traced(graph, layer)
        graphs = _graphs(holder, None) if traced is None else _graphs(*traced)
        _results[holder] = _Contents(tuple(map(_continued, graphs)), traced is not None)
    return _results[holder]


def _graphs(holder: Any, recorded: Graph | None) -> Iterator[Graph]:
    """The recorded graph, and the layers that it leaves aside, one by one."""
    seen: set[int] = set()
    if recorded is not None:
        names = {one.name for one in recorded.layers.values() if one.inner is not None}
        seen |= {id(one.origin) for one in recorded.layers.values()}
        seen |= {id(one) for one in holder._flatten_layers() if one.name in names}
        yield recorded
    for sublayer in holder._flatten_layers(include_self=False, recursive=False):
        if id(sublayer) not in seen:
            yield _single(layer_spec(sublayer))


def _traced(graph: Graph, layer: LayerSpec) -> tuple[Any, Graph] | None:
    """A copy of the layer, and the graph of its code; None if that cannot be recorded."""
    node = graph.calls(layer.name)[0]

    def record() -> tuple[Any, Graph]:
        # As in a sketch, weights are not created: they are not needed.
        with keras.StatelessScope(initialize_variables=False):
            copied = create_layer(layer.kind, layer.config)
            inputs = {tensor: _input(graph.shape(tensor), layer) for tensor in dict.fromkeys(node.inputs)}
            args, kwargs = substituted((node.args, dict(node.kwargs)), inputs)
            copied(*args, **kwargs)
            if "training" in inspect.signature(copied.call).parameters:
                kwargs["training"] = True
            outputs = keras.tree.flatten(copied.call(*args, **kwargs))
            model = keras.Model(list(inputs.values()), [one for one in outputs if isinstance(one, keras.KerasTensor)])
            return copied, graph_of(model)

    try:
        return with_fresh_names(record)
    except Exception:  # of the user's code, which may need numbers
        return None


def _input(shape: Shape, layer: LayerSpec) -> Any:
    in_time = layer.wrapper is not None and layer.wrapper.is_a("TimeDistributed")
    return keras.Input(batch_shape=(shape[0], *shape[2:]) if in_time else shape)


def _single(layer: LayerSpec) -> Graph:
    """The graph of a layer by itself, on a tensor of unknown shape."""
    shape: Shape = (None, None, None, None)
    source = LayerSpec("input", keras.layers.InputLayer, {}, weighted=False)
    start = Node("input", "input", (), {}, (shape,))
    node = Node(layer.name, layer.name, (start.output,), {}, (shape,))
    return Graph(
        layer.name, keras.Model, {node.key: node, "input": start}, {layer.name: layer, "input": source},
        start.output, node.output,
    )  # fmt: skip


class _Rest(keras.layers.Layer):
    """What follows in the network."""


def _continued(graph: Graph) -> Graph:
    outputs = tensors_in(graph.outputs)
    rest = LayerSpec("rest of the network", _Rest, {}, weighted=True)
    end = Node(rest.name, rest.name, outputs, {}, (graph.shape(outputs[0]),))
    return replace(
        graph, nodes={**graph.nodes, end.key: end}, layers={**graph.layers, rest.name: rest}, outputs=Tensor(end.key)
    )
