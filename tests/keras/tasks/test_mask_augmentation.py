"""Random layers move an image and its mask by the same draw."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import task_networks  # noqa: E402
from keras import layers  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.mask_augmentation import split_augmentation  # noqa: E402
from ablate.keras.streams import reseed  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def blobs(count=4, side=32):
    """Images of one channel in which a pixel is bright where its mask is 1."""
    rows, columns = np.mgrid[:side, :side]
    masks = np.stack([((rows - 9 - one) ** 2 + (columns - 12) ** 2 < 40) for one in range(count)])
    return masks.astype("float32")[..., None], masks.astype("uint8")


def network(*random, void=None):
    inputs = keras.Input((32, 32, 1))
    x = inputs
    for layer in random:
        x = layer(x)
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax", name="out")(x))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.RandomFlip("horizontal_and_vertical", name="r"),
        lambda: layers.RandomRotation(0.4, name="r"),
        lambda: layers.RandomZoom((-0.5, 0.5), name="r"),
        lambda: layers.RandomTranslation(0.3, 0.3, name="r"),
    ],
)
def test_a_bright_pixel_stays_in_its_mask(layer):
    augmentation, rest = split_augmentation(network(layer()), 255)
    reseed(augmentation.model, 3)
    images, masks = blobs()
    moved, moved_masks = (np.asarray(one) for one in augmentation(images, masks))
    assert not np.array_equal(moved_masks, masks)
    assert set(np.unique(moved_masks)) <= {0, 1}
    # Bilinear images and masks of the nearest pixel agree but for the border of the blob.
    differing = (moved[..., 0] > 0.5) != (moved_masks == 1)
    assert differing.mean() < 0.02
    assert [one.name for one in rest.layers if "random" in type(one).__name__.lower()] == []


def test_what_comes_from_beyond_the_border_is_void():
    layer = layers.RandomTranslation((0.5, 0.5), (0.0, 0.0), fill_mode="constant", fill_value=0.0, name="r")
    augmentation, _ = split_augmentation(network(layer), 255)
    images, masks = blobs()
    _, moved = augmentation(images, np.where(masks == 0, 2, masks).astype("uint8"))
    assert (np.asarray(moved)[:, :15] == 255).all()
    assert set(np.unique(np.asarray(moved)[:, 17:])) <= {1, 2}


def test_the_draw_is_that_of_the_layer_in_the_network():
    model = task_networks.flipped((32, 32, 1), 2)
    reseed(model, 5)
    images, masks = blobs()
    x = images
    for layer in model.layers[1:4]:
        x = layer(x, training=True)
    augmentation, _ = split_augmentation(task_networks.flipped((32, 32, 1), 2), 255)
    reseed(augmentation.model, 5)
    assert np.array_equal(np.asarray(augmentation(images, masks)[0]), np.asarray(x))


def test_layers_that_would_move_the_image_alone_are_refused():
    with pytest.raises(NetworkError, match=r"crop \(RandomCrop\).*augmentation=false"):
        split_augmentation(network(layers.RandomCrop(32, 32, name="crop")), 255)
    late = keras.Sequential([keras.Input((32, 32, 1)), layers.Conv2D(2, 1), layers.RandomFlip(name="late")])
    with pytest.raises(NetworkError, match=r"late \(RandomFlip\)"):
        split_augmentation(late, 255)


def test_a_network_without_such_layers_stays_as_it_is():
    model = network(layers.RandomContrast(0.1, name="contrast"))
    assert split_augmentation(model, 255) == (None, model)
