from __future__ import annotations

import shutil
from pathlib import Path

import pytest

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


SHARED = Path(__file__).resolve().parents[3].parent / "shared/data"


@pytest.fixture
def offline(monkeypatch):
    """No test may reach the network: every connection fails at once."""
    from ablate.keras.data.loading import clear_pools

    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    clear_pools()
    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    monkeypatch.setattr("socket.create_connection", refuse)


@pytest.fixture(scope="session")
def telugu(tmp_path_factory):
    """A folder of tensorflow-datasets in which the files of cmaterdb/telugu are laid ready."""
    files = SHARED / "cmaterdb/telugu"
    if not files.is_dir():
        pytest.skip(f"the test data are not at {files}")
    folder = tmp_path_factory.mktemp("tfds")
    shutil.copytree(files, folder / "downloads/manual")
    return folder


@pytest.fixture(scope="session")
def fashion_files(tmp_path_factory):
    """The four files that tensorflow-datasets has registered, made of those of Debian's package.

    Debian's build took the name out of the gzip header and set another time; the compressed data are the same.
    """
    if not DEBIAN.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    folder = tmp_path_factory.mktemp("fashion")
    (folder / "downloads/manual").mkdir(parents=True)
    for file in DEBIAN.glob("*.gz"):
        stamp = 0x59A7E9F3 if file.name.startswith("t10k") else 0x59A7E9DE
        head = b"\x1f\x8b\x08\x08" + stamp.to_bytes(4, "little") + b"\x00\x03" + file.stem.encode() + b"\x00"
        (folder / "downloads/manual" / file.name).write_bytes(head + file.read_bytes()[10:])
    return folder
