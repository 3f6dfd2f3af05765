from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

from ablate.keras import remove  # noqa: E402
from ablate.keras.streams import reseed, seeded  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

RANDOM = np.random.default_rng(0)


def classifier(inputs, x):
    x = layers.Dropout(0.5, name="drop")(layers.Dense(6, activation="relu", name="hidden")(layers.Flatten()(x)))
    return keras.Model(inputs, layers.Dense(3, name="out")(x), name="net")


def adapted():
    layer = layers.Normalization(name="norm")
    layer.adapt(RANDOM.normal(5, 3, (40, 4, 4, 2)).astype("float32"))
    return layer


def with_normalization(nested=False):
    inputs = keras.Input((4, 4, 2))
    front = adapted()
    if nested:
        front = keras.Sequential([keras.Input((4, 4, 2)), front], name="front")
    return classifier(inputs, front(inputs))


def values(layer):
    return [keras.ops.convert_to_numpy(variable) for variable in layer.variables]


def same(first, second):
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def without_dropout(model):
    return remove(model, dropout=False)


@pytest.mark.parametrize("nested", [False, True])
def test_what_normalization_was_adapted_to_survives_rewrites_and_seeds(nested, tmp_path):
    model = with_normalization(nested)
    ablated = without_dropout(model)
    x = RANDOM.normal(5, 3, (6, 4, 4, 2)).astype("float32")
    for seed in (0, 1):
        reseed(model, seed)
        reseed(ablated, seed)
        assert np.array_equal(model.predict(x, verbose=0), ablated.predict(x, verbose=0))
    front = ablated.get_layer("front") if nested else ablated
    assert front.get_layer("norm").adapt_mean.numpy() == pytest.approx([5, 5], abs=1)
    for one in (model, ablated):
        one.save(tmp_path / "net.keras")
        again = keras.models.load_model(tmp_path / "net.keras")
        assert np.allclose(again.predict(x, verbose=0), one.predict(x, verbose=0), atol=1e-6)


def test_a_clone_keeps_what_it_was_adapted_to():
    model = with_normalization()
    assert same(values(model.get_layer("norm")), values(seeded(model, 1).get_layer("norm")))


@pytest.mark.parametrize("mode", ["int", "multi_hot", "tf_idf"])
def test_a_vocabulary_survives_a_rewrite(mode):
    lookup = layers.StringLookup(output_mode=mode, name="lookup")
    lookup.adapt([["red", "green"], ["blue", "red"]])
    inputs = keras.Input((2,), dtype="string")
    x = lookup(inputs)
    model = classifier(inputs, layers.Embedding(8, 3)(x) if mode == "int" else x)
    ablated = without_dropout(model)
    again = ablated.get_layer("lookup")
    assert again is not lookup
    assert again.get_vocabulary() == lookup.get_vocabulary()
    words = keras.ops.convert_to_tensor([["blue", "black"]])
    assert np.array_equal(again(words), lookup(words))


def test_other_adapted_layers_survive_a_rewrite():
    texts = layers.TextVectorization(output_sequence_length=2, name="texts")
    numbers = layers.Discretization(num_bins=3, name="bins")
    texts.adapt(["a green house", "a house"])
    numbers.adapt(np.arange(30.0))
    codes = layers.IntegerLookup(name="codes")
    codes.adapt(np.array([[7], [11], [7]]))
    text, number, code = keras.Input((1,), dtype="string"), keras.Input((1,)), keras.Input((1,), dtype="int64")
    x = layers.Concatenate()(
        [
            layers.Flatten()(layers.Embedding(9, 2)(texts(text))),
            layers.Flatten()(layers.Embedding(4, 2)(numbers(number))),
            layers.Flatten()(layers.Embedding(4, 2)(codes(code))),
        ]
    )
    x = layers.Dropout(0.5)(layers.Dense(4)(x))
    ablated = without_dropout(keras.Model([text, number, code], layers.Dense(2)(x)))
    assert ablated.get_layer("texts").get_vocabulary() == texts.get_vocabulary()
    assert ablated.get_layer("bins").bin_boundaries == pytest.approx(numbers.bin_boundaries)
    assert ablated.get_layer("codes").get_vocabulary() == codes.get_vocabulary()


def test_the_matrix_of_an_embedding_survives_rewrites_and_seeds():
    matrix = RANDOM.normal(size=(5, 3)).astype("float32")
    inputs = keras.Input((4,), dtype="int32")
    x = layers.Add()(
        [layers.Embedding(5, 3, weights=[matrix], name="given")(inputs), layers.Embedding(5, 3, name="drawn")(inputs)]
    )
    model = classifier(inputs, x)
    ablated = without_dropout(model)
    starts = []
    for seed in (0, 1):
        for one in (model, ablated):
            reseed(one, seed)
            assert np.array_equal(one.get_layer("given").embeddings, matrix)
        assert same(values(model.get_layer("drawn")), values(ablated.get_layer("drawn")))
        starts.append(values(model.get_layer("drawn")))
        model.compile("sgd", "mse")
        model.fit(np.arange(60).reshape(15, 4) % 5, np.ones((15, 3)), epochs=2, verbose=0)
        assert not np.array_equal(model.get_layer("given").embeddings, matrix)
    assert not same(*starts)


