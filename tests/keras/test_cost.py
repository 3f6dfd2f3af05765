"""What networks cost."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.capacity import capacity_note, refuse_beyond  # noqa: E402
from ablate.keras.cost import COLUMNS, costs, disagreements, flops, weights  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.graph_writer import sketch  # noqa: E402
from ablate.keras.ingredients import ablated_graph  # noqa: E402

pytestmark = pytest.mark.keras


def one_layer(kind):
    """The lecture's example: 3x3, 64 to 64 channels, no bias."""
    inputs = keras.Input((16, 16, 64))
    return keras.Model(inputs, kind(64, 3, padding="same", use_bias=False, name="it")(inputs), name=kind.__name__)


def test_the_example_of_the_lecture():
    full, plain = one_layer(layers.SeparableConv2D), one_layer(layers.Conv2D)
    assert (weights(full), weights(plain)) == (4_672, 36_864)
    # a multiplication and an addition for each weight and place
    assert (flops(full), flops(plain)) == (2 * 16 * 16 * 4_672, 2 * 16 * 16 * 36_864)


def test_a_sketch_has_the_weights_and_operations_of_the_network_without_any_memory():
    full = one_layer(layers.SeparableConv2D)
    without = sketch(ablated_graph(full, {"separable": False}))
    assert (weights(without), flops(without)) == (36_864, 2 * 16 * 16 * 36_864)
    assert all(weight._value is None for weight in without.weights)
    with keras.StatelessScope():
        pass
    assert all(weight._value is None for weight in without.weights)


def test_costs_stand_beside_those_of_the_first():
    models = {"full": one_layer(layers.SeparableConv2D), "plain": one_layer(layers.Conv2D)}
    frame = costs(models, batch_size=2, rounds=3)
    assert list(frame["model"]) == ["full", "plain"]
    assert list(frame.columns) == ["model", *COLUMNS, *(f"{column}_ratio" for column in COLUMNS)]
    assert frame["weights_ratio"].tolist() == pytest.approx([1, 36_864 / 4_672])
    assert frame["flops_ratio"].tolist() == pytest.approx([1, 36_864 / 4_672])
    assert frame["activations"].tolist() == [2 * 16 * 16 * 64] * 2
    assert frame["seconds_ratio"].iloc[0] == 1
    assert (frame["seconds"] > 0).all()


def test_theory_and_machine_disagree():
    frame = costs({"a": one_layer(layers.Conv2D)}, batch_size=1, rounds=1)
    rows = frame.loc[[0, 0, 0]].assign(model=["a", "b", "c"], flops_ratio=[1, 8, 8], seconds_ratio=[1.2, 7, 2.0])
    assert disagreements(rows).to_dict("list") == {"model": ["c"], "theory": [8], "machine": [2.0]}


def test_no_model_and_no_fixed_size():
    with pytest.raises(NetworkError, match=r"^Costs are those of at least one model; received none\.$"):
        costs({})
    inputs = keras.Input((None, None, 3), name="image")
    with pytest.raises(NetworkError) as caught:
        flops(keras.Model(inputs, layers.Conv2D(2, 3)(inputs), name="free"))
    assert str(caught.value) == "Operations of model 'free' cannot be counted: input image has no fixed size."


def test_capacity():
    assert capacity_note("separable=false", 300, 100) is None
    assert capacity_note("separable=false", 1_550, 100) == (
        "separable=false is a change of capacity too: 16 times the weights of the full network (1,550 against 100)."
    )
    refuse_beyond("head=flatten", 1000, budget=16_000)
    with pytest.raises(NetworkError) as caught:
        refuse_beyond("head=flatten", 10**9, budget=2**30)
    assert str(caught.value) == (
        "head=flatten makes a network of 1,000,000,000 weights, which needs at least 14.9 GiB to train; 1.0 GiB may be "
        "used. Use smaller images, or leave it out."
    )


def test_a_network_beyond_all_memory_is_counted_without_being_made():
    inputs = keras.Input((512, 512, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(64, 3, padding="same")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(1000)(x)))
    huge = sketch(ablated_graph(model, {"head": "flatten"}))
    assert weights(huge) > 512 * 512 * 64 * 1000
    assert len(graph_of(huge).nodes) == len(graph_of(model).nodes)
    # What Keras makes up for later must not be this.
    layers.Dense(2)(keras.Input((3,)))
    assert all(weight._value is None for weight in huge.weights)
