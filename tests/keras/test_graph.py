"""A functional model read, edited and built again."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.graph_node import Tensor  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.graph_writer import model_of  # noqa: E402

pytestmark = pytest.mark.keras


class Scale(layers.Layer):
    """A layer with a weight whose argument neither Keras nor its attributes say."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.number = factor[0]

    def build(self, shape):
        self.weight = self.add_weight(shape=(shape[-1],), name="weight")

    def call(self, x):
        return x * self.weight * self.number


def plain():
    inputs = keras.Input((4,), name="x")
    shared = layers.Dense(4, name="shared")
    x = layers.ReLU(name="relu")(shared(inputs))
    x = shared(x)
    first, second = ops.split(x, 2, axis=-1)
    x = layers.Concatenate(name="join")([second, first]) + 3.0
    return keras.Model(inputs, layers.Dense(2, name="last")(x[:, 1:]), name="plain")


def attention():
    inputs = keras.Input((5, 4), name="x")
    x = layers.MultiHeadAttention(2, 2, name="attention")(inputs, value=inputs, use_causal_mask=True)
    return keras.Model(inputs, layers.LayerNormalization(name="norm")(x))


def nested():
    inputs = keras.Input((4,), name="x")
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="dense"), layers.ReLU()], name="inner")
    start = keras.Input((4,), name="start")
    other = keras.Model(start, layers.Dense(4, name="dense")(start), name="other")
    return keras.Model(inputs, {"a": other(inner(inputs)), "b": inner(other(inputs, training=False))})


def sequential():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")], name="stack")


def with_lambda():
    inputs = keras.Input((4,), name="x")
    return keras.Model(inputs, layers.Lambda(lambda x: x**2, name="square")(layers.Dense(2, name="a")(inputs)))


@pytest.mark.parametrize("make", [plain, attention, nested, sequential, with_lambda])
def test_a_model_read_and_built_again_is_the_same(make):
    model = make()
    again = model_of(graph_of(model))
    assert [layer.name for layer in again.layers if layer.weights] == [x.name for x in model.layers if x.weights]
    assert len(copied_weights(model, again)) == len(model.weights)
    x = np.random.default_rng(0).normal(size=(3, *model.inputs[0].shape[1:])).astype("float32")
    for found, expected in zip(keras.tree.flatten(again(x)), keras.tree.flatten(model(x)), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert not {id(layer) for layer in model.layers if layer.weights} & {id(layer) for layer in again.layers}


def test_nodes_of_a_shared_layer():
    graph = graph_of(plain())
    assert [node.key for node in graph.calls("shared")] == ["shared", "shared#1"]
    assert [node.key for node in graph.producers(graph.nodes["shared#1"])] == ["relu"]
    assert graph.sole_consumer(graph.nodes["shared"]).key == "relu"
    assert graph.sole_consumer(graph.nodes["last"]) is None
    assert graph.ancestors(graph.nodes["shared#1"]) == {"x", "shared", "relu"}
    split = graph.producers(graph.nodes["join"])[0].key
    assert graph.nodes["join"].inputs == (Tensor(split, 1), Tensor(split, 0))
    assert graph.shape(Tensor(split, 1)) == (None, 2)
    assert graph.is_output(graph.nodes["last"])


def test_a_layer_used_in_another_model_too_counts_only_its_own_calls():
    dense = layers.Dense(4, name="dense")
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    keras.Model(one, dense(one))
    model = keras.Model(two, dense(two))
    assert list(graph_of(model).nodes) == ["two", "dense"]


def test_edits_leave_the_graph_alone_and_drop_what_nothing_needs():
    graph = graph_of(plain())
    split = graph.producers(graph.nodes["join"])[0].key
    edited = graph.edited(tensors={Tensor("join"): Tensor("shared#1")})
    assert split in graph.nodes
    assert split not in edited.nodes
    assert split not in edited.layers
    assert model_of(edited).output_shape == (None, 2)


def test_swapped_neighbours():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b"), layers.Dense(2, name="c")]
    )
    graph = graph_of(model)
    swapped = model_of(graph.swapped(graph.nodes["a"], graph.nodes["b"]))
    assert [layer.name for layer in swapped.layers[1:]] == ["b", "a", "c"]
    at_the_end = model_of(graph.swapped(graph.nodes["b"], graph.nodes["c"]))
    assert [layer.name for layer in at_the_end.layers[1:]] == ["a", "c", "b"]


