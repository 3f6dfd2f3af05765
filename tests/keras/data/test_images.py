from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from ablate.keras.data.images import fitted, opened, picture

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_pictures_of_every_mode_come_in_the_wanted_channels_and_size(mode, channels):
    array = fitted(Image.new(mode, (7, 5)), (4, 6), channels, "stretch")
    assert array.shape == (4, 6, channels)
    assert array.dtype == np.uint8


def test_what_is_transparent_becomes_white_and_what_is_not_keeps_its_colour():
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    assert fitted(image, None, 3, "stretch").tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_sixteen_bits_are_scaled_not_clipped():
    image = Image.fromarray(np.array([[0, 256 * 100, 65535]], np.uint16))
    assert fitted(image, None, 1, "stretch")[0, :, 0].tolist() == [0, 100, 255]
    # A dark picture among others of 16 bits is dark.
    assert fitted(Image.fromarray(np.full((1, 1), 255, np.uint16)), None, 1, "stretch").item() == 0
    with pytest.raises(ValueError, match=r"^more than 16 bits a pixel$"):
        fitted(Image.fromarray(np.full((1, 1), 70000, np.int32)), None, 1, "stretch")


def test_floating_point_pictures_keep_their_shades():
    assert fitted(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), None, 1, "stretch")[0, :, 0].tolist() == [
        *(0, 128, 255)
    ]


def test_photos_are_turned_upright_and_large_ones_are_read_small(tmp_path):
    pixels = np.zeros((600, 800, 3), np.uint8)
    pixels[:, 400:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the right half of the file is the lower half of the photo
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif)
    for source in (tmp_path / "photo.jpg", (tmp_path / "photo.jpg").read_bytes()):
        with opened(source, (40, 30)) as (image, size):
            assert size == (800, 600)
            assert image.height < 250
            grey = fitted(image, (40, 30), 1, "stretch")[..., 0]
    assert grey[:18].max() < 60 and grey[22:].min() > 200
    with opened(tmp_path / "photo.jpg", None) as (image, size):
        assert (image.height, image.width) == size


def test_a_picture_is_stretched_cropped_or_padded():
    array = np.zeros((4, 8), np.uint8)
    array[:, 2:6] = 200
    image = picture(array)
    stretched, cropped, padded = (fitted(image, (4, 4), 1, fit)[..., 0] for fit in ("stretch", "crop", "pad"))
    assert cropped.min() == 200
    assert stretched[:, 0].max() < 100 < stretched[:, 1].min()
    assert padded[0].max() == 0 and padded[1].max() > 100


def test_arrays_of_several_types_are_pictures_and_others_are_refused():
    half = np.full((2, 2, 1), 0.5, np.float32)
    assert np.asarray(picture(half)).tolist() == [[128, 128], [128, 128]]
    assert np.asarray(picture(np.eye(2, dtype=bool))).tolist() == [[255, 0], [0, 255]]
    assert np.asarray(picture(np.full((1, 1), 65535, np.uint16))).tolist() == [[255]]
    assert np.asarray(picture(np.array([[0.0, 127.6, 255.0]]), 255)).tolist() == [[0, 128, 255]]
    assert np.asarray(picture(np.array([[0, 200]]))).tolist() == [[0, 200]]
    with pytest.raises(ValueError, match=r"^floating-point images between 0 and 1 are needed, not from 0 to 7$"):
        picture(np.array([[0.0, 7.0]]))
    with pytest.raises(ValueError, match=r"not from nan to nan$"):
        picture(np.array([[0.5, np.nan]]))
    with pytest.raises(
        ValueError,
        match=r"^unsigned numbers of 16 bits, or whole ones between 0 and 255 are needed, not from -1 to 3$",
    ):
        picture(np.array([[-1, 3]]))
    with pytest.raises(ValueError, match=r"an image of shape \(2, 2, 5\) and type uint8 is not a picture"):
        picture(np.zeros((2, 2, 5), np.uint8))
