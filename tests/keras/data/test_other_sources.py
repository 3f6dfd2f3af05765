"""Data in arrays, tables and masks, with splits by group and in the order of time; and what is refused of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

keras = pytest.importorskip("keras")

from ablate.errors import AblateError  # noqa: E402
from ablate.keras.data.forms import LabelForm  # noqa: E402
from ablate.keras.data.loading import clear_pools, load  # noqa: E402
from ablate.keras.data.report import describe  # noqa: E402
from ablate.keras.tasks import check_task  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture(autouse=True)
def fresh():
    clear_pools()


def loaded(data, task="classification", seed=0, **settings):
    chosen, values, faults = check_task({"name": task, **settings})
    assert faults == []
    return load(data, seed, chosen, values)


def refusal(data, task="classification", **settings):
    with pytest.raises(AblateError) as caught:
        loaded(data, task, **settings)
    return str(caught.value)


# Tables


@pytest.fixture
def houses(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(60),
            "size": rng.normal(100, 20, 60),
            "rooms": rng.integers(1, 6, 60),
            "town": np.where(np.arange(60) < 58, rng.choice(["Bonn", "Aachen"], 60), "Rare"),
            "owner": [f"o{number // 4}" for number in range(60)],
            "sold": pd.date_range("2020-01-01", periods=60).astype(str)[::-1],
            "price": rng.normal(300, 50, 60),
        }
    )
    frame.to_csv(tmp_path / "houses.csv", index=False)
    return {
        "source": "table",
        "path": str(tmp_path / "houses.csv"),
        "target": "price",
        "exclude": ["id", "owner", "sold"],
    }


def test_a_table_is_scaled_by_its_training_part_as_keras_does(houses):
    data = loaded(houses, "regression")
    assert data.pool.columns == ("size", "rooms", "town=Aachen", "town=Bonn", "town=Rare")
    scaled = (data.pool.images - data.offset) * data.factor
    normalization = keras.layers.Normalization()
    normalization.adapt(data.train.images[:, :2])
    assert np.allclose(scaled[:, :2], np.asarray(normalization(data.pool.images[:, :2])), atol=1e-5)
    frame = pd.read_csv(houses["path"])
    lookup = keras.layers.StringLookup(
        vocabulary=sorted(frame["town"].iloc[data.train.index].unique()), output_mode="one_hot", num_oov_indices=1
    )
    known = {f"town={name}": np.asarray(lookup([name] * 60))[0].argmax() for name in lookup.get_vocabulary()[1:]}
    encoded = np.asarray(lookup(frame["town"].tolist()))
    for name, column in known.items():
        assert np.array_equal(scaled[:, data.pool.columns.index(name)], encoded[:, column])


def test_a_category_that_training_lacks_is_zero_everywhere(houses):
    seeds = [loaded(houses, "regression", seed) for seed in range(12)]
    rare = [data for data in seeds if not set(data.train.index) & {58, 59}]
    assert rare and len(rare) < len(seeds)
    assert all(data.factor[4] == 0 for data in rare)


def test_no_group_is_in_two_parts(houses):
    data = loaded({**houses, "group": "owner"}, "regression")
    owners = pd.read_csv(houses["path"])["owner"].to_numpy()
    parts = [set(owners[part.index]) for part in data.subsets.values()]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert sum(map(len, parts)) == 15


def test_parts_follow_each_other_in_time(houses):
    data = loaded({**houses, "order": "sold"}, "regression")
    sold = pd.read_csv(houses["path"])["sold"].to_numpy()
    assert sold[data.train.index].max() < sold[data.validation.index].min()
    assert sold[data.validation.index].max() < sold[data.test.index].min()
    assert np.array_equal(data.train.index, loaded({**houses, "order": "sold"}, "regression", 5).train.index)
    assert len(data.test) == len(data.validation) == 9


def test_what_is_wrong_with_a_table_is_said_before_training(houses, tmp_path):
    assert "data.group=patient" in refusal({**houses, "group": "patient"}, "regression")
    assert "Did you mean 'owner'?" in refusal({**houses, "group": "ownr"}, "regression")
    assert "data.exclude=[id]" in refusal({**houses, "exclude": ["owner", "sold"], "categories": ["id"]}, "regression")
    assert "texts there" in refusal({**houses, "target": "town"}, "regression")
    frame = pd.read_csv(houses["path"])
    frame.loc[3, "size"] = np.nan
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    assert "size (1)" in refusal({**houses, "path": str(tmp_path / "gaps.csv")}, "regression")


def test_a_column_of_classes_is_a_classification(houses):
    data = loaded({**houses, "target": "owner", "exclude": ["id", "sold"]})
    assert data.classes == 15 and data.pool.form is LabelForm.CLASS
    assert "price" in data.pool.columns


# Arrays


def written(tmp_path, **arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    return {"source": "arrays", "path": str(tmp_path / "x.npz")}


def test_arrays_of_each_form_are_read(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 3)).astype("float32")
    config = written(tmp_path, x=rows, y=rng.normal(size=(40, 2)), who=np.arange(40) // 4, w=np.arange(40.0))
    data = loaded({**config, "group": "who", "sample_weights": "w"}, "regression")
    assert data.pool.labels.shape == (40, 2) and np.array_equal(data.pool.weights, np.arange(40))
    assert data.label_deviation == pytest.approx(data.train.labels.std(axis=0))
    clear_pools()
    parts = {
        f"{kind}_{part}": rng.integers(0, 2, (9, 4) if kind == "x" else 9)
        for kind in "xy"
        for part in ("train", "test")
    }
    data = loaded(written(tmp_path, **parts))
    assert len(data.test) == 9 and data.pool.vocabulary_size == 2
    assert any("data.inputs=" in note for note in data.pool.notes)
    clear_pools()
    series = written(tmp_path, x=rng.normal(size=(20, 6, 2)), y=rng.integers(0, 3, (20, 6)))
    assert loaded(series, "sequence").classes == 3


def test_labels_of_another_form_are_refused_with_the_form_that_is_needed(tmp_path):
    images = np.zeros((20, 8, 8, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(20)
    classes = written(tmp_path, x=images, y=np.arange(20) % 2)
    message = refusal(classes, "segmentation")
    assert "labels of shape (20,)" in message and "a class for each pixel" in message
    assert "task=segmentation needs a class for each pixel" in refusal({"source": "digits"}, "segmentation")
    small = written(tmp_path, x=images, y=np.zeros((20, 4, 4), np.uint8))
    assert "images have 8 x 8 pixels and their masks 4 x 4" in refusal(small, "segmentation")
    beyond = {**written(tmp_path, x=images, y=np.full((20, 8, 8), 7)), "class_names": ["a", "b"]}
    assert "7 (1280 pixels)" in refusal(beyond, "segmentation")
    assert loaded(beyond, "segmentation", void=7).classes == 2
    missing = written(tmp_path, x=images, labls=np.arange(20))
    assert "which are the labels?" in refusal(missing)


# Masks


def photos(folder, size=(6, 8), mask_size=None, palette=True):
    rng = np.random.default_rng(0)
    for number in range(12):
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "masks").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)).save(folder / f"images/{number:02}.jpg")
        mask = Image.fromarray(rng.integers(0, 3, mask_size or size).astype(np.uint8), mode="L")
        if palette:
            mask = mask.convert("P")
            mask.putdata(rng.integers(0, 3, (mask_size or size)[0] * (mask_size or size)[1]).tolist())
        mask.save(folder / f"masks/{number:02}.png")
    return {"source": "masks", "path": str(folder), "size": None}


def test_masks_keep_their_classes_at_any_size(tmp_path):
    data = loaded(photos(tmp_path), "segmentation")
    assert data.pool.labels.shape == (12, 6, 8) and data.classes == 3
    assert np.array_equal(data.pool.labels[3], np.asarray(Image.open(tmp_path / "masks/03.png")))
    doubled = loaded({**photos(tmp_path), "size": [12, 16]}, "segmentation")
    assert np.array_equal(doubled.pool.labels[:, ::2, ::2], data.pool.labels)
    padded = loaded({**photos(tmp_path), "size": [8, 8], "fit": "pad"}, "segmentation")
    assert (padded.pool.labels[:, 0] == 255).all() and np.array_equal(padded.pool.labels[:, 1:7], data.pool.labels)
    assert any("void" in line for line in describe(padded, {"seed": 0, "data": {}}))


def test_masks_that_do_not_fit_their_images_are_named(tmp_path):
    message = refusal(photos(tmp_path, mask_size=(6, 7)), "segmentation")
    assert "00.png has 6 x 7 pixels, and its image 00.jpg has 6 x 8" in message
    config = photos(tmp_path / "other")
    (tmp_path / "other/masks/04.png").unlink()
    assert "1 of 12 images without a mask" in refusal(config, "segmentation")


def test_a_mask_may_lie_beside_its_image(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(8):
        Image.fromarray(rng.integers(0, 255, (4, 4, 3), np.uint8)).save(tmp_path / f"p{number % 4}_{number}.png")
        mask = np.where(rng.random((4, 4)) < 0.5, 0, 255).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / f"p{number % 4}_{number}_mask.png")
    config = {"source": "masks", "path": str(tmp_path), "mask_suffix": "_mask", "size": None, "images": "."}
    data = loaded({**config, "group_pattern": r"(p\d)_", "validation": 0.25, "test": 0.25}, "segmentation")
    assert data.classes == 2 and set(np.unique(data.pool.labels)) == {0, 1}
    assert any("data.values=" in note for note in data.pool.notes)
    groups = [set(data.pool.groups[part.index].tolist()) for part in data.subsets.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 4
