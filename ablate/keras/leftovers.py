"""What TensorFlow keeps of a network that nobody uses any more, and how it goes.

A network of the default study left 19 MB behind when the next one was compiled. Python's collector cannot take them:
a global table of gradients holds the graph of the train step, and a cache holds an operation for each variable.
"""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

__all__ = ["clear_leftovers"]

_PREFIX = "CustomGradient-"
_FUNCTION = "type"


def clear_leftovers() -> None:
    """Frees what only TensorFlow still holds: graphs with gradients of their own, and operations run once.

    What is in use stays in use. A model that is to be freed must not be referred to any more.
    """
    _tie_gradients()
    gc.collect()
    # Variables are made and read by operations that carry the variable's name, so none is ever used again. Another
    # version of TensorFlow may have no such cache: memory grows then, and training goes on.
    clear = getattr(context.context(), "clear_kernel_cache", None)
    if clear is not None:
        clear()


def _tie_gradients() -> None:
    """Lets gradients that TensorFlow registered for a graph live as long as that graph.

    ``tf.custom_gradient`` registers a function by a name of its own for each call within a trace, for ever; through the
    function's closure the table holds the whole graph. Optimizers use one, and so does ``tf.nn.silu``.
    """
    table: dict[str, dict[str, Any]] = getattr(ops.gradient_registry, "_registry", {})
    for name in [name for name in table if name.startswith(_PREFIX)]:
        function = table[name][_FUNCTION]
        graph = None if isinstance(function, _Tied) else _graph_of(function)
        if graph is None:
            continue
        graph.own_gradients = [*getattr(graph, "own_gradients", ()), function]
        table[name] = table[name] | {_FUNCTION: _Tied(function)}
        weakref.finalize(graph, table.pop, name, None).atexit = False


class _Tied:
    """A gradient function that its graph keeps alive.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = weakref.ref(function)

    def __call__(self, *given: Any) -> Any:
        function = self._function()
        if function is None:
            raise LookupError("The graph of this gradient is gone.")
        return function(*given)


def _graph_of(function: Callable[..., Any]) -> Any:
    """The graph that a registered gradient belongs to, or None if it holds no graph."""
    inner = _held(function).get("tape_grad_fn")
    results = tf.nest.flatten(_held(inner).get("result")) if inner is not None else []
    return next((tensor.graph for tensor in results if isinstance(getattr(tensor, "graph", None), tf.Graph)), None)


def _held(function: Callable[..., Any]) -> Mapping[str, Any]:
    """What the closure of a function holds, by name."""
    return inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}
