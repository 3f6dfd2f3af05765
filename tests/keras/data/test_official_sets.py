"""The official builders of tensorflow-datasets, prepared without a network and trained on."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow_datasets")

import tensorflow_datasets as tfds

from ablate.keras.data.loading import load
from ablate.keras.data.quality import Overlap, overlaps, repeats
from ablate.keras.data.tfds import _read_split
from ablate.keras.train import train
from ablate.store.run_folder import RunFolder

pytestmark = [
    pytest.mark.keras,
    pytest.mark.usefixtures("offline"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_fashion_mnist_is_prepared_and_trained_on(fashion_files, tiny, tmp_path):
    config = {"source": "tfds", "name": "fashion_mnist", "data_dir": str(fashion_files), "channels": 1}
    data = load(config, 0)
    assert len(data.train) + len(data.validation) == 60_000
    assert len(data.test) == 10_000
    assert data.input_shape == (28, 28, 1)
    assert data.class_names[0] == "T-shirt/top"
    assert set(data.counts["test"].values()) == {1000}
    builder = tfds.builder("fashion_mnist", data_dir=str(fashion_files))
    first = next(iter(builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator()))
    assert np.array_equal(data.pool.images[data.pool.official["train"][0]], first["image"])
    small = {**config, "limit": 400}
    result = train({**tiny(train={"epochs": 3, "learning_rate": 0.02}), "data": small}, RunFolder(tmp_path))
    assert result["test_accuracy"] > 0.25


def test_telugu_is_prepared_and_trained_on_and_its_copies_are_told(telugu, tiny, tmp_path):
    config = {"source": "tfds", "name": "cmaterdb/telugu", "data_dir": str(telugu)}
    data = load(config, 0)
    assert (len(data.train) + len(data.validation), len(data.test)) == (2500, 500)
    shared = {(one.first, one.second): one for one in overlaps(data) if one.second == "test"}
    assert sum(one.images for one in shared.values()) >= 3
    assert all(one.contrary == 0 for one in shared.values())
    together = load({**config, "validation": 0.0004}, 0)
    assert Overlap("train", "test", 3, 0) in overlaps(together)
    assert repeats(together)["train"] == 2
    small = {**config, "size": 16, "channels": 1, "limit": 1200}
    result = train({**tiny(train={"epochs": 6, "learning_rate": 0.02}), "data": small}, RunFolder(tmp_path))
    assert result["test_accuracy"] > 0.25


def test_records_are_read_as_the_library_reads_them(telugu):
    load({"source": "tfds", "name": "cmaterdb/telugu", "data_dir": str(telugu)}, 0)
    builder = tfds.builder("cmaterdb/telugu", data_dir=str(telugu))
    library = list(builder.as_dataset(split="train[10%:13%]", shuffle_files=False).as_numpy_iterator())
    blocks = _read_split(builder, "train[10%:13%]", "image", "label", (32, 32, 3), "stretch")
    images, columns = (np.concatenate(values) for values in zip(*blocks, strict=True))
    assert np.array_equal(images, [example["image"] for example in library])
    assert np.array_equal(columns["labels"], [example["label"] for example in library])
    assert (columns["sizes"] == 32).all() and len(images) == 75
    blocks = list(_read_split(builder, "test", "image", "label", (12, 20, 1), "crop"))
    assert sum(len(columns) for _, columns in blocks) == 500
    assert blocks[0][0].shape[1:] == (12, 20, 1)
