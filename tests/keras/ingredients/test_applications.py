"""Networks that nobody adapted: one small member of several families of keras.applications."""

from __future__ import annotations

import gc

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.ingredients import INGREDIENTS, ablate_model, present  # noqa: E402
from ablate.keras.models import build  # noqa: E402

pytestmark = pytest.mark.keras

AWAY = {
    "residual": False,
    "batch_norm": False,
    "bn_placement": "after",
    "separable": False,
    "head": "flatten",
    "bias": True,
}
SIX = {name: INGREDIENTS[name] for name in AWAY}

# residual, batch_norm, bn_placement, separable, head, bias; hand counts from the papers where they give them
CONTENTS = {
    "ResNet50": (64, (16, 53, 33, 0, 1, 0)),
    "ResNet50V2": (64, (16, 49, 49, 0, 1, 32)),
    "Xception": (72, (12, 40, 24, 34, 1, 40)),
    "MobileNetV2": (64, (10, 52, 35, 17, 1, 52)),
    "EfficientNetB0": (32, (9, 49, 33, 16, 1, 49)),
    "DenseNet121": (32, (0, 121, 121, 0, 1, 120)),
    "MobileNetV3Small": (64, (6, 34, 23, 11, 1, 34)),
    "ConvNeXtTiny": (32, (18, 0, 0, 18, 1, 0)),
    "NASNetMobile": (32, (12, 192, 80, 160, 1, 196)),
    "VGG16": (32, (0, 0, 0, 0, 0, 0)),
}


def application(network, size, classes=4):
    return build({"name": "application", "network": network}, (size, size, 3), classes)


@pytest.mark.parametrize("network", CONTENTS)
def test_contents(network):
    size, numbers = CONTENTS[network]
    assert present(application(network, size), SIX) == dict(zip(SIX, numbers, strict=True))
    gc.collect()


def test_poolings_of_squeeze_excite_are_no_head():
    graph = graph_of(application("EfficientNetB0", 32))
    poolings = list(graph.find(keras.layers.GlobalAveragePooling2D))
    assert len(poolings) == 17
    assert [site.nodes[0] for site in INGREDIENTS["head"].find(graph)] == [poolings[-1].key]


@pytest.mark.parametrize(
    ("network", "name", "change"),
    [
        # the projections of the four stages: 1x1 kernels, biases, and four numbers a channel of their batch norms
        (
            "ResNet50",
            "residual",
            -sum(i * o + o + 4 * o for i, o in ((64, 256), (256, 512), (512, 1024), (1024, 2048))),
        ),
        ("MobileNetV2", "residual", 0),
        # 17056 channels are normalised: four numbers each go, one bias each comes
        ("MobileNetV2", "batch_norm", -3 * 17056),
        ("MobileNetV2", "bias", 17056),
        ("MobileNetV2", "bn_placement", 0),
        # the 2 x 2 places of 1280 channels instead of one, to 4 classes
        ("MobileNetV2", "head", 3 * 1280 * 4),
    ],
)
def test_weights_change_as_counted_by_hand(network, name, change):
    full = application(network, 64)
    without = ablate_model(full, {name: AWAY[name]})
    assert without.count_params() - full.count_params() == change
    assert without.output_shape == full.output_shape
    assert name == "bn_placement" or present(without)[name] == 0
    gc.collect()


def test_scaled_shortcuts_leave_the_scaled_trunk():
    full = application("InceptionResNetV2", 75)
    assert present(full)["residual"] == 40
    without = ablate_model(full, {"residual": False})
    scales = [layer.scale for layer in without.layers if isinstance(layer, keras.layers.Rescaling)]
    assert scales == [0.17] * 10 + [0.1] * 20 + [0.2] * 9 + [1.0]
    assert without.count_params() == full.count_params()
    assert present(without)["residual"] == 0


def test_a_rewritten_application_trains_a_step():
    model = ablate_model(application("MobileNetV2", 64), {"residual": False, "batch_norm": False, "head": "flatten"})
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", run_eagerly=True)
    x = np.random.default_rng(0).normal(size=(8, 64, 64, 3)).astype("float32")
    assert np.isfinite(model.train_on_batch(x, np.arange(8) % 4))
    assert np.isfinite(model.predict_on_batch(x)).all()
