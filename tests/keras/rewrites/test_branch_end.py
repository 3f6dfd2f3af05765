"""What is there for the sake of a residual addition goes with it: factors of the branch, drop path, a start of zero."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402
from weight_copies import copied_weights  # noqa: E402

from ablate.keras.rewrites import INGREDIENTS, present, remove  # noqa: E402
from ablate.testing import check_ingredient  # noqa: E402

pytestmark = pytest.mark.keras


@keras.saving.register_keras_serializable("tests")
class Gamma(layers.Layer):
    """A learned number for each channel, or one for all; nothing in its name says so."""

    def __init__(self, start=1e-6, each=True, **kwargs):
        super().__init__(**kwargs)
        self.start, self.each = start, each

    def build(self, shape):
        self.gamma = self.add_weight(
            shape=(shape[-1],) if self.each else (), initializer=lambda s, dtype: ops.full(s, self.start, dtype)
        )

    def call(self, x):
        return x * self.gamma

    def get_config(self):
        return {**super().get_config(), "start": self.start, "each": self.each}


@keras.saving.register_keras_serializable("tests")
class Shift(Gamma):
    """As many weights, but it adds them."""

    def call(self, x):
        return x + self.gamma


@keras.saving.register_keras_serializable("tests")
class ScaledSum(layers.Layer):
    """The trunk with a learned factor on top of the shortcut."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(1,), initializer="zeros")

    def call(self, given):
        return given[0] + self.factor * given[1]


@keras.saving.register_keras_serializable("tests")
class DropPath(layers.Layer):
    """Whole images, not numbers."""

    def __init__(self, rate=0.9, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x, training=False):
        if not training:
            return x
        kept = ops.cast(keras.random.uniform((ops.shape(x)[0], 1, 1, 1)) > self.rate, x.dtype)
        return x * kept / (1 - self.rate)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


def plain(x, name, **kwargs):
    return layers.Conv2D(4, 3, padding="same", name=name, **kwargs)(x)


def network(block, drop=lambda x: x):
    inputs = keras.Input((8, 8, 4))
    x = inputs
    for name in "ab":
        x = layers.ReLU()(block(x, drop(layers.BatchNormalization(name=f"{name}_bn")(plain(x, f"{name}_conv")))))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, name="classifier")(x))


def by_hand():
    return network(lambda x, y: y)


# what the block adds to its shortcut, and how many numbers of the two blocks are only there for that
ENDINGS = {
    "operator": (lambda x, y: x + 0.1 * y, 0),
    "division": (lambda x, y: y / 10.0 + x, 0),
    "Rescaling": (lambda x, y: layers.Add()([x, layers.Rescaling(0.2)(y)]), 0),
    "Lambda": (lambda x, y: layers.Add()([x, layers.Lambda(lambda z: 0.2 * z)(y)]), 0),
    "Lambda that adds": (lambda x, y: layers.Lambda(lambda both: both[0] + both[1] * 0.17)([x, y]), 0),
    "layer scale": (lambda x, y: x + Gamma()(y), 2 * 4),
    "one number": (lambda x, y: x + Gamma(0.0, each=False)(y), 2),
    "layer that adds": (lambda x, y: ScaledSum()([x, y]), 2),
    "drop path": (lambda x, y: x + DropPath()(y), 0),
    "drop path of Keras": (lambda x, y: x + layers.Dropout(0.9, noise_shape=(None, 1, 1, 1))(y), 0),
    "several in a row": (
        lambda x, y: layers.Add()([x, DropPath()(layers.Activation("linear")(Gamma(1e-4)(layers.Rescaling(2.0)(y))))]),
        2 * 4,
    ),
    "a shortcut with a factor": (lambda x, y: 0.5 * x + 0.1 * y, 0),
}


