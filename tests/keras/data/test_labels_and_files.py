"""Faults of labels, ranges and frames are said, and parts that number their classes differently are not mixed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

import keras
import tensorflow as tf

from ablate.errors import NetworkError
from ablate.keras.data.loading import clear_pools, load
from ablate.keras.data.quality import contradictions, giveaways

pytestmark = pytest.mark.keras


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    clear_pools()
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))


def picture(seed, size=8):
    return np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)


def save(root, name, array):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(file)


def folder(root, **more):
    return load({"source": "folder", "path": str(root), "size": 8, "channels": 1, **more}, 0)


def arrays(classes, count=4, start=0):
    images = np.stack([picture(start + number) for number in range(len(classes) * count)])
    return images, np.repeat(np.arange(len(classes)), count)


class Named(tuple):
    """A pair of images and labels that knows what its labels are called, as data sets of Keras do."""

    class_names: list[str]


def named(names, **more):
    part = Named(arrays(names, **more))
    part.class_names = list(names)
    return part


RETURNED = {}


def builder_function():
    return {part: value for part, value in RETURNED.items()}


def built(**parts):
    clear_pools()
    RETURNED.clear()
    RETURNED.update(parts)
    return load({"source": "builder", "builder": f"{__name__}.builder_function", "channels": 1}, 0)


def test_numbers_of_parts_are_read_by_their_own_names():
    data = built(train=named(["daisy", "rose", "tulip"]), test=named(["rose", "tulip"], start=50))
    assert data.class_names == ("daisy", "rose", "tulip")
    assert data.counts["test"] == {"daisy": 0, "rose": 4, "tulip": 4}
    other_order = built(train=named(["a", "b"]), test=named(["b", "a"], count=2, start=50), class_names=["b", "a"])
    assert (other_order.class_names, other_order.counts["test"]) == (("b", "a"), {"b": 2, "a": 2})
    assert other_order.pool.labels[other_order.pool.official["train"]].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_classes_that_the_training_part_lacks_are_refused():
    with pytest.raises(NetworkError, match="classes in test that train lacks: lily"):
        built(train=named(["daisy", "rose"]), test=named(["daisy", "lily"], start=50))
    with pytest.raises(NetworkError, match="one-hot labels of 3 classes and of 2"):
        images, labels = arrays("abc")
        built(train=(images, np.eye(3)[labels]), test=(images[:4], np.eye(2)[[0, 1, 0, 1]]))


def test_batches_of_keras_without_an_end_are_read_once():
    class Batches(keras.utils.PyDataset):
        @property
        def class_indices(self):
            return {"a": 0, "b": 1}

        def __len__(self):
            return 2

        def __getitem__(self, index):
            images, labels = arrays("ab", count=2, start=100 * index)
            return images[..., None], labels

        def __iter__(self):
            while True:
                yield self[0]

    data = built(train=Batches())
    assert data.class_names == ("a", "b")
    assert sum(len(part) for part in data.subsets.values()) == 8


def endless():
    while True:
        images, labels = arrays("ab")
        yield from zip(images, labels, strict=True)


def test_a_generator_without_an_end_is_refused():
    with pytest.raises(NetworkError, match="has not ended"):
        built(train=endless())
    with pytest.raises(NetworkError, match="without end"):
        built(train=tf.data.Dataset.from_tensor_slices(arrays("ab")).repeat())


def test_a_table_of_hugging_face():
    class Feature:
        names = ("cat", "dog")

    class Table:
        column_names = ("image", "label")

        @property
        def features(self):
            return {"label": Feature}

        def __len__(self):
            return 8

        def __getitem__(self, number):
            if number >= 8:
                raise IndexError
            return {"image": Image.fromarray(picture(number)), "label": number % 2}

    data = built(train=Table())
    assert data.class_names == ("cat", "dog")
    assert sum(sum(part.values()) for part in data.counts.values()) == 8


class OtherTable(list):
    """Rows under other names of columns, as in CIFAR-100 of Hugging Face."""

    column_names = ("img", "fine_label", "coarse_label")


class Stream:
    """Rows that are read as they come, as with streaming=True."""

    column_names = ("image", "label")

    def __iter__(self):
        yield {"image": picture(0), "label": 0}


def test_tables_that_lack_columns_or_are_streams_say_what_to_return():
    with pytest.raises(NetworkError) as caught:
        built(train=OtherTable([{"img": picture(0), "fine_label": 0, "coarse_label": 0}]))
    assert "the columns img, fine_label, coarse_label" in str(caught.value)
    assert ".rename_column('img', 'image').rename_column('fine_label', 'label')" in str(caught.value)
    with pytest.raises(NetworkError, match="streaming=True"):
        built(train=Stream())


@pytest.mark.parametrize(("values", "names"), [([True, False], ("false", "true")), (["cat", "dog"], ("cat", "dog"))])
def test_labels_of_a_tf_data_set_may_be_truth_values_or_texts(values, names):
    """What the message about such sets of tensorflow-datasets says to return."""
    images = np.stack([picture(number) for number in range(8)])
    rows = tf.data.Dataset.from_tensor_slices({"photo": images, "kind": values * 4})
    data = built(train=rows.map(lambda example: (example["photo"], example["kind"])))
    assert data.class_names == names
    assert [sum(part[name] for part in data.counts.values()) for name in names] == [4, 4]


def test_images_of_12_bits_in_16_are_noted_and_scaled(tmp_path):
    for label in ("a", "b"):
        for number in range(6):
            values = np.full((8, 8), 4095, np.uint16)
            values[number, 0] = ord(label)
            save(tmp_path / "set", f"{label}/{number}.png", values)
    dark = folder(tmp_path / "set")
    assert dark.pool.images.max() == 15
    assert any("data.white=4095" in note for note in dark.pool.notes)
    bright = folder(tmp_path / "set", white=4095)
    assert bright.pool.images.max() == 255
    assert not any("16 bits" in note for note in bright.pool.notes)


def test_nearly_black_images_of_8_bits_are_noted(tmp_path):
    for label in ("a", "b"):
        for number in range(6):
            save(tmp_path / "set", f"{label}/{number}.png", picture(number + 10 * ord(label)) // 128)
    assert any("nearly black" in note for note in folder(tmp_path / "set").pool.notes)


def test_frames_and_small_images_are_noted(tmp_path):
    for label in ("a", "b"):
        for number in range(6):
            save(tmp_path / "set", f"{label}/{number}.png", picture(number + 10 * ord(label), size=4))
    frames = [Image.fromarray(picture(number, size=4)) for number in range(3)]
    frames[0].save(tmp_path / "set/a/film.gif", save_all=True, append_images=frames[1:])
    notes = " ".join(folder(tmp_path / "set").pool.notes)
    assert "1 files have several frames or pages (up to 3)" in notes
    assert "13 of 13 images are smaller than 8 x 8" in notes


def test_equal_images_with_different_labels_are_counted():
    images, labels = arrays("ab", count=10)
    images[1], images[11], images[12] = images[0], images[0], images[2]
    data = built(train=(images, labels))
    # Three equal images, two of one class: three pairs, of which two contradict; and one more pair that does.
    assert (contradictions(data).pairs, contradictions(data).contrary) == (4, 3)


def test_labels_that_the_source_gives_away(tmp_path):
    for label, ending, size in (("a", "png", 9), ("b", "bmp", 8)):
        for number in range(30):
            save(tmp_path / "set", f"{label}/{number}.{ending}", picture(number + 100 * size, size))
    found = {one.trait: (one.accuracy, one.chance) for one in giveaways(folder(tmp_path / "set"))}
    assert found == {"image size": (1.0, 0.5), "file type": (1.0, 0.5)}


def test_labels_that_nothing_gives_away(tmp_path):
    for label in ("cat", "dog"):
        for number in range(30):
            save(tmp_path / "set", f"{label}/{label}{number}.png", picture(number + 100 * len(label), 8 + number % 3))
    assert giveaways(folder(tmp_path / "set")) == ()


def test_the_fingerprint_of_the_data_changes_with_them_and_with_nothing_else(tmp_path):
    root = tmp_path / "set"
    for label in ("a", "b"):
        for number in range(6):
            save(root, f"{label}/{number}.png", picture(number + 10 * ord(label)))

    def prints(**more):
        clear_pools()
        return dict(folder(root, **more).pool.fingerprints)

    first = prints()
    assert list(first) == ["data/set"]
    assert prints(size=12) == first
    assert prints(channels=3, fit="crop", validation=0.3) == first
    assert prints(exclude=["0.png"]).keys().isdisjoint(first)
    (root / "a/0.png").rename(root / "b/moved.png")
    moved = prints()
    assert moved.keys() == first.keys() and moved != first
    save(root, "b/1.png", picture(99))
    assert prints() not in (first, moved)


def test_pointers_of_git_lfs_are_told(tmp_path):
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "0.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(NetworkError, match="git lfs pull"):
        folder(tmp_path / "set")
