"""The ingredients beside the six of the default study: found, and taken away as a person would do it by hand."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, catalogue, present, remove  # noqa: E402
from ablate.keras.rewrites.norm import groups  # noqa: E402

pytestmark = pytest.mark.keras


def same_function(rewritten, by_hand):
    """Both have the same weights and, after copying them over, the same outputs."""
    rng = np.random.default_rng(0)
    for weight in rewritten.weights:
        if "seed" not in weight.name:
            weight.assign(rng.uniform(0.5 if weight.path.endswith("variance") else -0.5, 1.0, weight.shape))
    numbers = [weight for weight in by_hand.weights if "seed" not in weight.name]
    assert rewritten.count_params() == by_hand.count_params()
    assert len([path for path in copied_weights(rewritten, by_hand) if "seed" not in path]) == len(numbers)
    x = rng.normal(size=(2, *rewritten.inputs[0].shape[1:])).astype("float32")
    np.testing.assert_allclose(rewritten(x, training=False), by_hand(x, training=False), rtol=1e-5, atol=1e-5)


def functional(body, shape=(8, 8, 4), classes=3, name="net"):
    inputs = keras.Input(shape)
    x = layers.GlobalAveragePooling2D(name="pool")(body(inputs))
    return keras.Model(inputs, layers.Dense(classes, name="classifier")(x), name=name)


def conv(x, filters, kernel=3, name=None, **kwargs):
    return layers.Conv2D(filters, kernel, padding="same", name=name, **kwargs)(x)


# Squeeze and excitation -----------------------------------------------------------------------------------------------


def gated(kind, on=True):
    def body(x):
        x = conv(x, 6, name="a", activation="relu")
        if on:
            if kind == "dense":
                gate = layers.GlobalAveragePooling2D()(x)
                gate = layers.Dense(6, "sigmoid", name="up")(layers.Dense(2, "relu", name="down")(gate))
                gate = layers.Reshape((1, 1, 6))(gate)
            elif kind == "ops":
                gate = ops.sigmoid(layers.Dense(6, name="up")(ops.mean(x, axis=(1, 2), keepdims=True)))
            else:
                gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
                gate = conv(conv(gate, 2, 1, "down", activation="relu"), 6, 1, "up", activation="sigmoid")
            x = x * gate if kind == "ops" else layers.Multiply()([gate, x])
        return conv(x, 4, name="b")

    return functional(body)


@pytest.mark.parametrize("kind", ["dense", "conv", "ops"])
def test_squeeze_excite(kind):
    full = gated(kind)
    assert present(full)["squeeze_excite"] == 1
    assert present(full)["head"] == 1
    without = remove(full, squeeze_excite=False)
    assert present(without)["squeeze_excite"] == 0
    same_function(without, gated(kind, on=False))


def test_products_that_are_no_squeeze_excite():
    def body(x):
        a, b = conv(x, 4), conv(x, 4)
        spatial = conv(a, 1, 7, activation="sigmoid")
        pooled = layers.GlobalAveragePooling2D(keepdims=True)(b)
        return a * spatial + a * pooled + a * conv(layers.GlobalAveragePooling2D(keepdims=True)(b), 4, 1) * 2.0

    assert present(functional(body))["squeeze_excite"] == 0


# Dense connections ----------------------------------------------------------------------------------------------------


def dense(on=True, flat=False):
    def body(x):
        x = conv(x, 6, name="stem")
        maps = [x]
        for name in "abc":
            fed = layers.Concatenate()(maps) if flat and len(maps) > 1 else x if not flat else maps[-1]
            new = conv(layers.ReLU()(fed), 5, name=name)
            maps = [*maps, new] if on else [new]
            x = layers.Concatenate()([x, new]) if on and not flat else new
        return layers.Concatenate()(maps) if flat and on else x

    return functional(body)


@pytest.mark.parametrize("flat", [False, True])
def test_dense_connections(flat):
    full = dense(flat=flat)
    assert present(full)["dense_connections"] == 3
    without = remove(full, dense_connections=False)
    assert present(without)["dense_connections"] == 0
    same_function(without, dense(on=False))


def test_long_connections_of_u_net_and_no_branches():
    def u_net(x):
        down = conv(layers.MaxPooling2D()(x), 4)
        return layers.Concatenate()([x, layers.UpSampling2D()(down)])

    def inception(x):
        return layers.Concatenate()([conv(x, 2, 1), conv(conv(x, 2, 1), 3), layers.AveragePooling2D(3, 1, "same")(x)])

    assert present(functional(u_net))["dense_connections"] == 1
    assert present(functional(inception))["dense_connections"] == 0


# Normalisation --------------------------------------------------------------------------------------------------------


def normalized(kind):
    made = {
        "batch": layers.BatchNormalization,
        "layer": layers.LayerNormalization,
        "group": lambda **kwargs: layers.GroupNormalization(groups=2, **kwargs),
        "none": None,
    }[kind]

    def body(x):
        x = conv(x, 8, name="a", use_bias=kind == "none")
        x = made(epsilon=0.01, name="norm")(x) if made else x
        return layers.ReLU()(x)

    return functional(body)


@pytest.mark.parametrize("kind", ["layer", "group", "none"])
def test_norm(kind):
    same_function(remove(normalized("batch"), norm=kind), normalized(kind))


def test_norm_back_to_batch_and_its_sites():
    assert present(normalized("layer"))["norm"] == 1
    same_function(remove(normalized("layer"), norm="batch"), normalized("batch"))


def test_a_normalisation_of_a_single_number_is_refused():
    """Of grey images, and of the gate of an attention U-Net, it would leave nothing."""

    def body(x):
        x = layers.BatchNormalization(name="of_images")(x)
        x = layers.BatchNormalization(name="of_features")(conv(x, 8))
        gate = layers.BatchNormalization(name="of_gate")(conv(x, 1, 1))
        return x * ops.sigmoid(gate)

    full = functional(body, shape=(8, 8, 1))
    with pytest.raises(NetworkError, match="norm=layer cannot take the place of of_images, of_gate in model 'net'"):
        remove(full, norm="layer")
    features = remove(full, norm="layer", only={"norm": "of_features"})
    assert isinstance(features.get_layer("of_features"), layers.LayerNormalization)
    grouped = remove(full, norm="group").get_layer("of_gate")
    assert (type(grouped).__name__, grouped.groups) == ("GroupNormalization", 1)  # over all places of its one channel
    vector = [keras.Input((4,)), layers.Dense(1), layers.BatchNormalization(), layers.Dense(2)]
    with pytest.raises(NetworkError, match="norm=group cannot"):
        remove(keras.Sequential(vector), norm="group")


@pytest.mark.parametrize(("channels", "number"), [(64, 16), (128, 32), (8, 2), (3, 1), (6, 1), (40, 10), (1024, 32)])
def test_number_of_groups(channels, number):
    assert groups(channels) == number


# Dropout --------------------------------------------------------------------------------------------------------------


class DropPath(layers.Layer):
    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x, training=None):
        return x * 0.0 if training else x

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


def test_dropout_goes_in_all_its_forms_and_rate_nought_is_none():
    def body(x):
        x = layers.SpatialDropout2D(0.5)(DropPath(0.5, name="path")(x))
        x = layers.Dropout(0.0, name="idle")(layers.Dropout(0.5, noise_shape=(None, 1, 1, 1))(x))
        return layers.MultiHeadAttention(1, 2, dropout=0.5, attention_axes=(1, 2), name="attention")(x, x)

    full = functional(body)
    assert present(full)["dropout"] == 4
    without = remove(full, dropout=False)
    assert present(without)["dropout"] == 0
    assert "idle" in [layer.name for layer in without.layers]
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    np.testing.assert_allclose(without(x, training=True), without(x, training=False), rtol=1e-5)


# Activation -----------------------------------------------------------------------------------------------------------


def activated(kind, gate="sigmoid"):
    def body(x):
        x = layers.Activation(kind, name="first")(conv(x, 4, name="a"))
        x = conv(x, 4, name="b", activation=kind)
        x = x * conv(layers.GlobalAveragePooling2D(keepdims=True)(x), 4, 1, "gate", activation=gate)
        return conv(x, 4, name="c")

    return functional(body)


@pytest.mark.parametrize("kind", ["linear", "gelu", "tanh"])
def test_activation_but_not_gates(kind):
    assert present(activated("relu"))["activation"] == 2
    same_function(remove(activated("relu"), activation=kind), activated(kind))


def test_activation_operations_and_outputs():
    def body(x):
        return layers.PReLU(name="p")(ops.leaky_relu(ops.relu6(conv(x, 4, name="a")), 0.3))

    full = functional(body)
    full = keras.Model(full.input, layers.Softmax()(full.output))
    assert present(full)["activation"] == 3
    without = remove(full, activation="linear")
    assert present(without)["activation"] == 0
    assert [layer.name for layer in without.layers][1:4] == ["a", "pool", "classifier"]


# Pooling --------------------------------------------------------------------------------------------------------------


def pooled(kind):
    made = {
        "max": layers.MaxPooling2D(3, 2, "same", name="down"),
        "average": layers.AveragePooling2D(3, 2, "same", name="down"),
        "strided": layers.Conv2D(6, 3, 2, "same", name="down"),
    }[kind]
    return functional(lambda x: made(conv(x, 6, name="a")))


@pytest.mark.parametrize("kind", ["average", "strided"])
def test_pooling(kind):
    same_function(remove(pooled("max"), pooling=kind), pooled(kind))


def test_subsampling_and_global_pooling_are_no_pooling():
    assert present(functional(lambda x: layers.MaxPooling2D(1, 2)(x)))["pooling"] == 0


# Augmentation ---------------------------------------------------------------------------------------------------------


def test_augmentation_goes_in_front_and_out_again():
    plain = functional(lambda x: conv(x, 4, name="a"), shape=(8, 8, 3))
    full = remove(plain, augmentation=True, rotation=False, zoom=0.5)
    names = [layer.name for layer in full.layers]
    assert names[1:5] == ["augmentation_flip", "augmentation_zoom", "augmentation_contrast", "a"]
    assert full.get_layer("augmentation_zoom").height_factor == 0.5
    assert present(full)["augmentation"] == 3
    same_function(remove(full, augmentation=False), plain)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    full(x, training=True)
    copied_weights(full, plain)
    np.testing.assert_array_equal(full(x, training=False), plain(x, training=False))


def test_one_augmentation_of_a_model_that_has_it():
    full = functional(lambda x: conv(layers.RandomFlip(name="mine")(x), 4), shape=(8, 8, 3))
    assert present(full)["flip"] == 1
    assert present(remove(full, flip=False))["augmentation"] == 0
    with pytest.raises(NetworkError, match=r"^flip=true changes nothing in model 'net': it is like that already\.$"):
        remove(full, flip=True)
    # What may be added is not there, as asked: `zoom=true,false` compares the network with it and as it is.
    assert present(remove(full, zoom=False)) == present(full)


@pytest.mark.parametrize("level", [2, 0, -0.1, "yes", float("nan")])
def test_a_strength_out_of_range(level):
    with pytest.raises(NetworkError, match="Known: built, true, false, a number above 0 and at most 1"):
        remove(functional(lambda x: x), rotation=level)


# Blocks ---------------------------------------------------------------------------------------------------------------


def residual_net(without=None):
    def body(x):
        x = conv(x, 4, name="stem")
        for name, size, strides in (("one", 4, 1), ("two", 6, 2), ("three", 6, 1)):
            shortcut = conv(x, size, 1, f"{name}_projection", strides=strides) if strides > 1 else x
            if name != without:
                y = conv(layers.ReLU(name=f"{name}_relu")(x), size, name=f"{name}_conv", strides=strides)
                x = layers.Add(name=f"{name}_add")([shortcut, y])
            else:
                x = shortcut
        return x

    return functional(body)


@pytest.mark.parametrize("block", ["one", "two", "three"])
def test_a_residual_block_goes_and_its_projection_stays(block):
    same_function(remove(residual_net(), without_block=block), residual_net(block))


def test_a_plain_block_goes_with_what_follows_it():
    vgg = build({"name": "vgg", "filters": [4, 8], "convolutions": [1, 2], "dense": [5]}, ModelSignature((8, 8, 1), 3))
    assert present(vgg)["without_block"] == 4
    without = remove(vgg, without_block="block2_conv1")
    gone = {layer.name for layer in vgg.layers} - {layer.name for layer in without.layers}
    assert gone == {"block2_conv1", "block2_bn1", "block2_relu1"}
    # 3*3*4*8 and four numbers for each of 8 channels fall away; the next kernel sees 4 channels instead of 8
    assert vgg.count_params() - without.count_params() == 288 + 32 + 288


def test_message_of_an_unknown_block():
    with pytest.raises(NetworkError) as caught:
        remove(residual_net(), without_block="tow")
    assert str(caught.value) == (
        "without_block=tow: model 'net' has no such block. Blocks: stem, one, two, three. Did you mean 'two'?"
    )


# Parts of a network ---------------------------------------------------------------------------------------------------


def test_only_some_places():
    full = residual_net()
    without = remove(full, residual=False, only={"residual": "t*"})
    assert [layer.name for layer in without.layers if layer.name.endswith("add")] == ["one_add"]
    with pytest.raises(NetworkError) as caught:
        remove(full, residual=False, only={"residual": ["four*"]})
    assert str(caught.value) == (
        "residual=false changes nothing in model 'net': no place fits only.residual=four*. "
        "Places: one_add, two_add, three_add."
    )
    with pytest.raises(NetworkError, match=r"^only\.residul: there is no ingredient 'residul'\. Did you mean"):
        remove(full, residual=False, only={"residul": "*"})


def test_batch_norm_of_some_places_gives_a_bias_to_their_convolutions_alone():
    full = build({"name": "mini_xception", "filters": [4, 8]}, ModelSignature((8, 8, 1), 3))
    without = remove(full, batch_norm=False, only={"batch_norm": "block1*"})
    assert [layer.name for layer in without.layers if getattr(layer, "use_bias", False)] == [
        "stem_conv",
        "block1_sepconv1",
        "classifier",
    ]
    # each normalised 4 channels: four numbers each go, one bias each comes
    assert full.count_params() - without.count_params() == 2 * (4 * 4 - 4)


# Known forms of the six -----------------------------------------------------------------------------------------------


def test_global_maximum_in_the_head():
    flat = remove(gated("dense"), head="gmp")
    assert type(flat.get_layer("pool")) is layers.GlobalMaxPooling2D
    inputs = keras.Input((8, 8, 3))
    mean = keras.Model(inputs, layers.Dense(2, name="d")(ops.mean(conv(inputs, 4, name="a"), axis=(1, 2))))
    largest = keras.Model(inputs, layers.Dense(2, name="d")(ops.max(conv(inputs, 4, name="a"), axis=[-3, -2])))
    assert present(mean)["head"] == 1
    same_function(remove(mean, head="gmp"), largest)
    assert remove(mean, head="flatten").get_layer("d").kernel.shape == (256, 2)


def test_head_that_closes_a_nested_base():
    base = keras.applications.MobileNet(weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3))
    inputs = keras.Input((64, 64, 3))
    model = keras.Model(inputs, layers.Dense(2, name="d")(layers.Dropout(0.5)(base(inputs))))
    assert present(model)["head"] == 1
    flat = remove(model, head="flatten")
    assert present(flat)["head"] == 0
    assert flat.get_layer("d").kernel.shape == (2 * 2 * 1024, 2)
    assert present(keras.Model(inputs, base(inputs)))["head"] == 0


def test_a_sum_of_three_keeps_the_two_trunks():
    def net(on):
        def body(x):
            trunks = [conv(x, 4, name="a"), conv(x, 4, 5, name="b")]
            return layers.Add()([trunks[0], x, trunks[1]] if on else trunks)

        return functional(body)

    assert present(net(True))["residual"] == 1
    same_function(remove(net(True), residual=False), net(False))


@keras.saving.register_keras_serializable("test")
class PositionEmbedding(layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], name="table")

    def call(self, x):
        return ops.broadcast_to(self.table, ops.shape(x))


def test_an_embedding_of_positions_is_no_trunk():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layers.Dense(2)(inputs + PositionEmbedding()(inputs)))
    assert present(model)["residual"] == 0


def test_batch_norm_and_activation_by_turns_all_change_places():
    layered = [keras.Input((4,)), layers.Dense(4, name="d")]
    for name in "ab":
        layered += [layers.BatchNormalization(name=f"bn_{name}"), layers.ReLU(name=f"relu_{name}")]
    model = keras.Sequential([*layered, layers.Dense(2)])
    assert present(model)["bn_placement"] == 2
    after = remove(model, bn_placement="after")
    assert [layer.name for layer in after.layers][2:6] == ["relu_a", "bn_a", "relu_b", "bn_b"]
    assert present(after)["bn_placement"] == 0


def test_channels_follow_when_several_ingredients_go():
    def body(x):
        x = conv(x, 4, name="stem")
        x = layers.Concatenate()([x, conv(x, 6, name="a")])
        return layers.DepthwiseConv2D(3, padding="same", name="depthwise")(layers.ReLU()(layers.MaxPooling2D()(x)))

    both = remove(functional(body), dense_connections=False, separable=False, pooling="strided")
    assert both.get_layer("depthwise").kernel.shape == (3, 3, 6, 6)


# Messages -------------------------------------------------------------------------------------------------------------


def test_a_change_that_changes_nothing():
    with pytest.raises(NetworkError) as caught:
        remove(pooled("max"), pooling="max")
    assert str(caught.value) == "pooling=max changes nothing in model 'net': it is like that already."


# Own ingredients ------------------------------------------------------------------------------------------------------

OWN = """
from keras import layers
from ablate.keras import Ingredient, Site

