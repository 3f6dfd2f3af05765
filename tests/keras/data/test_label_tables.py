"""Several tables of labels that belong together: joined by a column they share, parts below one another, or refused."""

from __future__ import annotations

import shlex

import pytest
from PIL import Image

pytest.importorskip("keras")

from hydra.core.override_parser.overrides_parser import OverridesParser

from ablate.errors import NetworkError
from ablate.keras.data.folder_layout import ColumnChoice, Layout
from ablate.keras.data.image_listing import list_images
from ablate.keras.settings import check_data

pytestmark = pytest.mark.keras


def images(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def table(root, name, *lines):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n")


def read(root, labels, depth=None, **columns):
    """The class of each image by its path, by part."""
    found = list_images(root, Layout(labels=labels, depth=depth, columns=ColumnChoice(**columns)))
    return {
        part: {
            found.files[place].relative_to(root).as_posix(): found.class_names[found.labels[place]] for place in index
        }
        for part, index in found.official.items()
    }


def refused(root, labels, **columns):
    with pytest.raises(NetworkError) as caught:
        read(root, labels, **columns)
    return str(caught.value)


def typed(message, key):
    """The value of a setting that a message says to type, as Hydra reads it."""
    words = [word.rstrip(".,;") for word in shlex.split(message) if word.startswith(f"data.{key}=")]
    return OverridesParser.create().parse_override(words[-1]).value()


@pytest.fixture
def birds(tmp_path):
    """The layout of CUB-200-2011: tables without names of columns, joined by numbers."""
    names = [f"00{1 + number % 2}.Bird/{number}.jpg" for number in range(6)]
    images(tmp_path, *(f"images/{name}" for name in names))
    table(tmp_path, "images.txt", *(f"{10 + number} {name}" for number, name in enumerate(names)))
    # In another order, so that rows that happened to lie side by side would be wrong.
    table(tmp_path, "image_class_labels.txt", *(f"{10 + number} {1 + number % 2}" for number in (3, 1, 2, 5, 4, 0)))
    table(tmp_path, "train_test_split.txt", *(f"{10 + number} {int(number < 4)}" for number in (5, 4, 0, 1, 2, 3)))
    table(tmp_path, "classes.txt", "1 albatross", "2 finch")
    return tmp_path


BIRDS = ["images.txt", "image_class_labels.txt", "train_test_split.txt"]
SPLIT = {"train": 1, "test": 0}


def test_tables_without_names_are_joined_by_the_numbers_that_they_share(birds):
    expected = {
        "train": {f"images/00{1 + number % 2}.Bird/{number}.jpg": str(1 + number % 2) for number in range(4)},
        "test": {f"images/00{1 + number % 2}.Bird/{number}.jpg": str(1 + number % 2) for number in (4, 5)},
    }
    assert read(birds, BIRDS, part_values=SPLIT) == expected
    names = {"1": "albatross", "2": "finch"}
    named = {part: {path: names[name] for path, name in of_part.items()} for part, of_part in expected.items()}
    for order in ([*BIRDS, "classes.txt"], ["classes.txt", *BIRDS[::-1]]):
        assert read(birds, order, part_values=SPLIT) == named


def test_a_column_of_0_and_1_that_may_be_one_of_parts_is_not_guessed(birds):
    message = refused(birds, BIRDS)
    assert typed(message, "part_values") == {"train": 1, "test": 0}
    assert "0 (2 rows), 1 (4 rows)" in message
    assert {*read(birds, BIRDS, part="none", label="image_class_labels.2")} == {"train"}


def test_a_name_that_says_what_1_is_is_read_and_said(tmp_path):
    images(tmp_path, *(f"{number}.png" for number in range(4)))
    table(tmp_path, "t.csv", "file,label,is_test", "0.png,a,0", "1.png,b,0", "2.png,a,1", "3.png,b,1")
    assert {part: len(of_part) for part, of_part in read(tmp_path, "t.csv").items()} == {"test": 2, "train": 2}
    notes = list_images(tmp_path, Layout(labels="t.csv")).notes
    assert any("1 is taken for test" in note and "data.part_values" in note for note in notes)
    swapped = read(tmp_path, "t.csv", part_values={"train": "1", "test": ["0"]})
    assert {*swapped["train"]} == {"2.png", "3.png"}


def test_a_class_that_is_called_train_is_no_part(tmp_path):
    images(tmp_path, *(f"{number}.png" for number in range(4)))
    table(tmp_path, "_classes.csv", "filename,car,train", "0.png,1,0", "1.png,0,1", "2.png,1,0", "3.png,0,1")
    assert set(read(tmp_path, "_classes.csv")["train"].values()) == {"car", "train"}


def test_tables_with_the_same_columns_are_parts_by_their_names(tmp_path):
    images(tmp_path, *(f"Train/{number}/{number}_{copy}.png" for number in range(2) for copy in range(2)))
    images(tmp_path, "Test/0.png", "Test/1.png")
    head = "Width,Height,ClassId,Path"
    rows = [f"9,9,{number},Train/{number}/{number}_{copy}.png" for number in range(2) for copy in range(2)]
    table(tmp_path, "Train.csv", head, *rows)
    table(tmp_path, "Test.csv", head, "9,9,1,Test/0.png", "9,9,0,Test/1.png")
    assert read(tmp_path, ["Train.csv", "Test.csv"]) == {
        "train": {f"Train/{number}/{number}_{copy}.png": str(number) for number in range(2) for copy in range(2)},
        "test": {"Test/0.png": "1", "Test/1.png": "0"},
    }


def test_tables_whose_names_are_no_parts_are_given_by_part(tmp_path):
    images(tmp_path, *(f"{number}.png" for number in range(6)))
    table(tmp_path, "trainval.txt", "0 1", "1 2", "2 1", "3 2")
    table(tmp_path, "rest.txt", "4 2", "5 1")
    labels = typed(refused(tmp_path, ["trainval.txt", "rest.txt"]), "labels")
    assert read(tmp_path, labels) == {
        "train": {"0.png": "1", "1.png": "2", "2.png": "1", "3.png": "2"},
        "test": {"4.png": "2", "5.png": "1"},
    }
    table(tmp_path, "rest.txt", "4 2", "0 1")
    assert "name 0.png" in refused(tmp_path, labels)


def test_lists_of_files_are_parts_and_folders_the_classes(tmp_path):
    """The lists of Food-101 (without endings) and of DTD."""
    images(tmp_path, *(f"images/{name}/{number}.jpg" for name in ("pie", "ribs") for number in range(3)))
    table(tmp_path, "meta/train.txt", "pie/0", "pie/1", "ribs/0", "ribs/1")
    table(tmp_path, "meta/test.txt", "pie/2.jpg", "ribs/2.jpg")
    found = read(tmp_path, {"train": "meta/train.txt", "test": "meta/test.txt"})
    assert found["test"] == {"images/pie/2.jpg": "pie", "images/ribs/2.jpg": "ribs"}
    assert sorted(found["train"].values()) == ["pie", "pie", "ribs", "ribs"]
    table(tmp_path, "meta/train.txt", "cake/0.jpg", "pie/0.jpg", "ribs/0.jpg")
    # A first line whose image is missing is no header that may be left out.
    assert "cake/0.jpg" in refused(tmp_path, {"train": "meta/train.txt", "test": "meta/test.txt"})


def test_tables_with_names_are_joined_by_the_name_that_they_share(tmp_path):
    images(tmp_path, *(f"{number}.png" for number in range(4)))
    table(tmp_path, "train.csv", "file,class_id", "0.png,7", "1.png,8", "2.png,7", "3.png,8")
    table(tmp_path, "names.csv", "class_id,class_name", "8,owl", "7,cat", "9,emu")
    assert read(tmp_path, ["train.csv", "names.csv"])["train"]["1.png"] == "owl"
    table(tmp_path, "names.csv", "class_id,class_name", "7,cat")
    assert "1 values of 'class_id' in train.csv have no row in names.csv: 8" in refused(
        tmp_path, ["train.csv", "names.csv"]
    )
    table(tmp_path, "names.csv", "class_id,class_name", "7,cat", "8,owl", "8,emu")
    assert "several rows with the same value of class_id" in refused(tmp_path, ["train.csv", "names.csv"])
    table(tmp_path, "names.csv", "number,name", "7,cat", "8,owl")
    assert "shares no column with train.csv" in refused(tmp_path, ["train.csv", "names.csv"])


def test_tables_that_could_be_joined_in_several_ways_are_refused(tmp_path):
    images(tmp_path, "a.png", "b.png")
    table(tmp_path, "images.txt", "1 2 a.png", "2 1 b.png")
    table(tmp_path, "labels.txt", "1 x", "2 y")
    assert "is not clear" in refused(tmp_path, ["images.txt", "labels.txt"])


def test_missing_tables_are_named_all_at_once(tmp_path):
    images(tmp_path, "a.png")
    table(tmp_path, "images.txt", "1 a.png")
    message = refused(tmp_path, ["image.txt", "images.txt", "label.txt"])
    assert "image.txt, label.txt" in message
    assert "tables there: images.txt" in message
    table(tmp_path, "images.txt", "1 x.png")
    table(tmp_path, "label.txt", "1 cat")
    assert "no column of images.txt, label.txt names image files" in refused(tmp_path, ["images.txt", "label.txt"])


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ("a.csv", True),
        (["a.csv", "b.csv"], True),
        ({"train": "a.csv", "test": ["b.csv", "c.csv"]}, True),
        ({"test": "b.csv"}, False),
        ({"training": "a.csv"}, False),
        ([], False),
        ([1], False),
    ],
)
def test_what_may_name_tables(value, is_right):
    faults = check_data({"source": "folder", "path": "p", "labels": value})[1]
    assert (faults == []) == is_right
    assert is_right or "{train: a.csv}" in faults[0]


def test_a_set_of_joined_tables_loads(birds):
    from ablate.keras.data.loading import clear_pools, load

    for number in range(6):
        Image.new("RGB", (6, 6), (40 * number, 0, 0)).save(birds / f"images/00{1 + number % 2}.Bird/{number}.jpg")
    values = {"source": "folder", "path": str(birds), "labels": [*BIRDS, "classes.txt"], "size": 6}
    clear_pools()
    dataset = load(values | {"part_values": SPLIT, "cache": str(birds / "cache"), "validation": 0.5}, 0)
    assert dataset.class_names == ("albatross", "finch")
    assert len(dataset.test) == 2
    assert len(dataset.train) + len(dataset.validation) == 4
