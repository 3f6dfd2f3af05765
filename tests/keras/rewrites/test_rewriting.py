"""The catalogue, the messages, and the rewriting of whole models."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, present, remove  # noqa: E402

pytestmark = pytest.mark.keras

AWAY = {
    "residual": False,
    "batch_norm": False,
    "bn_placement": "after",
    "separable": False,
    "head": "flatten",
    "bias": True,
    "norm": "group",
    "dropout": False,
    "activation": "linear",
    "pooling": "strided",
    "augmentation": True,
    "without_block": "block2",
}
SIX = ("residual", "batch_norm", "bn_placement", "separable", "head", "bias")
GRID = [
    dict(zip(SIX, levels, strict=True))
    for levels in itertools.product(*(INGREDIENTS[name].levels for name in SIX))
    if levels[1] or (levels[2] == "before" and levels[5] is False)
]


@pytest.fixture(scope="module")
def mini():
    return build({"name": "mini_xception", "filters": [4, 8]}, ModelSignature((8, 8, 1), 3))


@pytest.fixture(scope="module")
def vgg():
    return build({"name": "vgg", "filters": [4, 8], "convolutions": [1, 2]}, ModelSignature((8, 8, 1), 3))


def signature(model):
    """What distinguishes two networks: operations, their connections, shapes of the weights."""
    connections = [
        (type(node.operation).__name__, tuple(t._keras_history.operation.name for t in node.input_tensors))
        for operation in model.operations
        for node in operation._inbound_nodes
    ]
    return repr((connections, [(weight.path, tuple(weight.shape)) for weight in model.weights]))


def one_step(model):
    x = np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype("float32")
    y = np.arange(8) % model.output_shape[-1]
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    before = [weight.numpy() for weight in model.trainable_weights]
    assert np.isfinite(model.train_on_batch(x, y))
    assert any((old != new.numpy()).any() for old, new in zip(before, model.trainable_weights, strict=True))
    return x


def test_all_sixty_cells_build_and_differ(mini):
    assert len(GRID) == 60
    cells = [remove(mini, **levels) for levels in GRID]
    assert {cell.output_shape for cell in cells} == {(None, 3)}
    assert len({signature(cell) for cell in cells}) == 60


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras with NumPy 2
@pytest.mark.parametrize(("name", "level"), AWAY.items())
def test_a_rewritten_network_trains_a_step_and_survives_saving(mini, name, level, tmp_path):
    model = remove(mini, **{name: level})
    x = one_step(model)
    path = tmp_path / "model.keras"
    model.save(path)
    np.testing.assert_array_equal(keras.models.load_model(path).predict(x, verbose=0), model.predict(x, verbose=0))


def test_the_full_form_is_the_model_itself_and_a_rewrite_leaves_it_alone(mini):
    before = signature(mini)
    assert remove(mini, **({name: ingredient.levels[0] for name, ingredient in INGREDIENTS.items()})) is mini
    assert remove(mini, residual=False) is not mini
    assert signature(mini) == before


def test_placement_and_bias_are_void_without_batch_norm(mini):
    void = remove(mini, batch_norm=False, bn_placement="after", bias=True)
    assert signature(void) == signature(remove(mini, batch_norm=False))


def test_every_convolution_has_a_bias_without_batch_norm(mini):
    model = remove(mini, batch_norm=False)
    assert all(layer.use_bias for layer in model.layers if hasattr(layer, "use_bias"))


def test_a_dense_layer_that_fed_a_batch_norm_gets_a_bias_too():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, use_bias=False, name="fed"), layers.BatchNormalization(),
         layers.Dense(2, use_bias=False, name="last")]
    )  # fmt: skip
    without = remove(model, batch_norm=False)
    assert (without.get_layer("fed").use_bias, without.get_layer("last").use_bias) == (True, False)


def test_message_of_an_absent_ingredient(vgg):
    with pytest.raises(NetworkError) as caught:
        remove(vgg, residual=False, separable=False, head="flatten")
    assert str(caught.value) == (
        "`residual` is not present in model 'vgg': no sum of a trunk and its shortcut.\n"
        "`separable` is not present in model 'vgg': no separable or depthwise convolution.\n"
        "Present: batch_norm (3), bn_placement (3), head (1), bias (3), norm (3), dropout (1), activation (3), "
        "pooling (2), without_block (3)."
    )


def test_message_of_a_model_without_ingredients():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="plain")
    with pytest.raises(NetworkError) as caught:
        remove(model, batch_norm=False)
    assert str(caught.value) == (
        "`batch_norm` is not present in model 'plain': no BatchNormalization layer.\nPresent: no known ingredient."
    )


def test_message_of_unknown_ingredients_and_levels(vgg):
    with pytest.raises(NetworkError) as caught:
        remove(vgg, residul=False, head="flat", batch_norm="false", bias=1)
    assert str(caught.value) == (
        "Unknown ingredient 'residul'. Known: residual, batch_norm, bn_placement, separable, head, bias, norm, "
        "squeeze_excite, spatial_attention, groups, dropout, dense_connections, activation, pooling, without_block, "
        "mlp, attention, position, norm_placement, skip, upsampling, bidirectional, augmentation, flip, rotation, "
        "zoom, contrast. Did you mean 'residual'?\n"
        "Unknown level 'flat' of ingredient 'head'. Known: gap, gmp, flatten. Did you mean 'flatten'?\n"
        "Unknown level 'false' of ingredient 'batch_norm'. Known: true, false. Did you mean 'false'?\n"
        "Unknown level 1 of ingredient 'bias'. Known: false, true."
    )


def test_message_of_a_subclassed_model():
    class Net(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(NetworkError) as caught:
        present(Net(name="net"))
    assert str(caught.value) == (
        "Model 'net' (Net) is subclassed: what it computes stands in Python code, not in a graph, so nothing can be "
        "taken out of it. Build it with the functional API; what the function that builds it takes as arguments can be "
        "varied too: `model.builder=my_package.nets.make model.args.residual=true,false`."
    )


def test_message_of_a_head_whose_maps_have_no_fixed_size():
    inputs = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x), name="free")
    with pytest.raises(NetworkError) as caught:
        remove(model, head="flatten")
    assert str(caught.value) == (
        "`head` cannot become flatten in model 'free': layer 'pool' gets maps of no fixed size (None, None, 4). "
        "Build the model with a fixed input shape."
    )


def test_a_pooling_that_is_the_output_or_goes_back_to_a_map_is_no_head():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(inputs)
    assert present(keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(x))))["head"] == 0
    gate = layers.Reshape((1, 1, 4))(layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))
    assert present(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x * gate))))["head"] == 0


def test_head_with_its_dense_layers_in_a_nested_model():
    classifier = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(2)], name="classifier")
    inputs = keras.Input((6, 6, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    flat = remove(keras.Model(inputs, classifier(x)), head="flatten")
    assert flat.get_layer("classifier").input_shape == (None, 64)


def test_nested_and_shared_models_are_taken_apart_once():
    """A tower that two images pass, as in a siamese network."""
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs))
    tower = keras.Model(inputs, layers.ReLU(name="relu")(x), name="tower")
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    merged = layers.Subtract()([tower(left), tower(right)])
    pooled = layers.GlobalAveragePooling2D()(merged)
    model = keras.Model([left, right], layers.Dense(2, name="classifier")(pooled))
    assert present(model, {name: INGREDIENTS[name] for name in SIX}) == dict(zip(SIX, (0, 1, 1, 0, 1, 1), strict=True))
    without = remove(model, batch_norm=False)
    assert [layer.name for layer in without.get_layer("tower").layers[1:]] == ["conv", "relu"]
    # 3*3*3*4 weights and 4 biases of the tower, 4*2 weights and 2 biases of the classifier
    assert without.count_params() == 112 + 10
    image = np.ones((1, 8, 8, 3), "float32")
    np.testing.assert_array_equal(without([image, image]), without.get_layer("classifier").bias[None])


def test_frozen_layers_stay_frozen_and_number_format_stays():
    inputs = keras.Input((8, 8, 3))
    x = layers.SeparableConv2D(4, 3, name="body", dtype="mixed_float16", trainable=False)(inputs)
    x = layers.GlobalAveragePooling2D(dtype="mixed_float16")(x)
    model = keras.Model(inputs, layers.Dense(2, dtype="float32")(x))
    body = remove(model, separable=False, head="flatten").get_layer("body")
    assert (type(body), body.trainable, body.dtype_policy.name) == (layers.Conv2D, False, "mixed_float16")


def test_several_outputs():
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(4, 3, name="conv")(inputs))
    model = keras.Model(inputs, {"map": x, "class": layers.Dense(2)(layers.GlobalAveragePooling2D()(x))})
    without = remove(model, batch_norm=False, head="flatten")
    assert {name: tensor.shape for name, tensor in without.output.items()} == {
        "map": (None, 6, 6, 4),
        "class": (None, 2),
    }


def test_depthwise_written_as_groups_becomes_plain():
    inputs = keras.Input((8, 8, 6))
    x = layers.Conv2D(6, 5, padding="same", groups=6, name="depthwise")(inputs)
    model = keras.Model(inputs, layers.Conv2D(8, 1, groups=2)(x))
    assert present(model)["separable"] == 1
    assert remove(model, separable=False).get_layer("depthwise").kernel.shape == (5, 5, 6, 6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_network_in_mixed_precision_keeps_its_number_formats(policy):
    keras.config.set_dtype_policy(policy)
    try:
        full = build({"name": "mini_xception", "filters": [4, 8]}, ModelSignature((8, 8, 1), 3))
    finally:
        keras.config.set_dtype_policy("float32")
    levels = {"residual": False, "separable": False, "norm": "group", "activation": "gelu", "pooling": "strided"}
    for model in (remove(full, **levels), remove(full, batch_norm=False, head="flatten")):
        formats = {layer.name: layer.dtype_policy.name for layer in model.layers[1:]}
        assert formats.pop("classifier") == "float32"
        assert set(formats.values()) == {policy}
        one_step(model)


def test_several_inputs_and_outputs_keep_their_structure():
    image, facts = keras.Input((8, 8, 3), name="image"), keras.Input((4,), name="facts")
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image))
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), facts])
    model = keras.Model({"image": image, "facts": facts}, {"a": layers.Dense(2)(x), "b": [layers.Dense(1)(x)]})
    without = remove(model, batch_norm=False, augmentation=True)
    given = {"image": np.ones((2, 8, 8, 3), "float32"), "facts": np.ones((2, 4), "float32")}
    told = without(given, training=False)
    assert {"a": told["a"].shape, "b": told["b"][0].shape} == {"a": (2, 2), "b": (2, 1)}