@keras.saving.register_keras_serializable("ablate_tests")
class Filter(layers.Layer):
    """A fixed filter that is set after building, a drawn one that is not trained, and a mean that training moves."""

    def build(self, shape):
        self.fixed = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False, name="fixed")
        self.features = self.add_weight(
            shape=(shape[-1],), initializer="random_normal", trainable=False, name="features"
        )
        self.mean = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False, name="mean")

    def call(self, x, training=False):
        if training:
            self.mean.assign(self.mean * 0.9 + keras.ops.mean(x) * 0.1)
        return x * self.fixed + self.features


def test_what_a_layer_of_the_user_holds_survives_and_starts_as_it_was_set():
    inputs = keras.Input((4,))
    own = Filter(name="own")
    model = classifier(inputs, own(inputs))
    own.fixed.assign([1.0, 2.0, 3.0, 4.0])
    ablated = without_dropout(model)
    for one in (model, ablated):
        reseed(one, 3)
        one.compile("sgd", "sparse_categorical_crossentropy")
        one.fit(np.ones((8, 4)), np.zeros(8), verbose=0)
        assert one.get_layer("own").mean.numpy().any()
        reseed(one, 4)
        layer = one.get_layer("own")
        assert layer.fixed.numpy().tolist() == [1, 2, 3, 4]
        assert not layer.mean.numpy().any()
    features = [values(one.get_layer("own"))[1] for one in (model, ablated)]
    assert np.array_equal(*features)
    reseed(model, 3)
    assert not np.array_equal(features[0], values(model.get_layer("own"))[1])


def flags(model):
    """What is frozen, by path of layers, their parts, and their variables."""
    answer = {".": model.trainable}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            answer |= {f"{layer.name}/{path}": flag for path, flag in flags(layer).items()}
        elif layer.variables and layer.name != "drop":
            parts = list(layer._flatten_layers())
            answer |= {f"{layer.name}#{place}": part.trainable for place, part in enumerate(parts)}
            answer |= {f"{layer.name}:{place}": one.trainable for place, one in enumerate(layer.variables)}
    return answer


@keras.saving.register_keras_serializable("ablate_tests")
class Pair(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Dense(3), layers.Dense(3)

    def build(self, shape):
        self.first.build(shape)
        self.second.build((*shape[:-1], 3))

    def call(self, x):
        return self.second(self.first(x))


def frozen_in_many_ways():
    inner_inputs = keras.Input((3,))
    x = layers.Dense(3, name="one")(inner_inputs)
    x = layers.BatchNormalization(name="bn")(layers.Dense(3, name="two")(x))
    base = keras.Model(inner_inputs, x, name="base")
    head = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="a"), layers.Dense(3, name="b")], name="head")
    inputs = keras.Input((4,))
    pair, lora = Pair(name="pair"), layers.Dense(3, name="lora")
    x = head(base(pair(lora(inputs))))
    model = classifier(inputs, layers.Dense(3, name="alone", trainable=False)(x))
    lora.enable_lora(2)
    pair.second.trainable = False
    base.trainable = False
    base.get_layer("two").trainable = True  # under a frozen model: it stays what it is, and is not trained
    head.get_layer("a").trainable = False
    model.get_layer("out").bias.trainable = False
    return model


def test_frozen_models_layers_parts_and_variables_stay_exactly_so():
    model = frozen_in_many_ways()
    ablated = without_dropout(model)
    assert flags(ablated) == flags(model)
    assert len(ablated.trainable_variables) == len(model.trainable_variables)
    for one in (model, ablated):
        reseed(one, 1)
    assert flags(ablated) == flags(model)
    for name in ("lora", "pair", "base", "head", "alone"):
        assert same(values(model.get_layer(name)), values(ablated.get_layer(name))), name
    assert [variable.name for variable in ablated.get_layer("lora").trainable_variables] == [
        "bias",
        "lora_kernel_a",
        "lora_kernel_b",
    ]


def test_a_frozen_network_stays_frozen():
    model = classifier(inputs := keras.Input((4,)), inputs)
    model.trainable = False
    ablated = without_dropout(model)
    assert flags(ablated) == flags(model)
    assert ablated.trainable_variables == []


def test_taking_away_what_does_nothing_changes_nothing(tmp_path, monkeypatch, tiny):
    (tmp_path / "adapted_net.py").write_text(
        "import keras\n"
        "from keras import layers\n"
        "from sklearn.datasets import load_digits\n\n\n"
        "def make(input_shape, classes):\n"
        "    norm = layers.Normalization(name='norm')\n"
        "    norm.adapt(load_digits().images[..., None] * 255 / 16)\n"
        "    inputs = keras.Input(input_shape)\n"
        "    x = layers.Flatten()(layers.Conv2D(8, 3, activation='relu')(norm(inputs)))\n"
        "    x = layers.Dropout(1e-9, name='drop')(x)\n"
        "    return keras.Model(inputs, layers.Dense(classes, activation='softmax')(x), name='net')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    results = []
    for number, change in enumerate(({}, {"dropout": False})):
        config = {key: value for key, value in tiny().items() if key in ("seed", "data", "train")} | change
        config["model"] = {"name": "builder", "builder": "adapted_net.make"}
        config["train"] = {"epochs": 2, "learning_rate": 0.01, "save": "last", "mixed_precision": "bfloat16"}
        results.append(train(config, RunFolder(tmp_path / str(number))))
        saved = keras.models.load_model(tmp_path / str(number) / "last.keras")
        assert 50 < saved.get_layer("norm").adapt_mean.numpy().item() < 100
    losses = [result["test_loss"] for result in results]
    assert losses[0] == pytest.approx(losses[1], abs=0.01)