def same_function(rewritten, hand):
    rng = np.random.default_rng(0)
    for weight in hand.weights:
        weight.assign(rng.uniform(0.5 if weight.path.endswith("variance") else -0.5, 1.0, weight.shape))
    assert rewritten.count_params() == hand.count_params()
    assert len(copied_weights(hand, rewritten)) == len(hand.weights)
    x = rng.normal(size=(4, 8, 8, 4)).astype("float32")
    for training in (False, True):
        np.testing.assert_allclose(rewritten(x, training=training), hand(x, training=training), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ENDINGS)
def test_the_factor_of_the_branch_goes_with_the_addition(name):
    block, numbers = ENDINGS[name]
    full, hand = network(block), by_hand()
    assert present(full)["residual"] == 2
    assert full.count_params() - hand.count_params() == numbers
    without = remove(full, residual=False)
    assert present(without)["residual"] == 0
    left = [type(layer).__name__ for layer in without.layers if type(layer) is not layers.Activation]
    assert left == [type(layer).__name__ for layer in hand.layers]
    same_function(without, hand)


def test_a_network_with_layer_scale_trains_and_saves_without_its_shortcuts():
    checked = check_ingredient(INGREDIENTS["residual"], network(lambda x, y: x + DropPath()(Gamma()(y))))
    assert checked.sites == 2
    assert checked.weights - checked.weights_without == 2 * 4


STAYS = {
    "dropout of numbers": (lambda y: layers.Dropout(0.5)(y), "Dropout"),
    "a shift": (lambda y: Shift()(y), "Shift"),
    "an activation": (lambda y: layers.Lambda(lambda z: ops.clip(z, -5.0, 5.0))(y), "Lambda"),
    "a scale within the branch": (lambda y: plain(Gamma()(y), None), "Gamma"),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_is_no_factor_stays(name):
    ending, kind = STAYS[name]
    without = remove(network(lambda x, y: x + ending(y)), residual=False)
    assert [type(layer).__name__ for layer in without.layers].count(kind) == 2


def test_dropout_between_factor_and_sum_stays_alone():
    without = remove(network(lambda x, y: x + layers.Dropout(0.5)(Gamma()(y))), residual=False)
    hand = network(lambda x, y: layers.Dropout(0.5)(y))
    assert [type(layer).__name__ for layer in without.layers] == [type(layer).__name__ for layer in hand.layers]


def test_a_factor_that_something_else_uses_too_stays():
    inputs = keras.Input((8, 8, 4))
    scaled = Gamma(name="gamma")(plain(inputs, "conv"))
    model = keras.Model(inputs, layers.Concatenate()([layers.Add()([inputs, scaled]), scaled]))
    assert [layer.name for layer in remove(model, residual=False).layers if layer.name == "gamma"] == ["gamma"]


def test_a_branch_that_starts_as_zero_starts_like_any_other_without_its_shortcut():
    def model(**start):
        inputs = keras.Input((8, 8, 4))
        x = layers.BatchNormalization(name="bn", **start)(plain(inputs, "conv"))
        x = inputs + x
        y = plain(layers.ReLU()(x), "last", **({"kernel_initializer": "zeros"} if start else {}))
        return keras.Model(inputs, layers.Add()([x, y]))

    full, common = model(gamma_initializer="zeros"), model()
    x = np.ones((1, 8, 8, 4), "float32")
    np.testing.assert_array_equal(full(x), x)
    without, other = (remove(one, residual=False) for one in (full, common))
    for name in ("bn", "last"):
        assert without.get_layer(name).get_config() == other.get_layer(name).get_config()
    assert np.abs(without(x)).max() > 0
    check_ingredient(INGREDIENTS["residual"], full)


def test_half_precision_does_not_hide_a_factor():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        full = network(lambda x, y: x + Gamma(1e-3)(y) * 0.7)
    finally:
        keras.config.set_dtype_policy("float32")
    without = remove(full, residual=False)
    assert "Gamma" not in {type(layer).__name__ for layer in without.layers}
    assert all(type(operation).__name__ != "Multiply" for operation in without.operations)
