"""Folders as public image sets have them: read for what they are, or refused with what to type."""

from __future__ import annotations

import shlex
from contextlib import suppress

import pytest
from PIL import Image

pytest.importorskip("keras")

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ablate.errors import NetworkError
from ablate.keras.data.folder_layout import ColumnChoice, Layout
from ablate.keras.data.image_listing import list_images

pytestmark = pytest.mark.keras


def write(root, *names, count=1):
    """Empty files: which class an image has is a matter of names."""
    for name in names:
        for number in range(count):
            file = root / name.format(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return root


def table(root, name, *lines):
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n")


def counts(root, **layout):
    """Images by part and class, as they were read."""
    listing = list_images(root, Layout(**layout))
    return {
        part: {
            name: int((listing.labels[index] == number).sum())
            for number, name in enumerate(listing.class_names)
            if (listing.labels[index] == number).any()
        }
        for part, index in listing.official.items()
    }


def typed(message):
    """The settings of data that a message says to type, as Hydra reads them."""
    words = [word.rstrip(".,;") for word in shlex.split(message.replace(" it's ", " ")) if word.startswith("data.")]
    values = {}
    for word in words:
        with suppress(HydraException):  # what the message received, and not what it says to type
            override = OverridesParser.create().parse_override(word)
            values[override.key_or_group.removeprefix("data.")] = override.value()
    return values


def refused(root, **layout):
    with pytest.raises(NetworkError) as caught:
        list_images(root, Layout(**layout))
    return str(caught.value)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training_set", "test_set"),
        ("train_data", "test_data"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training_set/training_set", "test_set/test_set"),
        ("TrainImages", "TestImages"),
        ("train/images", "test/images"),
        ("ILSVRC_img_train", "ILSVRC_img_test"),
        ("1.Training", "2.Test"),
    ],
)
def test_folders_of_parts_by_their_usual_names_are_parts(tmp_path, train, test):
    write(tmp_path, f"{train}/a/{{}}.jpg", f"{train}/b/{{}}.jpg", count=3)
    write(tmp_path, f"{test}/a/{{}}.jpg", f"{test}/b/{{}}.jpg", count=2)
    write(tmp_path, "__MACOSX/train/a/._0.jpg", ".DS_Store")
    assert counts(tmp_path) == {"train": {"a": 3, "b": 3}, "test": {"a": 2, "b": 2}}


def test_parts_may_be_given(tmp_path):
    for number in range(3):
        write(tmp_path, f"fold{number}/a/{number}.jpg", f"fold{number}/b/{number}.jpg")
    message = refused(tmp_path)
    assert set(typed(message)["parts"]) <= {"train", "test", "none"} or typed(message)["parts"] == "none"
    assert counts(tmp_path, parts={"train": ["fold0", "fold1"], "test": "fold2"}) == {
        "train": {"a": 2, "b": 2},
        "test": {"a": 1, "b": 1},
    }
    assert counts(tmp_path, parts="none") == {"train": {"fold0": 2, "fold1": 2, "fold2": 2}}
    assert "fold9" in refused(tmp_path, parts={"train": "fold9"})


@pytest.mark.parametrize(
    "names", [("cats_train", "cats_test", "dogs_train", "dogs_test"), ("fold0", "fold1"), ("HAM_part_1", "HAM_part_2")]
)
def test_classes_that_are_all_called_like_parts_are_refused(tmp_path, names):
    write(tmp_path, *(f"{name}/{{}}.jpg" for name in names), count=2)
    assert "data.parts=none" in refused(tmp_path)
    assert set(counts(tmp_path, parts="none")["train"]) == set(names)


def test_a_lone_part_beside_other_folders_is_not_guessed(tmp_path):
    write(tmp_path, "train/a/0.jpg", "train/b/0.jpg", "more/a/1.jpg")
    assert "data.parts=none" in refused(tmp_path)
    assert counts(tmp_path, parts={"train": "train"}) == {"train": {"a": 1, "b": 1}}


def test_a_class_may_be_called_like_a_part(tmp_path):
    write(tmp_path, "car/{}.jpg", "plane/{}.jpg", "train/{}.jpg", count=2)
    assert counts(tmp_path) == {"train": {"car": 2, "plane": 2, "train": 2}}


def test_flat_images_with_labels_in_their_names(tmp_path):
    write(tmp_path, "train/cat.{}.jpg", "train/dog.{}.jpg", count=4)
    write(tmp_path, "test1/{}.jpg", count=3)
    pattern = typed(refused(tmp_path))["label_pattern"]
    without_test = typed(refused(tmp_path, pattern=pattern))["parts"]
    assert counts(tmp_path, pattern=pattern, parts=without_test) == {"train": {"cat": 4, "dog": 4}}