def test_without_several_nodes_in_a_row():
    graph = graph_of(keras.Sequential([keras.Input((4,)), *(layers.ReLU(name=name) for name in "abcd")]))
    rest = graph.without([graph.nodes[key] for key in "bcd"])
    assert list(rest.nodes)[1:] == ["a"]
    assert rest.outputs == Tensor("a")


def test_a_nested_model_without_a_fixed_size_keeps_none():
    image = keras.Input((None, None, 1), name="image")
    tower = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, name="conv")(image)), name="tower")
    small, large = keras.Input((8, 8, 1), name="small"), keras.Input((16, 16, 1), name="large")
    again = model_of(graph_of(keras.Model([small, large], tower(small) + tower(large))))
    assert again.get_layer("tower").input_shape == (None, None, None, 1)


def test_a_subclass_of_the_functional_model_keeps_its_class():
    class Logged(keras.Model):
        def train_step(self, data):
            return super().train_step(data)

    inputs = keras.Input((4,))
    again = model_of(graph_of(Logged(inputs, layers.Dense(2)(inputs), name="logged")))
    assert (type(again), again.name) == (Logged, "logged")


def test_a_sequential_model_needs_its_input_shape():
    with pytest.raises(NetworkError) as caught:
        graph_of(keras.Sequential([layers.Dense(2)], name="open"))
    assert str(caught.value) == (
        "Sequential model 'open' does not know its input shape. Put `keras.Input(shape=...)` in front of its layers."
    )


def test_no_model():
    with pytest.raises(NetworkError, match=r"^A Keras model is needed, not 3 \(int\)\.$"):
        graph_of(3)


def test_a_layer_that_cannot_be_copied_is_named():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Scale(np.ones(1), name="scale")(inputs))
    with pytest.raises(NetworkError) as caught:
        graph_of(model)
    assert "Layer 'scale' (Scale) cannot be copied" in str(caught.value)
    assert "'factor'" in str(caught.value)
    assert "Write `get_config` in Scale" in str(caught.value)


@pytest.mark.parametrize("factor", [np.full(1, 3.0), [3.0]])
def test_a_layer_without_configuration_is_copied_from_its_attributes(factor):
    class Stored(Scale):
        def __init__(self, factor, **kwargs):
            super().__init__(factor, **kwargs)
            self.factor = factor

    inputs = keras.Input((4,))
    again = model_of(graph_of(keras.Model(inputs, Stored(factor, name="scale")(inputs))))
    assert again.get_layer("scale").number == 3.0


def test_an_attribute_that_is_not_the_argument_is_not_taken_for_it():
    class Doubled(Scale):
        def __init__(self, factor, **kwargs):
            super().__init__(factor, **kwargs)
            self.factor = 2 * factor

    inputs = keras.Input((4,))
    with pytest.raises(NetworkError, match="cannot be copied"):
        graph_of(keras.Model(inputs, Doubled(np.full(1, 3.0), name="scale")(inputs)))


def test_an_argument_that_a_configuration_leaves_out_is_not_lost():
    class Forgetful(layers.Dense):
        def __init__(self, units, factor=1.0, **kwargs):
            super().__init__(units, **kwargs)
            self.factor = factor

    inputs = keras.Input((4,))
    again = model_of(graph_of(keras.Model(inputs, Forgetful(2, 5.0, name="dense")(inputs))))
    assert again.get_layer("dense").factor == 5.0


def test_a_layer_whose_configuration_lacks_an_argument_is_named():
    class Partial(Scale):
        def get_config(self):
            return layers.Layer.get_config(self)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, Partial(np.ones(1), name="scale")(inputs))
    with pytest.raises(NetworkError) as caught:
        model_of(graph_of(model))
    assert str(caught.value).startswith("Layer 'scale' (Partial) cannot be created again from its configuration: ")
    assert "Write `get_config` in Partial" in str(caught.value)


def test_a_layer_that_does_not_fit_is_named():
    inputs = keras.Input((4,))
    x = layers.Reshape((2, 2), name="shape")(layers.Dense(4, name="dense")(inputs))
    graph = graph_of(keras.Model(inputs, x, name="net"))
    wrong = graph.edited(layers=[graph.layers["dense"].configured(units=5)])
    with pytest.raises(NetworkError, match=r"^Model 'net' cannot be built again at layer 'shape' \(Reshape\): "):
        model_of(wrong)
