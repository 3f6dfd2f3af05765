"""Backbones of keras_hub, without any downloaded weights."""

from __future__ import annotations

import importlib.util

import pytest

if importlib.util.find_spec("keras_hub") is None:
    pytest.skip("keras_hub is not installed", allow_module_level=True)

import keras

from ablate.keras.rewrites import INGREDIENTS, present
from ablate.testing import check_ingredient

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]


def classifier(backbone):
    x = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(3, name="classifier")(x), name="net")


def resnet():
    from keras_hub.models import ResNetBackbone

    return classifier(
        ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[3],
            stackwise_num_filters=[64, 128],
            stackwise_num_blocks=[2, 2],
            stackwise_num_strides=[1, 2],
            block_type="basic_block",
            image_shape=(32, 32, 3),
        )
    )


def densenet():
    from keras_hub.models import DenseNetBackbone

    return classifier(DenseNetBackbone(stackwise_num_repeats=[2, 3], growth_rate=8, image_shape=(32, 32, 3)))


@pytest.mark.parametrize(
    ("make", "name", "sites"),
    [
        (resnet, "residual", 4),
        (resnet, "head", 1),
        (densenet, "dense_connections", 5),
    ],
)
def test_an_ingredient_of_a_backbone(make, name, sites):
    model = make()
    assert present(model)[name] == sites
    level = "flatten" if name == "head" else False
    check_ingredient(INGREDIENTS[name], model, level, changes_elsewhere=name == "head")


def test_batch_norms_of_a_backbone():
    model = resnet()
    assert present(model)["batch_norm"] > 0
    check_ingredient(INGREDIENTS["batch_norm"], model, False, changes_elsewhere=True)
