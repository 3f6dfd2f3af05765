from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from ablate.errors import NetworkError
from ablate.keras.data.loading import clear_pools, load

pytestmark = pytest.mark.keras


@pytest.fixture(autouse=True)
def fresh():
    clear_pools()


def write(folder, count, mode="RGB", size=(6, 5), ending="png", start=20):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        shade = start + 10 * number
        image = Image.new("L", size, shade).convert("P") if mode == "P" else Image.new(mode, size, (shade,) * len(mode))
        image.save(folder / f"{number:02d}.{ending}")


def config(path, **more):
    return {"source": "folder", "path": str(path), "size": 4, "validation": 0.25, "test": 0.25, **more}


def message(path, **more):
    with pytest.raises(NetworkError) as caught:
        load(config(path, **more), 0)
    return str(caught.value)


def test_class_folders_of_mixed_pictures_load(tmp_path):
    write(tmp_path / "cat", 8, "RGBA")
    write(tmp_path / "dog/young", 4, "P", (9, 3), "gif", start=23)
    write(tmp_path / "dog", 4, "L", (3, 9), start=26)
    (tmp_path / "dog/notes.txt").write_text("not an image")
    write(tmp_path / ".hidden", 2)
    write(tmp_path / "cat/.thumbnails", 2)
    (tmp_path / "cat/._00.png").write_bytes(b"what another system leaves behind")
    write(tmp_path, 1)
    data = load(config(tmp_path), 0)
    assert data.pool.notes == (
        f"{tmp_path} holds files that are left out, by their ending or outside of class folders: .png (1), .txt (1).",
    )
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


def test_images_that_cannot_be_read_are_named_or_left_out(tmp_path):
    for label in ("a", "b"):
        write(tmp_path / label, 6)
    (tmp_path / "a/00.png").write_bytes(b"")
    (tmp_path / "a/06.png").symlink_to(tmp_path / "none.png")
    Image.fromarray(np.full((3, 3), 2.0, np.float32)).save(tmp_path / "a/07.tif")
    whole = (tmp_path / "b/03.png").read_bytes()
    (tmp_path / "b/03.png").write_bytes(whole[: len(whole) // 2])
    told = message(tmp_path)
    assert told.startswith(f"data.path={tmp_path}: 4 of 14 images cannot be read: a/00.png (")
    assert "a/06.png ([Errno 2] No such file or directory" in told
    assert "a/07.tif (floating-point images between 0 and 1 are needed, not from 2 to 2), b/03.png (" in told
    assert told.endswith("Mend them, or leave them out with data.skip_corrupt=true.")
    data = load(config(tmp_path, skip_corrupt=True), 0)
    assert sum(len(part) for part in data.subsets.values()) == 10
    assert data.pool.notes == (
        f"4 of 14 images of {tmp_path} cannot be read and are left out: a/00.png, a/06.png, a/07.tif, b/03.png.",
    )
    shades = {int(value) for value in np.unique(data.pool.images[data.pool.labels == 1])}
    assert shades == {20, 30, 40, 60, 70}


def test_folders_that_make_no_data_set_are_refused(tmp_path):
    assert message(tmp_path / "none").startswith(f"data.path={tmp_path}/none: there is no such folder (looked from ")
    assert "found no folder, and no image" in message(tmp_path)
    write(tmp_path / "a", 3)
    assert message(tmp_path) == f"data.path={tmp_path}: at least two class folders are needed, found a."
    (tmp_path / "b").mkdir()
    assert message(tmp_path) == (
        f"data.path={tmp_path}: no image in the class folder b. "
        "Known endings: .avif, .bmp, .dib, .gif, .j2k, .jfif, .jp2, .jpe, .jpeg, .jpg, .pbm, .pgm, .png, .pnm, .ppm, "
        ".tga, .tif, .tiff, .webp."
    )
    write(tmp_path / "b", 3, size=(9, 4))
    assert message(tmp_path, size=None) == (
        f"data.path={tmp_path}: the images differ in size: {tmp_path}/b/00.png has 4 x 9 pixels, an earlier one 5 x 6. "
        "Set data.size, a number or [height, width]."
    )


def test_parts_that_are_not_clear_are_refused(tmp_path):
    for label in ("a", "b"):
        write(tmp_path / "one/test" / label, 3)
        for part in ("train", "val", "validation", "extra"):
            write(tmp_path / "two" / part / label, 3)
        write(tmp_path / "three/train" / label, 3)
    write(tmp_path / "two/test", 3)
    assert "it has the parts test, but no folder 'train'" in message(tmp_path / "one")
    assert "val and validation are the same part" in message(tmp_path / "two")
    (tmp_path / "two/val").rename(tmp_path / "two/other")
    assert "the part test has no class folders, but 3 images" in message(tmp_path / "two")
    for label in ("a", "b"):
        write(tmp_path / "three/extra" / label, 3)
        write(tmp_path / "three/test" / label, 3)
    left_out = (
        f"Beside the parts, {tmp_path}/three has folders that are left out: extra; data.parts chooses the folders."
    )
    assert left_out in load(config(tmp_path / "three"), 0).pool.notes


def test_a_class_may_be_called_like_a_part(tmp_path):
    write(tmp_path / "test", 6)
    write(tmp_path / "control", 6)
    assert load(config(tmp_path), 0).class_names == ("control", "test")


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    write(tmp_path / "a", 3)
    (tmp_path / "b").mkdir()

    scandir = os.scandir

    def refuse(folder):
        if folder == tmp_path / "a":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr("os.scandir", refuse)
    assert message(tmp_path) == f"data.path={tmp_path}: {tmp_path}/a cannot be read (Permission denied)."
