from __future__ import annotations

import sys

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.streams import seed_streams  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

MODULE = """
import functools

import keras
import numpy as np
from keras import layers

FOLDER = {folder!r}


def base(input_shape, own=False, batch_norm=True):
    inputs = keras.Input(input_shape)
    if own:
        return keras.Model(inputs, Own(name="own")(inputs), name="base")
    x = layers.SeparableConv2D(3, 3, use_bias=False, name="conv")(inputs)
    if batch_norm:
        x = layers.BatchNormalization(name="bn")(x)
    return keras.Model(inputs, x, name="base")


@keras.saving.register_keras_serializable("loaded_nets")
class Own(layers.Layer):
    '''Draws its weights by an initialiser that nobody holds.'''

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

    def call(self, x):
        return x @ self.kernel


def on_top(base, inputs, classes):
    x = layers.GlobalAveragePooling2D()(base(inputs))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="out")(x), name="net")


def make(input_shape, classes, how="fresh"):
    if how == "seeded":
        keras.utils.set_random_seed(5)
    own = how.startswith("own")
    inputs = keras.Input(input_shape)
    if how == "load_model":
        part = keras.models.load_model(FOLDER + "/base.keras")
    else:
        part = base(input_shape, own=own, batch_norm=how != "kernels")
    if how == "load_weights":
        part.load_weights(FOLDER + "/base.weights.h5")
    elif how in ("set_weights", "kernels", "own, set"):
        rng = np.random.default_rng(0)
        part.set_weights([rng.uniform(0, 0.1, one.shape) for one in part.get_weights()])
    elif how == "bias":
        part.get_layer("bn").beta.assign([1.0, 2.0, 3.0])
    part.trainable = how == "fresh"
    model = on_top(part, inputs, classes)
    if how == "initializers":
        x = layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(seed=3))(layers.Flatten()(inputs))
        x = layers.Dense(4, kernel_initializer="orthogonal", bias_initializer="ones")(x)
        x = layers.LSTM(3)(layers.Reshape((4, 1))(x))
        x = layers.Dropout(0.1)(layers.MultiHeadAttention(1, 2)(y := layers.Reshape((3, 1))(x), y))
        x = layers.Dense(classes, activation="softmax")(layers.Flatten()(x))
        model = keras.Model(inputs, x)
    return model


@functools.cache
def made_once(input_shape, classes):
    return make(input_shape, classes)
"""


@pytest.fixture
def config(tmp_path, monkeypatch, tiny):
    """A config of a network whose builder loads weights in one way or another."""
    (tmp_path / "loaded_nets.py").write_text(MODULE.format(folder=str(tmp_path)))
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("loaded_nets", None)
    import loaded_nets

    part = loaded_nets.base((8, 8, 1))
    part.set_weights([np.random.default_rng(1).normal(size=one.shape) ** 2 for one in part.get_weights()])
    part.save(tmp_path / "base.keras")
    part.save_weights(tmp_path / "base.weights.h5")

    def make(how="fresh", **keys):
        model = {"name": "builder", "builder": "loaded_nets.make", "args": {"how": how}, **keys}
        wanted = ("seed", "data", "train")
        return {key: value for key, value in tiny().items() if key in wanted} | {"model": model}

    yield make
    sys.modules.pop("loaded_nets", None)


@pytest.mark.parametrize("how", ["load_model", "load_weights", "set_weights", "kernels", "bias", "own, set"])
def test_weights_that_a_builder_loads_are_not_lost_in_silence(config, how):
    (answer,) = check([config(how)])
    layer = {"bias": "base/bn", "own, set": "base/own"}.get(how, "base/conv")
    assert layer in answer["error"] and "model.weights=redraw" in answer["error"]
    assert "out" not in answer["error"].split(": ")[1]
    (accepted,) = check([config(how, weights="redraw")])
    assert accepted["error"] is None
    (note,) = accepted["notes"]
    assert "not used" in note and layer in note


@pytest.mark.parametrize("how", ["fresh", "own", "seeded", "initializers"])
def test_freshly_drawn_weights_are_no_loaded_ones(config, how):
    (answer,) = check([config(how)])
    assert (answer["error"], answer["notes"]) == (None, [])


def test_a_network_that_its_builder_holds_may_be_trained_and_built_again(config, tmp_path):
    one = config()
    one["model"] |= {"builder": "loaded_nets.made_once", "args": {}}
    first = train(one, RunFolder(tmp_path / "first"))
    build(one["model"], ModelSignature((8, 8, 1), 10))
    again = train({**one, "train": {**one["train"], "batch_size": 16}}, RunFolder(tmp_path / "other"))
    assert first["epochs"] == again["epochs"]


def test_a_saved_network_says_that_its_weights_are_not_used(config, tmp_path, caplog):
    import loaded_nets

    model = loaded_nets.make((8, 8, 1), 10, "set_weights")
    model.save(tmp_path / "net.keras")
    saved = config() | {"model": {"name": "saved", "path": str(tmp_path / "net.keras")}}
    (answer,) = check([saved])
    (note,) = answer["notes"]
    assert "not used" in note and "base/conv" in note
    with caplog.at_level("INFO"):
        train(saved, RunFolder(tmp_path / "run"))
    assert note in caplog.text


def test_weights_are_null_or_redraw(config):
    (answer,) = check([config(weights="keep")])
    assert answer["error"] == "model.weights=keep: must be redraw, or null."


def test_streams_refuse_loaded_weights_in_a_script_too():
    keras.utils.clear_session()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="pretrained_head")(layers.Dense(3, name="body")(inputs)))
    model.get_layer("body").set_weights([np.ones((4, 3)), np.ones(3)])
    with pytest.raises(NetworkError, match=r"in body\. .*redraw=True"):
        seed_streams(model, 0)
    seed_streams(model, 0, redraw=True)
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    seed_streams(model, 1)  # what was trained after its weights were drawn here may start again