def test_labels_in_the_names_of_pets(tmp_path):
    write(tmp_path, "images/Abyssinian_{}.jpg", "images/great_pyrenees_{}.jpg", count=5)
    write(tmp_path, "annotations/trimaps/Abyssinian_{}.png", count=5)
    told = typed(refused(tmp_path))
    assert told["path"] == str(tmp_path / "images")
    assert counts(tmp_path / "images", pattern=told["label_pattern"]) == {
        "train": {"Abyssinian": 5, "great_pyrenees": 5}
    }


def test_a_table_beside_flat_images(tmp_path):
    write(tmp_path, "train/{}.jpg", "test/t{}.jpg", count=4)
    table(tmp_path, "labels.csv", "id,breed", "0,boxer", "1,boxer", "2,pug", "3,pug")
    labels = typed(refused(tmp_path))["labels"]
    assert counts(tmp_path, labels=labels) == {"train": {"boxer": 2, "pug": 2}}
    assert any("test has no image with a row" in note for note in list_images(tmp_path, Layout(labels=labels)).notes)


def test_a_table_in_each_part(tmp_path):
    for part, count in (("train", 4), ("valid", 2), ("test", 2)):
        write(tmp_path, f"{part}/{part}_{{}}.jpg", count=count)
        rows = [f"{part}_{number}.jpg, {number % 2}, {1 - number % 2}" for number in range(count)]
        table(tmp_path / part, "_classes.csv", "filename, cat, dog", *rows)
    labels = typed(refused(tmp_path))["labels"]
    assert counts(tmp_path, labels=labels) == {
        "train": {"cat": 2, "dog": 2},
        "validation": {"cat": 1, "dog": 1},
        "test": {"cat": 1, "dog": 1},
    }
    table(tmp_path / "test", "_classes.csv", "filename, cat, dog", "test_0.jpg, 1, 1", "test_1.jpg, 0, 0")
    assert "1 rows have several classes and 1 have none" in refused(tmp_path, labels=labels)


def test_a_table_with_a_column_of_parts(tmp_path):
    write(tmp_path, "images/{}.png", count=4)
    table(
        tmp_path,
        "data.tsv",
        "path\tset\tclass",
        "images/0.png\ttrain\ta",
        "images/1.png\ttrain\tb",
        "images/2.png\ttest\ta",
        "images/3.png\ttest\tb",
    )
    assert counts(tmp_path, labels="data.tsv") == {"train": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}}


def test_a_table_for_one_part_and_class_folders_for_another(tmp_path):
    write(tmp_path, "train/n01/images/n01_{}.JPEG", "train/n02/images/n02_{}.JPEG", count=3)
    write(tmp_path, "val/images/val_{}.JPEG", "test/images/test_{}.JPEG", count=2)
    table(tmp_path / "val", "val_annotations.txt", "val_0.JPEG\tn01\t0\t0\t9\t9", "val_1.JPEG\tn02\t0\t0\t9\t9")
    assert "val_annotations.txt" in refused(tmp_path)
    parts = {"train": "train", "test": "val"}
    columns = ColumnChoice(label="2")
    write(tmp_path, "Meta/{}.png", count=4)  # names that are numbers of classes as well
    assert counts(tmp_path, labels="val_annotations.txt", parts=parts, columns=columns) == {
        "train": {"n01": 3, "n02": 3},
        "test": {"n01": 1, "n02": 1},
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["id,label", "0,a", "9,b"], "1 of 2 rows name an image that is not there: 9"),
        (["id,label", "0,a", "0,b", "1,b"], "give an image another class"),
        (["id,label", "0,", "1,b"], "1 rows have no 'label': 1"),
        (["file,label", "cat/0.jpg,a", "1,b"], "not there: cat/0.jpg"),
        (["key,label", "x,a", "y,b"], "data.image_column"),
        (["id,age,height", "0,3,5", "1,4,6", "2,4,5", "3,3,6"], "data.label_column"),
        (["id,label", "0,a", "1,b", "2,c", "3,d"], "are no classes"),
        (["id"], "has no two columns"),
    ],
)
def test_tables_that_are_not_clear_are_refused(tmp_path, lines, said):
    write(tmp_path, "{}.jpg", count=4)
    table(tmp_path, "labels.csv", *lines)
    assert said in refused(tmp_path, labels="labels.csv")


