from __future__ import annotations

import inspect

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from keras import layers, ops  # noqa: E402

from ablate.errors import ConfigError  # noqa: E402
from ablate.keras.data.loading import load_run_data  # noqa: E402
from ablate.keras.data.samples import augmentation_of, augmented  # noqa: E402
from ablate.keras.input_scaling import BYTES, UNIT, input_scaling, scaling_notes  # noqa: E402
from ablate.keras.models import scales_itself  # noqa: E402
from ablate.keras.models.application import applications  # noqa: E402
from ablate.keras.predict import predict  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

constant = keras.initializers.Constant
SHAPE = (8, 8, 3)
RANDOM = np.random.default_rng(0)


def network(front, dtype=None):
    inputs = keras.Input(SHAPE, dtype=dtype)
    x = layers.Conv2D(4, 3)(front(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def adapted(values):
    layer = layers.Normalization()
    layer.adapt(values.astype("float32"))
    return layer


def nested(*inner):
    return keras.Sequential([keras.Input(SHAPE), *inner])


def standardised(x):
    return (x - ops.mean(x, axis=(1, 2, 3), keepdims=True)) / (ops.std(x, axis=(1, 2, 3), keepdims=True) + 1e-6)


BYTES_EXPECTED = {
    "Rescaling to 1": lambda x: layers.Rescaling(1 / 255)(x),
    "Rescaling to -1 and 1": lambda x: layers.Rescaling(1 / 127.5, -1)(x),
    "operations": lambda x: x / 127.5 - 1,
    "cast": lambda x: ops.cast(x, "float32") / 255,
    "Lambda": lambda x: layers.Lambda(lambda values: values / 255)(x),
    "means taken off": lambda x: keras.applications.vgg16.preprocess_input(x),
    "means and deviations": lambda x: keras.applications.densenet.preprocess_input(x),
    "adapted": lambda x: adapted(RANDOM.integers(0, 256, (20, *SHAPE)))(x),
    "given mean": lambda x: layers.Normalization(mean=[120.0] * 3, variance=[3000.0] * 3)(x),
    "behind augmentation": lambda x: layers.Rescaling(1 / 255)(layers.RandomFlip()(x, training=True)),
    "behind another size": lambda x: layers.Rescaling(1 / 255)(layers.Resizing(6, 6)(x)),
    "nested": lambda x: nested(layers.Rescaling(1 / 255), layers.Conv2D(3, 1))(x),
    "nested alone": lambda x: nested(layers.RandomFlip(), layers.Rescaling(1 / 255))(x),
    "margin": lambda x: layers.ZeroPadding2D()(layers.Rescaling(1 / 127.5, -1)(x)),
}


@keras.saving.register_keras_serializable("ablate_tests")
class Standardise(layers.Layer):
    """What a user writes who does not know `Normalization`."""

    def build(self, shape):
        self.mean = self.add_weight(shape=(shape[-1],), trainable=False, name="mean", initializer=constant(120.0))
        self.deviation = self.add_weight(shape=(shape[-1],), trainable=False, name="std", initializer=constant(60.0))

    def call(self, x):
        return (x - self.mean) / self.deviation


class Frozen(layers.Layer):
    """A layer with a kernel that somebody has frozen."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")
        self.trainable = False

    def call(self, x):
        return x @ self.kernel


BYTES_EXPECTED["a layer of the user"] = lambda x: Standardise()(x)
UNIT_EXPECTED = {
    "Rescaling to -1 and 1": lambda x: layers.Rescaling(2.0, -1.0)(x),
    "Rescaling to bytes": lambda x: layers.Rescaling(255.0)(x),
    "adapted": lambda x: adapted(RANDOM.uniform(0, 1, (20, *SHAPE)))(x),
    "means and deviations": lambda x: (x - ops.array([0.485, 0.456, 0.406])) / ops.array([0.229, 0.224, 0.225]),
}
NOT_SCALED = {
    "nothing": lambda x: x,
    "batch norm": lambda x: layers.BatchNormalization()(x),
    "augmentation": lambda x: layers.RandomFlip()(x),
    "noise": lambda x: layers.GaussianNoise(0.1)(x),
    "a frozen layer": lambda x: Frozen()(x),
    "a curve": lambda x: ops.tanh(x),
}


@pytest.mark.parametrize("front", BYTES_EXPECTED.values(), ids=BYTES_EXPECTED)
def test_a_network_that_scales_bytes_expects_them(front):
    scaling = input_scaling(network(front), SHAPE)
    assert (scaling.expects, scaling.certain, scaling.unknown) == (BYTES, True, ())
    assert scaling.layers


@pytest.mark.parametrize("front", UNIT_EXPECTED.values(), ids=UNIT_EXPECTED)
def test_a_network_that_scales_numbers_up_to_1_expects_them(front):
    scaling = input_scaling(network(front), SHAPE)
    assert (scaling.expects, scaling.certain) == (UNIT, True)


@pytest.mark.parametrize("front", NOT_SCALED.values(), ids=NOT_SCALED)
def test_what_learns_or_changes_no_range_is_no_scaling(front):
    scaling = input_scaling(network(front), SHAPE)
    assert (scaling.expects, scaling.certain, scaling.layers) == (None, True, ())


def test_what_cannot_be_known_is_not_certain():
    assert input_scaling(network(layers.Lambda(standardised, name="mine")), SHAPE).unknown == ("mine",)
    assert not input_scaling(network(layers.Rescaling(1 / 16)), SHAPE).certain
    deviations = adapted(RANDOM.normal(size=(20, *SHAPE)))
    assert input_scaling(network(deviations), SHAPE).certain is False


def test_whole_numbers_as_input_are_bytes():
    assert input_scaling(network(lambda x: ops.cast(x, "float32"), "uint8"), SHAPE).expects == BYTES


def test_random_layers_made_for_another_range_are_named():
    bright = input_scaling(network(layers.RandomBrightness(0.2, name="bright")), SHAPE)
    (note,) = scaling_notes(bright, "auto")
    assert "bright ends at 255" in note and "data.scaling=none" in note
    assert scaling_notes(bright, "none") == []
    fitting = input_scaling(network(layers.RandomBrightness(0.2, value_range=(0, 1))), SHAPE)
    assert scaling_notes(fitting, "auto") == []
    scaled = input_scaling(network(lambda x: layers.Rescaling(1 / 255)(layers.RandomBrightness(0.2)(x))), SHAPE)
    assert len(scaling_notes(scaled, "auto")) == 1  # what is said of the scaling
    wrong = layers.RandomBrightness(0.2, value_range=(0, 1), name="dark")
    notes = scaling_notes(input_scaling(network(lambda x: layers.Rescaling(1 / 255)(wrong(x))), SHAPE), "auto")
    assert any("dark ends at 1" in note for note in notes)


def test_layers_are_named_with_the_models_around_them():
    scaling = input_scaling(network(nested(layers.RandomFlip(), layers.Rescaling(1 / 255, name="scale"))), SHAPE)
    assert scaling.layers[0].endswith("/scale")


def test_the_networks_of_keras_that_always_scale_are_known():
    def scales_without_a_choice(function):
        source = inspect.getsource(inspect.getmodule(inspect.unwrap(function)))
        return "Rescaling(" in source and "include_preprocessing" not in inspect.signature(function).parameters

    for name, function in applications().items():
        assert scales_itself({"network": name}) == scales_without_a_choice(function), name
    assert scales_itself({"network": "MobileNetV3Small", "args": {"include_preprocessing": True}})


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A config of a network as books build it, which scales bytes itself; another front by ``front``."""
    (tmp_path / "book_net.py").write_text(
        "import keras\n"
        "from keras import layers, ops\n\n\n"
        "def standardised(x):\n"
        "    return (x - ops.mean(x)) / (ops.std(x) + 1e-6)\n\n\n"
        "def make(input_shape, classes, front='scale'):\n"
        "    inputs = keras.Input(input_shape)\n"
        "    fronts = {\n"
        "        'scale': layers.Rescaling(1 / 255, name='scale'),\n"
        "        'sixteenth': layers.Rescaling(1 / 16, name='sixteenth'),\n"
        "        'own': layers.Lambda(standardised, name='own'),\n"
        "    }\n"
        "    x = fronts[front](inputs)\n"
        "    x = layers.Conv2D(16, 3, activation='relu')(x)\n"
        "    x = layers.Dropout(0.1)(layers.Flatten()(x))\n"
        "    return keras.Model(inputs, layers.Dense(classes, activation='softmax')(x), name='book')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(front="scale", scaling="auto", **changes):
        return {
            "seed": 0,
            "model": {"name": "builder", "builder": "book_net.make", "args": {"front": front}},
            "data": {"source": "digits", "size": 8, "channels": 1, "scaling": scaling},
            "train": {"epochs": 6, "learning_rate": 0.01},
        } | changes

    return make


def test_a_network_that_scales_learns_from_bytes_and_plan_and_run_say_so(book, tmp_path, caplog):
    config = book()
    (answer,) = check([config])
    assert answer["error"] is None
    (note,) = answer["notes"]
    assert "layer scale" in note and BYTES in note and "data.scaling=none" in note
    with caplog.at_level("INFO"):
        result = train(config, RunFolder(tmp_path / "run"))
    assert note in caplog.text
    assert result["test_accuracy"] > 0.85  # 0.92 here; scaled twice 0.2 to 0.5


def test_a_saved_network_predicts_from_what_it_was_trained_on(book, tmp_path):
    from PIL import Image

    config = book(train={"epochs": 4, "learning_rate": 0.01, "save": "last"})
    result = train(config, RunFolder(tmp_path / "run"))
    test = load_run_data(config)[0].test
    paths = [tmp_path / f"{place}.png" for place in range(60)]
    for path, image in zip(paths, test.images, strict=False):
        Image.fromarray(image[..., 0]).save(path)
    predictions = predict(tmp_path / "run", paths)[1]
    right = [next(iter(one.probabilities)) == str(label) for one, label in zip(predictions, test.labels, strict=False)]
    assert np.mean(right) == pytest.approx(result["test_accuracy"], abs=0.12)


def test_scaling_twice_is_refused_with_what_to_type(book):
    for scaling in ("unit", "standard"):
        with pytest.raises(ConfigError, match=rf"data\.scaling={scaling}: .*layer scale.* auto, or set it to none"):
            load_run_data(book(scaling=scaling))
        assert check([book(scaling=scaling)])[0]["error"]
    data, notes = load_run_data(book(scaling="none"))
    assert (data.factor.item(), notes) == (1, ())


def test_guesses_are_said_with_the_key_that_changes_them(book):
    data, (note,) = load_run_data(book("own"))
    assert data.factor == np.float32(1 / 255)
    assert "own" in note and "data.scaling=none" in note
    assert load_run_data(book("own", "unit"))[1] == ()
    data, (note,) = load_run_data(book("sixteenth"))
    assert data.factor.item() == 1
    assert "sixteenth" in note and "data.scaling=unit" in note
    data, (note,) = load_run_data(book("sixteenth", "unit"))
    assert data.factor == np.float32(1 / 255)
    assert "data.scaling=none" in note


def test_a_network_that_does_not_scale_gets_numbers_up_to_1(tiny):
    data, notes = load_run_data(tiny())
    assert (data.factor.item(), notes) == (np.float32(1 / 255), ())


def test_samples_are_visible_where_the_network_scales_before_it_augments(book):
    inputs = keras.Input((8, 8, 1))
    x = layers.RandomFlip("horizontal")(layers.Rescaling(1 / 127.5, -1)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    data = load_run_data(book())[0]
    images = data.train.images[:4]
    changed = augmented(augmentation_of(model), data, images)
    either = (changed == images) | (changed == images[:, :, ::-1])
    assert either.all(axis=(1, 2, 3)).all()
