"""Bad data, each told in full before any training; further messages are with the tests of their source."""

from __future__ import annotations

import pytest
from PIL import Image

pytest.importorskip("keras")

from ablate.keras.preflight import check

pytestmark = [
    pytest.mark.keras,
    pytest.mark.usefixtures("offline"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def images(folder, count, classes=("a", "b")):
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("L", (8, 8), 10 * number + label).save(folder / name / f"{number}.png")
    return {"source": "folder", "path": str(folder), "size": None, "channels": 1, "limit": None}


def error(config):
    return check([config])[0]["error"]


def with_data(tiny, data, **more):
    return {**tiny(**more), "data": data}


def test_unknown_sets_and_sets_of_another_task(tiny, tmp_path):
    set_of = {"source": "tfds", "data_dir": str(tmp_path)}
    pytest.importorskip("tensorflow_datasets")
    assert error(with_data(tiny, {**set_of, "name": "cifar100x"})) == (
        "data.name=cifar100x: tensorflow-datasets has no such set. Did you mean 'cifar100'? "
        "All names: https://www.tensorflow.org/datasets/catalog/overview."
    )
    assert error(with_data(tiny, {**set_of, "name": "celeb_a"})).startswith(
        "Data set 'celeb_a' is not one of image classification: it has no class labels. Its features: attributes, "
    )


def test_an_image_that_the_network_cannot_halve_so_often(tiny):
    assert error(tiny(model={"filters": [4, 4, 4, 4], "input_shape": [8, 8, 1]})) == (
        "Images of 8x8 pixels are too small for mini_xception, which halves them 4 times: at least 16x16 are "
        "needed. Use larger images or fewer entries in model.filters."
    )


def test_a_batch_larger_than_the_training_part(tiny, tmp_path):
    assert error(with_data(tiny, images(tmp_path / "set", 10), train={"batch_size": 15})) == (
        "train.batch_size=15: data set 'set' has 14 training images; a batch must not be larger."
    )


def test_more_classes_than_images(tiny, tmp_path):
    assert error(tiny(data={"limit": 9})) == (
        "data.limit=9: data set 'digits' has 10 classes, and each needs a training image at least."
    )
    assert error(with_data(tiny, images(tmp_path / "set", 1, classes="abcdef"))).startswith(
        "Data set 'set' has no training image of "
    )


def test_one_class_and_no_class(tiny, tmp_path):
    data = images(tmp_path / "set", 3, classes="a")
    assert error(with_data(tiny, data)) == (
        f"data.path={tmp_path}/set: at least two class folders are needed, found a."
    )
    (tmp_path / "set/a").rename(tmp_path / "a")
    assert "found no folder" in error(with_data(tiny, data))


def test_nothing_but_corrupt_images(tiny, tmp_path):
    data = images(tmp_path / "set", 2)
    for file in (tmp_path / "set").rglob("*.png"):
        file.write_bytes(b"")
    assert error(with_data(tiny, data)) == f"data.path={tmp_path}/set: none of its 4 images can be read."
    told = error(with_data(tiny, {**data, "size": 8, "skip_corrupt": True}))
    assert told.startswith(f"data.path={tmp_path}/set: no image in the class folders a, b. Known endings: ")


def test_a_cache_that_cannot_be_written_or_has_no_room(tiny, tmp_path, monkeypatch):
    data = {**images(tmp_path / "set", 3), "memory": 0, "cache": str(tmp_path / "file")}
    (tmp_path / "file").touch()
    advice = "Set data.cache to a folder that can, raise data.memory, or lower data.size."
    assert error(with_data(tiny, data)) == (
        f"The images need 0 MiB, more than data.memory=0 of the memory, and {tmp_path}/file cannot be written (File "
        f"exists). {advice}"
    )
    full = type("Full", (), {"f_bavail": 0, "f_frsize": 4096, "f_blocks": 0})
    monkeypatch.setattr("os.statvfs", lambda folder: full)
    assert error(with_data(tiny, {**data, "cache": str(tmp_path / "cache")})) == (
        f"The images need 0 MiB, more than data.memory=0 of the memory, and {tmp_path}/cache has no room for them. "
        f"{advice}"
    )
