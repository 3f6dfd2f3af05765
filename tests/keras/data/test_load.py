from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from ablate.errors import ConfigError, NetworkError
from ablate.keras.data import SOURCES
from ablate.keras.data.batches import TensorBatches
from ablate.keras.data.loading import clear_pools, load
from ablate.keras.tasks.task import Encoding

pytestmark = pytest.mark.keras

DIGITS = {"source": "digits", "size": None}


def test_the_digits_come_in_three_parts_with_their_facts():
    data = load({**DIGITS, "size": 16}, 0)
    assert data.input_shape == (16, 16, 1)
    assert data.classes == 10
    assert data.class_names == tuple("0123456789")
    assert {name: len(part) for name, part in data.subsets.items()} == {"train": 1257, "validation": 270, "test": 270}
    assert all(24 <= count <= 30 for count in data.counts["test"].values())
    assert data.train.images.shape == (1257, 16, 16, 1)
    assert data.train.images.dtype == np.uint8
    assert data.train.images.max() == 255


def test_digits_keep_their_pixels_and_take_any_size_and_channels():
    from sklearn.datasets import load_digits

    plain = load(DIGITS, 0)
    expected = np.round(load_digits().images * 255 / 16)
    assert np.array_equal(plain.pool.images[..., 0], expected)
    assert load({**DIGITS, "size": [10, 12], "channels": 3}, 0).input_shape == (10, 12, 3)


def test_images_are_decoded_once_for_all_seeds():
    first, second = load(DIGITS, 0), load({**DIGITS, "limit": 300}, 1)
    assert first.pool is second.pool
    assert first.fingerprint != load(DIGITS, 1).fingerprint
    clear_pools()
    again = load(DIGITS, 0)
    assert again.pool is not first.pool
    assert again.fingerprint == first.fingerprint


def test_resplit_false_is_one_split_for_all_seeds():
    fixed = {**DIGITS, "resplit": False}
    assert load(fixed, 0).fingerprint == load(fixed, 5).fingerprint == load(DIGITS, 0).fingerprint


def test_scaling_by_mean_and_deviation_reads_the_training_part_alone():
    data = load({**DIGITS, "channels": 3, "scaling": "standard"}, 0)
    values = data.train.images.astype(np.float64).reshape(-1, 3)
    assert data.offset == pytest.approx(values.mean(axis=0), rel=1e-5)
    assert data.factor == pytest.approx(1 / values.std(axis=0), rel=1e-5)
    other = load({**DIGITS, "channels": 3, "scaling": "standard"}, 1)
    assert not np.array_equal(other.offset, data.offset)
    unit = load(DIGITS, 0)
    assert (unit.offset, unit.factor) == (0, np.float32(1 / 255))


@pytest.mark.parametrize("memory", [0.25, 0])
def test_batches_give_the_images_in_the_order_that_is_set(memory, tmp_path, shared_data):
    config = {"source": "folder", "path": str(shared_data / "images/rps"), "size": 8}
    data = load({**config, "memory": memory, "cache": str(tmp_path)}, 0)
    assert isinstance(data.pool.images, np.memmap) == (memory == 0)
    batches = TensorBatches(data.pool, 16, Encoding(one_hot=data.classes))
    for order in (data.test.index, data.test.index[::-1]):
        batches.select(data, order)
        assert batches.steps == 3
        images, labels = map(
            np.concatenate, zip(*batches.pipeline.map(batches.scaled).as_numpy_iterator(), strict=True)
        )
        assert np.allclose(images, data.pool.images[order] / np.float32(255))
        assert np.array_equal(labels.argmax(axis=1), data.pool.labels[order])
    assert len(list(tmp_path.glob("*.npy"))) == 1


@pytest.mark.parametrize(("batch_size", "one_hot"), [(32, False), (7, True)])
def test_the_pipeline_gives_the_batches_that_a_step_cuts_out_itself(batch_size, one_hot):
    data = load({**DIGITS, "scaling": "standard"}, 0)
    batches = TensorBatches(data.pool, batch_size, Encoding(one_hot=data.classes if one_hot else None))
    batches.select(data, data.train.index[:99])
    assert int(batches.pipeline.cardinality()) == batches.steps
    for step, (raw, classes) in enumerate(batches.pipeline):
        assert raw.dtype == "uint8"
        assert all(np.array_equal(a, b) for a, b in zip(batches.scaled(raw, classes), batches.batch(step), strict=True))


def test_decoded_images_beyond_the_memory_are_read_from_their_file_the_next_time(tmp_path, shared_data):
    config = {"source": "folder", "path": str(shared_data / "images/rps"), "size": 8, "memory": 0}
    config["cache"] = str(tmp_path / "cache")
    first = load(config, 0)
    file = next((tmp_path / "cache").glob("*.npy"))
    stamp = file.stat().st_mtime_ns
    clear_pools()
    assert load(config, 0).fingerprint == first.fingerprint
    assert file.stat().st_mtime_ns == stamp
    clear_pools()
    (tmp_path / "file").touch()
    with pytest.raises(NetworkError, match=r"cannot be written .*\. Set data\.cache to a folder that can, raise"):
        load({**config, "cache": str(tmp_path / "file")}, 0)


def test_every_fault_of_the_data_section_is_told_at_once():
    wrong = {"source": "digits", "sise": 3, "size": [1, 2, 3], "channels": 2, "fit": "strech", "limit": 1}
    with pytest.raises(ConfigError) as caught:
        load(wrong, 0)
    assert str(caught.value).splitlines() == [
        "data has no key 'sise'. Did you mean 'size'?",
        "data.size=[1,2,3]: must be a whole number of at least 1, or two of them: [height, width], or null.",
        "data.channels=2: must be 1 (grey), 3 (colour) or 4 (with alpha).",
        "data.fit=strech: must be one of crop, pad, stretch. Did you mean 'stretch'?",
        "data.limit=1: must be a whole number of at least 2, or null.",
    ]
    with pytest.raises(ConfigError) as caught:
        load({"source": "digit"}, 0)
    listed = ", ".join(sorted(SOURCES))
    assert str(caught.value) == f"data.source=digit: must be one of {listed}. Did you mean 'digits'?"
    with pytest.raises(ConfigError) as caught:
        load({**DIGITS, "validation": 0.5, "test": 0.5}, 0)
    assert str(caught.value) == (
        "data.validation=0.5 and data.test=0.5 leave nothing to train on: their sum must be below 1."
    )
