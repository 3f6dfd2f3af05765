from __future__ import annotations

import sys

import pytest

keras = pytest.importorskip("keras")

from ablate.keras.data.loading import load_run_data  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402

pytestmark = pytest.mark.keras


def test_the_input_shape_of_the_model_wins(tiny):
    data, notes = load_run_data(tiny(model={"input_shape": [12, 10, 3]}))
    assert data.input_shape == (12, 10, 3)
    assert notes == ()
    answer = check([tiny(model={"input_shape": [12, 10, 3]})])[0]
    assert (answer["error"], answer["input_shape"]) == (None, (12, 10, 3))


@pytest.mark.parametrize(("network", "least"), [("MobileNetV2", 32), ("Xception", 71), ("NoSuchNet", 8)])
def test_images_too_small_for_an_application_are_enlarged_and_that_is_told(tiny, network, least):
    config = {**tiny(), "model": {"name": "application", "network": network}}
    data, notes = load_run_data(config)
    assert data.input_shape == (least, least, 1)
    told = f"The images of 'digits' are brought from 8x8x1 to {least}x{least}x1, the least that {network} takes; "
    expected = (told + "data.size or model.input_shape chooses another size.",) if least > 8 else ()
    assert notes == expected


def test_images_that_are_large_enough_stay(tiny):
    config = {**tiny(data={"size": [40, 33]}), "model": {"name": "application", "network": "MobileNetV2"}}
    data, notes = load_run_data(config)
    assert (data.input_shape, notes) == ((40, 33, 1), ())


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ({"name": "vgg", "filters": [4] * 4, "convolutions": [1] * 4}, 16),
        ({"name": "resnet", "filters": [4] * 5, "blocks": [1] * 5}, 16),
        ({"name": "mini_xception", "filters": [4] * 4}, 16),
        ({"name": "mini_xception"}, 8),
    ],
)
def test_images_too_small_for_a_network_of_ours_are_enlarged(tiny, model, least):
    config = {**tiny(), "model": model}
    data, notes = load_run_data(config)
    assert data.input_shape == (least, least, 1)
    told = f"The images of 'digits' are brought from 8x8x1 to {least}x{least}x1, the least that {model['name']} takes"
    assert notes == ((f"{told}; data.size or model.input_shape chooses another size.",) if least > 8 else ())
    assert check([config])[0]["error"] is None


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras with NumPy 2
def test_a_saved_model_gets_images_in_its_shape(tiny, tmp_path):
    inputs = keras.Input((12, 14, 3))
    x = keras.layers.Dense(10, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    keras.Model(inputs, x).save(tmp_path / "net.keras")
    config = {**tiny(), "model": {"name": "saved", "path": str(tmp_path / "net.keras")}}
    data, notes = load_run_data(config)
    assert data.input_shape == (12, 14, 3)
    assert notes == (
        "The images of 'digits' are brought from 8x8x1 to 12x14x3, the shape that the model was built for; "
        "data.size or model.input_shape chooses another size.",
    )
    (answer,) = check([config])
    assert (answer["error"], answer["notes"][:-1]) == (None, list(notes))  # the last one is about its weights


BUILDERS = """
import keras

def make(shape, classes, input_shape=None):
    inputs = keras.Input(input_shape or shape)
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))

def fixed(classes):
    return make((16, 16, 3), classes)

def deaf(input_shape, classes):
    return make((16, 16, 3), classes)

class Subclassed(keras.Model):
    def call(self, x):
        return x

def subclassed():
    return Subclassed(name="mine")

def two_inputs(classes):
    one, other = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([one, other]))
    return keras.Model([one, other], keras.layers.Dense(classes)(x), name="twins")

def two_outputs(classes):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    return keras.Model(inputs, [keras.layers.Dense(classes)(x), x], name="forked")

def free(classes):
    return make((None, None, 3), classes)

def given(input_shape, classes):
    return make(input_shape, classes)
"""


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ({"builder": "odd_builders.fixed"}, (16, 16, 3)),
        ({"builder": "odd_builders.deaf"}, (16, 16, 3)),
        ({"builder": "odd_builders.free"}, (8, 8, 3)),
        ({"builder": "odd_builders.given"}, (8, 8, 1)),
        ({"builder": "odd_builders.given", "args": {"input_shape": [9, 9, 1]}}, (9, 9, 1)),
    ],
)
def test_a_builder_gets_the_shape_or_the_images_are_brought_to_its_own(tiny, tmp_path, monkeypatch, model, shape):
    (tmp_path / "odd_builders.py").write_text(BUILDERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_builders", raising=False)
    config = {**tiny(), "model": {"name": "builder", **model}}
    assert load_run_data(config)[0].input_shape == shape
    assert check([config])[0]["error"] is None


def test_a_subclassed_model_is_refused_with_what_to_do(tiny, tmp_path, monkeypatch):
    (tmp_path / "odd_builders.py").write_text(BUILDERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_builders", raising=False)
    (answer,) = check([{**tiny(), "model": {"name": "builder", "builder": "odd_builders.subclassed"}}])
    assert answer["error"].startswith("Model 'mine' (Subclassed) is subclassed: what it computes stands in Python code")
    assert answer["error"].endswith("`model.builder=my_package.nets.make model.args.residual=true,false`.")


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        ("two_inputs", "Model 'twins' has 2 inputs and 1 outputs; one of each is needed."),
        ("two_outputs", "Model 'forked' has 1 inputs and 2 outputs; one of each is needed."),
    ],
)
def test_a_study_needs_one_input_and_one_output(tiny, tmp_path, monkeypatch, builder, message):
    (tmp_path / "odd_builders.py").write_text(BUILDERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_builders", raising=False)
    (answer,) = check([{**tiny(), "model": {"name": "builder", "builder": f"odd_builders.{builder}"}}])
    assert answer["error"] == message