def test_missing_tables_and_columns_are_told(tmp_path):
    write(tmp_path, "{}.jpg", count=4)
    table(tmp_path, "labels.csv", "id,label", "0,a", "1,b")
    assert "tables there: labels.csv" in refused(tmp_path, labels="label.csv")
    message = refused(tmp_path, labels="labels.csv", columns=ColumnChoice(label="lable"))
    assert "Did you mean 'label'?" in message


def test_classes_that_hold_their_parts(tmp_path):
    write(tmp_path, "cat/train/{}.jpg", "dog/train/{}.jpg", count=3)
    write(tmp_path, "cat/test/t{}.jpg", "dog/test/t{}.jpg", count=2)
    assert counts(tmp_path) == {"train": {"cat": 3, "dog": 3}, "test": {"cat": 2, "dog": 2}}


def test_nested_classes(tmp_path):
    for alphabet in ("Greek", "Latin"):
        write(tmp_path, f"{alphabet}/character01/{{}}.png", f"{alphabet}/character02/{{}}.png", count=2)
    message = refused(tmp_path)
    assert "data.depth=1" in message and "data.depth=2" in message
    assert counts(tmp_path, depth=1) == {"train": {"Greek": 4, "Latin": 4}}
    assert counts(tmp_path, depth=2)["train"] == {
        f"{alphabet}/character0{number}": 2 for alphabet in ("Greek", "Latin") for number in (1, 2)
    }
    assert counts(tmp_path, pattern=typed(message)["label_pattern"]) == {"train": {"character01": 4, "character02": 4}}


def test_masks_are_no_classes(tmp_path):
    write(tmp_path / "one", "images/{}.png", "masks/{}.png", count=3)
    assert "no classes" in refused(tmp_path / "one")
    write(tmp_path / "two", "benign/benign ({}).png", "benign/benign ({})_mask.png", "malignant/x{}.png", count=3)
    exclude = typed(refused(tmp_path / "two"))["exclude"]
    assert counts(tmp_path / "two", exclude=tuple(exclude)) == {"train": {"benign": 3, "malignant": 3}}


def test_a_level_too_high_or_too_low_says_the_right_folder(tmp_path):
    write(tmp_path, "archive/photos/cat/{}.jpg", "archive/photos/dog/{}.jpg", count=2)
    assert typed(refused(tmp_path))["path"] == str(tmp_path / "archive/photos")
    assert typed(refused(tmp_path / "archive/photos/cat"))["path"] == str(tmp_path / "archive/photos")


def test_a_path_to_type_survives_any_letters(tmp_path):
    folder = tmp_path / "my sets (new), 사진 'a'"
    write(folder, "photos/cat/{}.jpg", "photos/dog/{}.jpg", count=2)
    assert typed(refused(folder).rsplit("photos: ", 1)[1])["path"] == str(folder / "photos")


def test_names_that_differ_by_case_or_form_alone_are_refused(tmp_path):
    write(tmp_path / "one", "train/Cat/0.jpg", "train/dog/0.jpg", "test/cat/1.jpg", "test/dog/1.jpg")
    assert "'Cat' (train) and 'cat' (test)" in refused(tmp_path / "one")
    write(tmp_path / "two", "train/caf\u00e9/0.jpg", "train/b/0.jpg", "test/cafe\u0301/1.jpg", "test/b/1.jpg")
    assert "'caf\\xe9' (train)" in refused(tmp_path / "two")


def test_files_and_archives_are_no_folders(tmp_path):
    (tmp_path / "photos.zip").touch()
    assert "this is a file" in refused(tmp_path / "photos.zip")


def test_a_class_without_test_images_is_noted(tmp_path):
    write(tmp_path, "train/a/0.jpg", "train/b/0.jpg", "train/c/0.jpg", "test/a/1.jpg", "test/b/1.jpg")
    assert "No test image of 1 of the 3 classes: c." in list_images(tmp_path).notes


def test_rare_endings_and_none_count(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for ending in ("jp2", "pbm", "tga", "pgm"):
            Image.new("1" if ending == "pbm" else "L", (8, 8)).save(tmp_path / name / f"0.{ending}")
        Image.new("L", (8, 8)).save(tmp_path / name / "plain", "PNG")
        (tmp_path / name / "README").write_text("no image")
    assert counts(tmp_path) == {"train": {"a": 5, "b": 5}}


def test_a_folder_that_is_linked_is_read_once(tmp_path):
    write(tmp_path, "set/a/{}.jpg", "elsewhere/{}.jpg", count=3)
    (tmp_path / "set/b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/a/loop").symlink_to(tmp_path / "set")
    assert counts(tmp_path / "set") == {"train": {"a": 3, "b": 3}}
