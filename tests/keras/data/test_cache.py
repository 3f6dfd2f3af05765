from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from ablate.keras.data.batches import TensorBatches
from ablate.keras.data.decoding import file_of
from ablate.keras.data.loading import clear_pools, load

pytestmark = pytest.mark.keras

# Loads a set and tells how many images it decoded; waits for all of them to be ready before.
PROGRAM = """
import json, sys, time
from pathlib import Path
from ablate.keras.data import images
from ablate.keras.data.loading import load

decoded = []
fitted = images.fitted

def counted(*args):
    decoded.append(args)
    time.sleep(0.02)
    return fitted(*args)

images.fitted = counted
config, gate = json.loads(sys.argv[1]), Path(sys.argv[2])
(gate / str(time.monotonic_ns())).touch()
while len(list(gate.iterdir())) < 2:
    time.sleep(0.01)
data = load(config, 0)
print(json.dumps([len(decoded), data.fingerprint]))
"""


@pytest.fixture
def config(tmp_path):
    """A folder of 2 x 12 pictures with a cache of its own."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (7, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"set/{name}/{number:02d}.png")
    clear_pools()
    return {"source": "folder", "path": str(tmp_path / "set"), "size": 5, "cache": str(tmp_path / "cache")}


@pytest.fixture
def decoded(monkeypatch):
    """One entry an image that is decoded in this process."""
    from ablate.keras.data import images

    calls, fitted = [], images.fitted
    monkeypatch.setattr(images, "fitted", lambda *args: calls.append(args) or fitted(*args))
    return calls


def files(config):
    return sorted(Path(config["cache"]).glob("*.npy"))


def loaded(config, **more):
    clear_pools()
    return load({**config, **more}, 0)


def test_of_two_processes_that_start_together_one_decodes_for_both(config, tmp_path):
    (gate := tmp_path / "gate").mkdir()
    call = [sys.executable, "-c", PROGRAM, json.dumps(config), str(gate)]
    both = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert sorted(count for count, _ in told) == [0, 24]
    assert {fingerprint for _, fingerprint in told} == {loaded(config).fingerprint}
    assert len(files(config)) == 1
    assert not list(Path(config["cache"]).glob("*.part"))


def test_images_come_from_the_file_with_the_same_bits(config, decoded, tmp_path):
    (tmp_path / "no").touch()
    own = loaded(config, cache=str(tmp_path / "no"))
    first, again = loaded(config), loaded(config)
    assert len(decoded) == 48
    assert file_of(own.pool.images) is None
    assert [file_of(data.pool.images) for data in (first, again)] == files(config) * 2
    for data in (first, again):
        for name in ("images", "labels", "sizes", "contents"):
            assert np.array_equal(getattr(data.pool, name), getattr(own.pool, name))
        assert data.fingerprint == own.fingerprint
    contents = []
    for data in (own, again, loaded(config, memory=0)):
        batches = TensorBatches(data.pool, 4)
        batches.select(data, data.train.index)
        contents.append(b"".join(images.tobytes() for images, _ in batches.pipeline.as_numpy_iterator()))
    assert len(set(contents)) == 1


def test_a_step_reads_the_file_that_all_share_and_no_copy_of_it(config):
    data = loaded(config)
    batches = TensorBatches(data.pool, 4)
    assert batches.direct
    assert np.shares_memory(np.from_dlpack(batches._images), data.pool.images)


@pytest.mark.parametrize("place", ["images", "labels", "end"])
def test_a_damaged_file_is_made_again(place, config, decoded):
    whole = loaded(config)
    fingerprint, offset = whole.fingerprint, whole.pool.images.base.offset
    file = files(config)[0]
    written = bytearray(file.read_bytes())
    if place == "end":
        file.write_bytes(written[: len(written) // 2])
    else:
        written[offset + (100 if place == "images" else whole.pool.images.nbytes + 3)] ^= 1
        file.write_bytes(written)
    decoded.clear()
    assert loaded(config).fingerprint == fingerprint
    assert len(decoded) == 24
    assert loaded(config).fingerprint == fingerprint
    assert len(decoded) == 24


def test_a_changed_picture_or_fit_is_decoded_anew(config, decoded):
    first = loaded(config).fingerprint
    assert len(decoded) == 24
    picture = Path(config["path"]) / "cat/00.png"
    Image.new("RGB", (6, 7), (1, 2, 3)).save(picture)
    changed = loaded(config)
    assert len(decoded) == 48
    assert changed.fingerprint != first
    assert changed.pool.images[0, 0, 0].tolist() == [1, 2, 3]
    os.utime(picture, ns=(0, 0))
    assert loaded(config).fingerprint == changed.fingerprint
    loaded(config, fit="crop")
    assert len(decoded) == 96
    assert len(files(config)) == 4


def test_without_room_or_permission_each_process_decodes_and_says_so(config, caplog, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING, "ablate"):
        expected = loaded(config, cache=str(tmp_path / "file")).fingerprint
        monkeypatch.setattr(
            "os.posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
        )
        assert loaded(config).fingerprint == expected
    ending = "every process decodes them and keeps a copy. Set data.cache to a folder that can."
    assert caplog.messages == [
        f"The images need 0 MiB, and {tmp_path}/file cannot be written (File exists): {ending}",
        f"The images need 0 MiB, and {tmp_path}/cache cannot be written (No space left on device): {ending}",
    ]
    assert not [file for file in (tmp_path / "cache").iterdir() if file.suffix != ".lock"]


def test_files_used_longest_ago_go_when_all_take_too_much(config, monkeypatch):
    for size in (4, 5, 6):
        loaded(config, size=size)
        time.sleep(0.01)
    loaded(config, size=4)
    assert len(files(config)) == 3
    monkeypatch.setattr("ablate.keras.data.cache._MAX_BYTES", 5000)
    loaded(config, size=7)
    assert {np.load(file, mmap_mode="r").shape[1] for file in files(config)} == {4, 7}


def test_what_a_function_returns_is_shared_by_its_contents(tmp_path, monkeypatch):
    (tmp_path / "shared_sets.py").write_text(
        "import numpy as np\n\n\ndef make(seed=0):\n"
        "    images = np.random.default_rng(seed).integers(0, 256, (30, 4, 4, 3), dtype=np.uint8)\n"
        "    return images, np.arange(30) % 2\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {"source": "builder", "builder": "shared_sets.make", "cache": str(tmp_path / "cache")}
    own = loaded(config)
    assert file_of(own.pool.images) is None
    monkeypatch.setattr("ablate.keras.data.decoding._UNSHARED", 0)
    first, again, other = loaded(config), loaded(config), loaded(config, args={"seed": 1})
    assert first.fingerprint == again.fingerprint == own.fingerprint != other.fingerprint
    assert file_of(first.pool.images) == file_of(again.pool.images) != file_of(other.pool.images)
    assert len(files(config)) == 2
