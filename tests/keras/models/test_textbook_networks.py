"""The networks for texts, series, tables and predictions for every place."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.models import NETWORKS, InputForm, ModelSignature, build  # noqa: E402
from ablate.keras.streams import seeded  # noqa: E402

pytestmark = pytest.mark.keras

EXAMPLES = {
    InputForm.IMAGES: ModelSignature((13, 10, 3), 4),
    InputForm.SERIES: ModelSignature((9, 3), 4),
    InputForm.TEXT: ModelSignature((9,), 4, vocabulary_size=12),
    InputForm.TABLE: ModelSignature((7,), 4),
}
TEXTBOOK = ("convnet_1d", "encoder_decoder", "lstm", "mlp", "transformer", "unet", "vit")
CASES = [
    (name, form, places) for name in TEXTBOOK for form in NETWORKS[name].takes for places in NETWORKS[name].per_place
]


def signature_for(form, places, activation="softmax"):
    known = EXAMPLES[form]
    return ModelSignature(known.input_shape, known.outputs, activation, places, known.vocabulary_size)


def examples(signature, number=3):
    rng = np.random.default_rng(0)
    shape = (number, *signature.input_shape)
    if signature.vocabulary_size:
        return rng.integers(1, signature.vocabulary_size, shape).astype("int32")
    return rng.uniform(size=shape).astype("float32")


@pytest.mark.parametrize(("name", "form", "places"), CASES)
def test_a_network_takes_and_gives_what_its_signature_says(name, form, places):
    signature = signature_for(form, places)
    model = build({"name": name}, signature)
    assert model.output_shape == (None, *signature.output_shape)
    outputs = np.asarray(model(examples(signature), training=False))
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs.sum(axis=-1), 1, rtol=1e-5)
    assert len({layer.name for layer in model.layers}) == len(model.layers)
    again = build({"name": name}, signature)
    assert [weight.path for weight in model.weights] == [weight.path for weight in again.weights]


def test_every_network_of_ours_declares_what_it_takes():
    assert {name for name, network in NETWORKS.items() if not network.takes} == {"saved", "builder"}
    assert {form for network in NETWORKS.values() for form in network.takes} == set(EXAMPLES)
    assert {name for name in NETWORKS if True in NETWORKS[name].per_place} == {
        "unet",
        "encoder_decoder",
        "transformer",
        "lstm",
    }


@pytest.mark.parametrize("activation", [None, "sigmoid"])
@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"saved", "builder", "application"}))
def test_the_last_layer_is_that_of_the_signature(name, activation):
    form, places = NETWORKS[name].takes[0], NETWORKS[name].per_place[0]
    model = build({"name": name}, signature_for(form, places, activation))
    last = model.layers[-1]
    assert last.activation is keras.activations.get(activation)
    assert last.name == ("regressor" if activation is None else "classifier")


@pytest.mark.parametrize(("name", "sides"), [("unet", (4, 7)), ("unet", (9, 5)), ("encoder_decoder", (11, 8))])
def test_predictions_of_pixels_are_as_large_as_images_of_any_size(name, sides):
    signature = ModelSignature((*sides, 1), 2, per_place=True)
    assert build({"name": name}, signature).output_shape == (None, *sides, 2)


def test_what_fills_a_text_up_changes_nothing():
    """Two texts that differ in length alone by zeros at their end give the same predictions."""
    tokens = examples(EXAMPLES[InputForm.TEXT])
    tokens[:, 6:] = 0
    for name in ("transformer", "lstm"):
        short = build({"name": name}, ModelSignature((6,), 4, vocabulary_size=12))
        long = build({"name": name}, ModelSignature((9,), 4, vocabulary_size=12))
        for one, other in zip(short.weights, long.weights, strict=True):
            value = np.asarray(other)
            one.assign(value[:6] if one.shape != other.shape else value)
        np.testing.assert_allclose(short(tokens[:, :6]), long(tokens), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras with NumPy 2
def test_positions_start_from_the_stream_of_their_layer_and_survive_saving(tmp_path):
    signature = ModelSignature((16, 16, 1), 3)
    small, large = (seeded(build({"name": "vit", "blocks": number}, signature), 3) for number in (1, 2))
    one, other = (np.asarray(model.get_layer("position_embedding").embeddings) for model in (small, large))
    assert one.shape == (16, 32)
    np.testing.assert_array_equal(one, other)
    assert np.ptp(one) > 0.05
    small.save(tmp_path / "vit.keras")
    x = examples(signature)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "vit.keras")(x), small(x))


@pytest.mark.parametrize(
    ("config", "signature", "expected"),
    [
        (
            {"name": "vgg"},
            EXAMPLES[InputForm.TABLE],
            "Model 'vgg' takes images (height, width, channels), and examples are rows of a table (columns) of 7 here.",
        ),
        (
            {"name": "lstm"},
            EXAMPLES[InputForm.TABLE],
            "Model 'lstm' takes series (steps, channels) or text (numbers of tokens), and examples are rows of a table "
            "(columns) of 7 here.",
        ),
        (
            {"name": "unet"},
            EXAMPLES[InputForm.IMAGES],
            "Model 'unet' gives one prediction for each place, and one for the whole example is needed here.",
        ),
        (
            {"name": "resnet"},
            signature_for(InputForm.IMAGES, True),
            "Model 'resnet' gives one prediction for the whole example, and one for each place is needed here.",
        ),
        (
            {"name": "vit", "width": 30, "heads": 4},
            EXAMPLES[InputForm.IMAGES],
            "model.width=30: must be a multiple of model.heads=4, which share it.",
        ),
        (
            {"name": "encoder_decoder"},
            ModelSignature((16, 7, 1), 2, per_place=True),
            "Images of 16x7 pixels are too small for encoder_decoder, which halves them 3 times: at least 8x8 are "
            "needed. Use larger images or fewer entries in model.filters.",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(config, signature, expected):
    with pytest.raises(NetworkError) as caught:
        build(config, signature)
    assert str(caught.value) == expected


def test_a_builder_is_given_the_parts_of_the_signature_that_it_asks_for(tmp_path, monkeypatch):
    (tmp_path / "texts_net.py").write_text(
        "import keras\n"
        "def make(signature, vocabulary_size, activation='relu'):\n"
        "    x = inputs = keras.Input(signature.input_shape, dtype='int32')\n"
        "    x = keras.layers.Flatten()(keras.layers.Embedding(vocabulary_size, 2)(x))\n"
        "    x = keras.layers.Dense(3, activation=activation)(x)\n"
        "    return keras.Model(inputs, keras.layers.Dense(signature.outputs)(x))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = build({"builder": "texts_net.make"}, EXAMPLES[InputForm.TEXT])
    assert model.output_shape == (None, 4)
    assert model.layers[1].input_dim == 12
    assert model.layers[3].activation is keras.activations.relu
