"""Frees the memory that TensorFlow holds of networks that are no longer used.

A network of the default study left 19 MB behind when the next one was compiled. Python's garbage collector cannot free
them: a global table of gradients refers to the graph of the train step, and a cache holds an operation for each
variable.
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

_PREFIX = "CustomGradient-"
_FUNCTION = "type"


def free_unused_graphs() -> None:
    """Frees what only TensorFlow still refers to: graphs with custom gradients, and operations that ran once.

    Graphs in use stay. A model is freed only if nothing refers to it any more.
    """
    _tie_gradients()
    gc.collect()
    # The operations that create and read a variable carry its name, so that none is ever used again. Another version of
    # TensorFlow may have no such cache: memory grows then, and training goes on.
    clear = getattr(context.context(), "clear_kernel_cache", None)
    if clear is not None:
        clear()


def _tie_gradients() -> None:
    """Ties the lifetime of the gradients that TensorFlow registered for a graph to that graph.

    ``tf.custom_gradient`` registers a function under a new name for each call within a trace, for ever; through the
    closure of the function the table refers to the whole graph. Optimizers use one, and so does ``tf.nn.silu``.
    """
    table: dict[str, dict[str, Any]] = getattr(ops.gradient_registry, "_registry", {})
    for name in [name for name in table if name.startswith(_PREFIX)]:
        function = table[name][_FUNCTION]
        graph = None if isinstance(function, _WeakGradient) else _graph_of(function)
        if graph is None:
            continue
        graph.own_gradients = [*getattr(graph, "own_gradients", ()), function]
        table[name] = table[name] | {_FUNCTION: _WeakGradient(function)}
        weakref.finalize(graph, table.pop, name, None).atexit = False


class _WeakGradient:
    """A gradient function that is referred to by its graph alone.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = weakref.ref(function)

    def __call__(self, *arguments: Any) -> Any:
        function = self._function()
        if function is None:
            raise LookupError("The graph of this gradient is gone.")
        return function(*arguments)


def _graph_of(function: Callable[..., Any]) -> Any:
    """The graph that a registered gradient belongs to, or ``None`` if it refers to none."""
    inner = _closure(function).get("tape_grad_fn")
    results = tf.nest.flatten(_closure(inner).get("result")) if inner is not None else []
    return next((tensor.graph for tensor in results if isinstance(getattr(tensor, "graph", None), tf.Graph)), None)


def _closure(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The variables in the closure of a function, by name."""
    return inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}