class Noise(Ingredient):
    name, description, absence = "noise", "noise on activations", "no GaussianNoise layer"

    def find(self, graph):
        return tuple(Site((node.key,)) for node in graph.find(layers.GaussianNoise))

    def rewrite(self, graph, sites, level):
        return graph.without(graph.nodes[site.nodes[0]] for site in sites)

class Nameless(Noise):
    name = None

thing = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "my_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("own")
def test_an_ingredient_of_the_user():
    known = catalogue({"noise": "my_parts.Noise"})
    assert list(known) == [*INGREDIENTS, "noise"]
    full = functional(lambda x: layers.GaussianNoise(0.1, name="n")(conv(x, 4, name="a")))
    assert present(full, known)["noise"] == 1
    same_function(remove(full, noise=False, ingredients=known), functional(lambda x: conv(x, 4, name="a")))


@pytest.mark.usefixtures("own")
def test_messages_of_ingredients_of_the_user():
    with pytest.raises(NetworkError) as caught:
        catalogue(
            {
                "head": "my_parts.Noise",
                "a": "Noise",
                "b": "my_prats.Noise",
                "c": "my_parts.Noize",
                "d": "my_parts.thing",
                "e": "my_parts.Nameless",
                "f": "my_parts.Noise",
            }
        )
    assert str(caught.value).splitlines() == [
        "ingredients.head=my_parts.Noise: the name is taken by an ingredient that is built in.",
        "ingredients.a=Noise: must be a dotted path, such as my_package.parts.MyIngredient.",
        "ingredients.b=my_prats.Noise: module 'my_prats' cannot be imported: No module named 'my_prats'.",
        "ingredients.c=my_parts.Noize: module 'my_parts' has no 'Noize'. Did you mean 'Noise'?",
        "ingredients.d=my_parts.thing: must be a class derived from ablate.keras.Ingredient.",
        "ingredients.e=my_parts.Nameless: the class lacks `name`, a text each.",
        "ingredients.f=my_parts.Noise: the class calls itself 'noise'. Use that name.",
    ]
