from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from ablate.errors import NetworkError
from ablate.keras.data import forget, load

pytestmark = pytest.mark.keras


@pytest.fixture(autouse=True)
def fresh():
    forget()


def write(folder, count, mode="RGB", size=(6, 5), ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        shade = 20 + 10 * number
        colour = shade if mode in ("L", "P", "I;16", "1") else (shade,) * len(mode)
        Image.new(mode, size, colour).save(folder / f"{number:02d}.{ending}")


def config(path, **more):
    return {"source": "folder", "path": str(path), "size": 4, "validation": 0.25, "test": 0.25, **more}


def message(path, **more):
    with pytest.raises(NetworkError) as caught:
        load(config(path, **more), 0)
    return str(caught.value)


def test_class_folders_of_mixed_pictures_load(tmp_path):
    write(tmp_path / "cat", 8, "RGBA")
    write(tmp_path / "dog/young", 4, "P", (9, 3), "gif")
    write(tmp_path / "dog", 4, "L", (3, 9))
    (tmp_path / "dog/notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    data = load(config(tmp_path), 0)
    assert data.class_names == ("cat", "dog")
    assert data.name == tmp_path.name
    assert data.input_shape == (4, 4, 3)
    assert data.counts == {
        "train": {"cat": 4, "dog": 4},
        "validation": {"cat": 2, "dog": 2},
        "test": {"cat": 2, "dog": 2},
    }


def test_folders_of_parts_are_official(tmp_path):
    for part, count in (("Train", 6), ("val", 3), ("test", 2)):
        for label in ("a", "b"):
            write(tmp_path / part / label, count)
    first, second = load(config(tmp_path), 0), load(config(tmp_path), 1)
    assert first.counts["train"] == {"a": 6, "b": 6}
    assert first.counts["validation"] == {"a": 3, "b": 3}
    assert set(first.test.index) == set(second.test.index) and len(first.test) == 4


def test_photos_of_many_sizes_with_an_official_test_part(shared_data):
    data = load({"source": "folder", "path": str(shared_data / "images/rps"), "size": [24, 32], "name": "hands"}, 0)
    assert (data.name, data.input_shape) == ("hands", (24, 32, 3))
    assert data.class_names == ("paper", "rock", "scissors")
    assert data.counts["test"] == {"paper": 15, "rock": 15, "scissors": 15}
    assert sum(data.counts["train"].values()) + sum(data.counts["validation"].values()) == 120


def test_images_that_cannot_be_read_are_named_or_left_out(tmp_path, caplog):
    for label in ("a", "b"):
        write(tmp_path / label, 6)
    (tmp_path / "a/00.png").write_bytes(b"")
    whole = (tmp_path / "b/03.png").read_bytes()
    (tmp_path / "b/03.png").write_bytes(whole[: len(whole) // 2])
    assert message(tmp_path) == (
        f"data.path={tmp_path}: 2 of 12 images cannot be read: a/00.png (empty file); b/03.png (not an image, or cut "
        "short). Mend them, or leave them out with data.skip_corrupt=true."
    )
    data = load(config(tmp_path, skip_corrupt=True), 0)
    assert sum(len(part) for part in data.parts.values()) == 10
    assert caplog.messages == [f"Left out 2 of 12 images of {tmp_path} that cannot be read."]
    shades = {int(value) for value in np.unique(data.pool.images[data.pool.labels == 1])}
    assert shades == {20, 30, 40, 60, 70}


def test_folders_that_make_no_data_set_are_refused(tmp_path):
    assert message(tmp_path / "none").startswith(f"data.path={tmp_path}/none: there is no such folder (looked from ")
    assert message(tmp_path) == f"data.path={tmp_path}: at least two class folders are needed, found no folder."
    write(tmp_path / "a", 3)
    assert message(tmp_path) == f"data.path={tmp_path}: at least two class folders are needed, found a."
    (tmp_path / "b").mkdir()
    assert message(tmp_path) == (
        f"data.path={tmp_path}: no image in the class folder b. "
        "Known endings: .bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp."
    )
    write(tmp_path / "b", 3, size=(9, 4))
    assert message(tmp_path, size=None) == (
        f"data.path={tmp_path}: the images differ in size, from 4 to 5 pixels high and from 6 to 9 wide. "
        "Set data.size, a number or [height, width]."
    )


def test_parts_without_a_training_part_are_refused(tmp_path):
    write(tmp_path / "test/a", 3)
    write(tmp_path / "test/b", 3)
    assert message(tmp_path) == f"data.path={tmp_path} has the parts test, but no folder 'train'."
