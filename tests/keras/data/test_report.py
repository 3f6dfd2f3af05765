from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

keras = pytest.importorskip("keras")

from ablate.errors import ConfigError, StoreError  # noqa: E402
from ablate.keras.data.loading import load  # noqa: E402
from ablate.keras.data.report import main  # noqa: E402
from ablate.keras.data.samples import augmentation_of, augmented, sample_positions  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def test_the_facts_of_a_data_set_are_told_and_samples_are_drawn(tiny, tmp_path):
    lines = main(tiny(data={"limit": 300}), tmp_path / "out")
    text = "\n".join(lines)
    assert re.match(r"Data set 'digits' at seed 0, fingerprint [0-9a-f]{16}$", lines[0])
    assert "images       8 x 8 pixels, grey; in the source 8 x 8" in text
    assert re.search(r"^ +all +247 +53 +270$", text, re.MULTILINE)
    assert "equal images none" in text
    assert "in memory; data.memory=0.25 allows" in text
    assert "scaling      x * 0.003922" in text
    assert text.endswith("samples.png (the network has no augmentation)")
    with Image.open(tmp_path / "out/samples.png") as image:
        assert image.width > 300 and image.height > 300


def test_photos_of_many_sizes_and_an_augmented_network(tiny, shared_data, tmp_path):
    data = {"source": "folder", "path": str(shared_data / "images/rps"), "size": 32, "channels": 3, "limit": None}
    config = {**tiny(), "data": data, "augmentation": True}
    lines = main(config, tmp_path)
    assert "in the source 95 to 379 high and 95 to 384 wide" in lines[1]
    assert lines[-1].endswith("(as stored and augmented)")
    first = (tmp_path / "samples.png").read_bytes()
    main(config, tmp_path)
    assert (tmp_path / "samples.png").read_bytes() == first


def test_the_sheet_says_where_the_network_cannot_be_built(tiny, tmp_path):
    lines = main(tiny(model={"filters": [4] * 6, "input_shape": [8, 8, 1]}), tmp_path)
    assert "(without augmentation, because the network cannot be built: Images of 8x8 pixels are too small" in lines[-1]


def test_samples_are_training_images_of_their_class():
    data = load({"source": "digits", "limit": 60}, 0)
    places = sample_positions(data, classes=4, per_class=9)
    assert places.shape == (4, 9)
    for label, row in enumerate(places):
        shown = row[row >= 0]
        assert set(shown) <= set(data.train.index)
        assert (data.pool.labels[shown] == label).all()
    assert (places == -1).any()


def test_only_random_layers_right_behind_the_input_are_augmentation():
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.RandomTranslation(0.5, 0.5, fill_mode="constant", seed=0)(inputs)
    x = keras.layers.Rescaling(2.0)(x)
    x = keras.layers.Conv2D(2, 3)(x)
    x = keras.layers.Flatten()(keras.layers.GaussianNoise(1.0)(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    found = augmentation_of(model)
    assert [layer.__class__.__name__ for layer in found.layers] == ["InputLayer", "RandomTranslation"]
    data = load({"source": "digits", "size": 8, "scaling": "standard"}, 0)
    images = data.train.images[:6]
    changed = augmented(found, data, images)
    assert changed.shape == images.shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, images)
    assert augmentation_of(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])) is None
    block = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.RandomFlip(seed=1)])
    inputs = keras.Input((8, 8, 1))
    assert augmentation_of(keras.Model(inputs, keras.layers.Flatten()(block(inputs)))) is not None


def test_bad_input_is_told(tiny, tmp_path):
    with pytest.raises(ConfigError, match=r"^data has no key 'sise'\. Did you mean 'size'\?$"):
        main(tiny(data={"sise": 3}), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"^Cannot write '.*file/samples\.png': (File exists|Not a directory)\.$"):
        main(tiny(), tmp_path / "file")
