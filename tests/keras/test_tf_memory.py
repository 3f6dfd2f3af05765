from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from tensorflow.python.framework import func_graph, ops  # noqa: E402

from ablate.keras.compiled import clear_models  # noqa: E402
from ablate.keras.tf_memory import free_unused_graphs  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def graphs():
    gc.collect()
    return sum(isinstance(thing, func_graph.FuncGraph) for thing in gc.get_objects())


def gradients():
    return {name for name in ops.gradient_registry.list() if name.startswith("CustomGradient-")}


def traced(graph_of):
    """A function with a gradient of its own; its graph goes to the list."""

    @tf.function(autograph=False)
    def swish(number):
        answer = tf.nn.silu(number)
        graph_of.append(weakref.ref(answer.graph))
        return answer

    return swish


def slope(function, number):
    with tf.GradientTape() as tape:
        tape.watch(number)
        answer = function(number)
    return float(tape.gradient(answer, number))


def test_a_graph_with_a_gradient_of_its_own_goes_when_nobody_uses_it():
    before, graph = gradients(), []
    function = traced(graph)
    function(tf.constant(1.0))
    del function
    gc.collect()
    assert graph[0]() is not None  # what TensorFlow does by itself
    assert gradients() > before
    free_unused_graphs()
    assert graph[0]() is None
    assert gradients() <= before


def test_a_graph_in_use_keeps_its_gradients():
    graph = []
    function = traced(graph)
    number = tf.constant(1.0)
    function(number)
    free_unused_graphs()
    free_unused_graphs()
    assert graph[0]() is not None
    sigmoid = 1 / (1 + np.exp(-1.0))
    assert slope(function, number) == pytest.approx(sigmoid * (1 + 1 - sigmoid), rel=1e-6)


def test_cells_in_turn_leave_no_graphs_behind(tiny, tmp_path):
    cells = [{}, {"residual": False}, {"batch_norm": False}, {"head": "flatten"}]
    clear_models()
    start, found = gradients(), []
    for place, cell in enumerate(cells):
        train(tiny(**cell, train={"epochs": 1}), RunFolder(tmp_path / str(place)))
        found.append(graphs())
    clear_models()
    assert found[1] > found[0]  # two networks are kept, and no more
    assert found[1] == found[2] == found[3]
    assert gradients() <= start
