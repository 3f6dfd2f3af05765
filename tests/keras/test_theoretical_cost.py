"""What networks cost."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.costing import _batch, _groups, in_turn, measure  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.graph_writer import sketch  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.rewrites import ablated_graph  # noqa: E402
from ablate.keras.theoretical_cost import activations, capacity_note, flops, refuse_too_large  # noqa: E402

pytestmark = pytest.mark.keras


def one_layer(kind):
    """The lecture's example: 3x3, 64 to 64 channels, no bias."""
    inputs = keras.Input((16, 16, 64))
    return keras.Model(inputs, kind(64, 3, padding="same", use_bias=False, name="it")(inputs), name=kind.__name__)


def test_the_example_of_the_lecture():
    full, plain = one_layer(layers.SeparableConv2D), one_layer(layers.Conv2D)
    assert (full.count_params(), plain.count_params()) == (4_672, 36_864)
    # a multiplication and an addition for each weight and place
    assert (flops(full), flops(plain)) == (2 * 16 * 16 * 4_672, 2 * 16 * 16 * 36_864)
    assert activations(full) == activations(plain) == 2 * 16 * 16 * 64


def test_a_sketch_has_the_weights_and_operations_of_the_network_without_any_memory():
    full = one_layer(layers.SeparableConv2D)
    without = sketch(ablated_graph(full, {"separable": False}))
    assert (without.count_params(), flops(without)) == (36_864, 2 * 16 * 16 * 36_864)
    assert all(weight._value is None for weight in without.weights)
    with keras.StatelessScope():
        pass
    assert all(weight._value is None for weight in without.weights)


def test_what_is_timed_runs_in_turn():
    order = []
    seconds = in_turn([lambda: order.append("a"), lambda: order.append("b")], seconds=0.0, least=3)
    assert seconds.shape == (3, 2)
    # twice to be built, then every second round backwards
    assert "".join(order) == "abab" + "ab" + "ba" + "ab"
    assert in_turn([lambda: None], seconds=60.0, most=5).shape == (5, 1)


def test_cells_are_measured_beside_the_full_network(tiny, monkeypatch):
    monkeypatch.setattr("ablate.keras.costing._SECONDS", 0.0)
    full, wrong, plain = measure([tiny(), tiny(squeeze_excite=False), tiny(separable=False)])
    assert (full["weights"], full["batch"]) == (check([tiny()])[0]["weights"], 32)
    for name in ("weights", "flops", "activations", "latency", "step"):
        assert full[f"{name}_ratio"] == 1
        assert plain[f"{name}_ratio"] > 0
    assert plain["flops_ratio"] == plain["flops"] / full["flops"] > 1
    assert plain["activations_ratio"] == 1
    assert wrong["error"].startswith("`squeeze_excite` is not present in model 'mini_xception'")
    assert list(wrong) == ["error"]


def test_without_the_full_network_there_is_nothing_to_compare_with(tiny):
    first, second = measure([tiny(squeeze_excite=False), tiny()])
    assert first["error"].startswith("`squeeze_excite` is not present")
    assert second == {"error": "The reference cell cannot be measured."}


def test_large_networks_are_timed_on_fewer_images(tiny):
    assert [_batch(tiny(), {"flops": flops}) for flops in (10**6, 2 * 10**9, 10**11)] == [32, 10, 1]
    assert _batch(tiny(), {}) == 32


def test_memory_bounds_how_many_networks_are_timed_together(monkeypatch):
    monkeypatch.setattr("ablate.keras.costing.total_memory", lambda: 16 * 4 * 300)
    rows = [{"weights": weights} for weights in (100, 90, 90, 150, 500, 20)]
    assert list(_groups([*rows[:2], {"error": "no"}, *rows[2:]])) == [[1], [3], [4], [5], [6]]
    monkeypatch.setattr("ablate.keras.costing.total_memory", lambda: 16 * 4 * 1500)
    assert list(_groups(rows)) == [[1, 2], [3, 4], [5]]


def test_no_fixed_size():
    inputs = keras.Input((None, None, 3), name="image")
    with pytest.raises(NetworkError) as caught:
        flops(keras.Model(inputs, layers.Conv2D(2, 3)(inputs), name="free"))
    assert str(caught.value) == "Operations of model 'free' cannot be counted: input image has no fixed size."


def test_capacity():
    assert capacity_note("separable=false", 300, 100) is None
    assert capacity_note("separable=false", 1_550, 100) == (
        "separable=false is a change of capacity too: 16 times the weights of the full network (1,550 against 100)."
    )
    refuse_too_large("head=flatten", 1000, budget=16_000)
    with pytest.raises(NetworkError) as caught:
        refuse_too_large("head=flatten", 10**9, budget=2**30)
    assert str(caught.value) == (
        "head=flatten makes a network of 1,000,000,000 weights, which needs at least 14.9 GiB to train; 1.0 GiB may be "
        "used. Use smaller images, or leave it out."
    )


def test_a_network_beyond_all_memory_is_counted_without_being_made():
    inputs = keras.Input((512, 512, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(64, 3, padding="same")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(1000)(x)))
    huge = sketch(ablated_graph(model, {"head": "flatten"}))
    assert huge.count_params() > 512 * 512 * 64 * 1000
    assert len(graph_of(huge).nodes) == len(graph_of(model).nodes)
    # What Keras makes up for later must not be this.
    layers.Dense(2)(keras.Input((3,)))
    assert all(weight._value is None for weight in huge.weights)
