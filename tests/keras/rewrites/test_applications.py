"""Networks that nobody adapted: one small member of every family of keras.applications."""

from __future__ import annotations

import gc

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.graph_writer import sketch  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, ablated_graph, present, remove  # noqa: E402
from ablate.testing import check_ingredient  # noqa: E402

pytestmark = pytest.mark.keras

AWAY = {
    "residual": False,
    "batch_norm": False,
    "bn_placement": "after",
    "separable": False,
    "head": "flatten",
    "bias": True,
}
SIX = tuple(AWAY)
AWAY |= {
    "norm": "none",
    "squeeze_excite": False,
    "dropout": False,
    "dense_connections": False,
    "activation": "linear",
    "pooling": "strided",
}

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
    "MobileNet": (32, (0, 27, 27, 13, 1, 27)),
    "EfficientNetV2B0": (32, (15, 59, 39, 16, 1, 59)),
    "InceptionV3": (75, (0, 94, 94, 0, 1, 94)),
}
# In networks of so many layers these have to do.
LONG = ("NASNetMobile", "EfficientNetV2B0", "InceptionV3")
CHANGED_IN_LONG = ("residual", "separable", "head")


# channels before and behind each separable convolution
XCEPTION = [
    *((64, 128), (128, 128), (128, 256), (256, 256), (256, 728), (728, 728)),
    *[(728, 728)] * 25,
    *((728, 1024), (1024, 1536), (1536, 2048)),
]
# channels that come into each block, and those within
EFFICIENTNET_B0 = [
    (32, 32),
    *((narrow, 6 * narrow) for narrow in (16, 24, 24, 40, 40, *[80] * 3, *[112] * 3, *[192] * 4)),
]


def densenet():
    """A layer sees 32 channels instead of all before it; so do reductions, the last batch norm, the classifier."""
    change = 0
    for first, depth in ((64, 6), (128, 12), (256, 24), (512, 16)):
        change -= sum((first + 32 * before - 32) * (4 + 128) for before in range(1, depth))
        last = first + 32 * depth - 32
        change -= last * (4 + (last + 32) // 2) if first < 512 else last * (4 + 4)
    return change


DENSENET = densenet()


def application(network, size, classes=4):
    return build({"name": "application", "network": network}, ModelSignature((size, size, 3), classes))


@pytest.mark.parametrize("network", CONTENTS)
def test_contents_and_each_taken_away(network):
    size, numbers = CONTENTS[network]
    full = application(network, size)
    found = present(full)
    assert [found[name] for name in SIX] == list(numbers)
    for name, level in AWAY.items():
        if found[name] and (network not in LONG or name in CHANGED_IN_LONG):
            without = sketch(ablated_graph(full, {name: level}))
            assert present(without, {name: INGREDIENTS[name]}) == {name: 0}
            assert without.output_shape == full.output_shape
    gc.collect()


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ("MobileNetV2", ("residual", "batch_norm")),
        ("MobileNetV3Small", ("squeeze_excite", "dropout")),
        ("ResNet50V2", ("residual",)),
    ],
)
def test_a_network_without_it_trains_and_saves_and_shares_its_start(network, names):
    full = application(network, 64)
    for name in names:
        check_ingredient(INGREDIENTS[name], full, AWAY[name], changes_elsewhere=name == "batch_norm")
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
        # the layer scale of each block, a number a channel
        ("ConvNeXtTiny", "residual", -(3 * 96 + 3 * 192 + 9 * 384 + 3 * 768)),
        # 17056 channels are normalised: four numbers each go, one bias each comes
        ("MobileNetV2", "batch_norm", -3 * 17056),
        ("MobileNetV2", "bias", 17056),
        ("MobileNetV2", "bn_placement", 0),
        # the projections have a bias and no batch norm
        ("ResNet50V2", "residual", -sum(i * o + o for i, o in ((64, 256), (256, 512), (512, 1024), (1024, 2048)))),
        # each depthwise kernel of 3 x 3 sees all channels
        ("MobileNet", "separable", sum(9 * c * c - 9 * c for c in (32, 64, 128, 128, 256, 256, *[512] * 6, 1024))),
        ("Xception", "separable", sum(9 * i * o - (9 * i + i * o) for i, o in XCEPTION)),
        # two dense layers with biases; inside are a quarter as many as come into the block
        (
            "EfficientNetB0",
            "squeeze_excite",
            -sum(2 * wide * (narrow // 4) + narrow // 4 + wide for narrow, wide in EFFICIENTNET_B0),
        ),
        ("DenseNet121", "dense_connections", DENSENET),
        # scale and shift of each channel: stem, blocks, the three reductions, head
        ("ConvNeXtTiny", "norm", -2 * (96 + 3 * 96 + 3 * 192 + 9 * 384 + 3 * 768 + 96 + 192 + 384 + 768)),
        # five windows of 2 x 2
        ("VGG16", "pooling", sum(4 * c * c + c for c in (64, 128, 256, 512, 512))),
        # the 2 x 2 places of 1280 channels instead of one, to 4 classes
        ("MobileNetV2", "head", 3 * 1280 * 4),
    ],
)
def test_weights_change_as_counted_by_hand(network, name, change):
    full = application(network, 71 if network == "Xception" else 64)
    assert sketch(ablated_graph(full, {name: AWAY[name]})).count_params() - full.count_params() == change
    gc.collect()


def test_scaled_additions_leave_the_trunk_alone():
    full = application("InceptionResNetV2", 75)
    found = present(full)
    assert [found[name] for name in SIX] == [40, 204, 204, 0, 1, 204]
    without = sketch(ablated_graph(full, {"residual": False}))
    gone = {layer.name for layer in full.layers} - {layer.name for layer in without.layers}
    assert {type(full.get_layer(name)).__name__ for name in gone} == {"CustomScaleLayer"}
    assert [type(layer).__name__ for layer in without.layers if "scal" in type(layer).__name__.lower()] == []
    assert without.count_params() == full.count_params()
    assert present(without)["residual"] == 0


def test_layer_scale_and_drop_path_go_with_the_shortcut():
    full = build({"name": "ConvNeXtTiny"}, ModelSignature((32, 32, 3), 4))
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    without = remove(full, residual=False)
    kinds = {type(layer).__name__ for layer in without.layers}
    assert "LayerScale" not in kinds
    # with the scales of 1e-6 left, 18 blocks in a row would give every image the same answer
    answers = np.asarray(without(images))
    assert np.ptp(answers, axis=0).max() > 1e-3

    efficient = application("EfficientNetB0", 32)
    dropped = {layer.name for layer in efficient.layers if isinstance(layer, keras.layers.Dropout)}
    left = {layer.name for layer in sketch(ablated_graph(efficient, {"residual": False})).layers}
    assert len(dropped) == 10
    assert dropped & left == {"top_dropout"}
    gc.collect()


def test_a_rewritten_application_trains_a_step():
    model = remove(application("MobileNetV2", 64), residual=False, batch_norm=False, head="flatten")
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", run_eagerly=True)
    x = np.random.default_rng(0).normal(size=(8, 64, 64, 3)).astype("float32")
    assert np.isfinite(model.train_on_batch(x, np.arange(8) % 4))
    assert np.isfinite(model.predict_on_batch(x)).all()
