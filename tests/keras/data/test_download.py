"""Downloads through tensorflow-datasets from a server on this machine: told, prepared, and given up when they stall."""

from __future__ import annotations

import hashlib
import io
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow_datasets")

import tensorflow_datasets as tfds
from etils import epath

from ablate.errors import NetworkError
from ablate.keras.data import tfds_preparation
from ablate.keras.data.loading import clear_pools, load

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def archive():
    rng = np.random.default_rng(0)
    memory = io.BytesIO()
    np.savez(memory, images=rng.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8), labels=np.arange(40) % 2)
    return memory.getvalue()


CONTENT = archive()


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path.startswith("/stalls"):
            self.wfile.write(CONTENT[:100])
            self.wfile.flush()
            time.sleep(5)
        else:
            self.wfile.write(CONTENT)

    def log_message(self, *args):
        pass


class LittlePictures(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    # The library looks for a package around the class, which a test has not.
    pkg_dir_path = epath.Path(__file__).parent
    url = ""
    url_infos: dict = {}  # noqa: RUF012

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(6, 5, 3)),
            "label": tfds.features.ClassLabel(names=["one", "two"]),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features), description="Noise.")

    def _split_generators(self, dl_manager):
        path = dl_manager.download(self.url)
        return {"train": self._generate_examples(path)}

    def _generate_examples(self, path):
        with np.load(path) as arrays:
            for number, (image, label) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
                yield number, {"image": image, "label": int(label)}


@pytest.fixture
def served(monkeypatch):
    """Serves the set under a path of the local server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve(path):
        url = f"http://127.0.0.1:{server.server_port}/{path}/little.npz"
        info = tfds.download.checksums.UrlInfo(
            size=len(CONTENT), checksum=hashlib.sha256(CONTENT).hexdigest(), filename="little.npz"
        )
        monkeypatch.setattr(LittlePictures, "url", url)
        monkeypatch.setattr(LittlePictures, "url_infos", {url: info})
        return url

    clear_pools()
    monkeypatch.setenv("NO_PROXY", "*")
    yield serve
    server.shutdown()
    server.server_close()


def config(folder):
    return {"source": "tfds", "name": "little_pictures", "data_dir": str(folder), "validation": 0.2, "test": 0.2}


def test_a_download_is_told_before_and_after(served, tmp_path, capfd):
    served("set")
    data = load(config(tmp_path), 0)
    assert data.class_names == ("one", "two")
    assert {name: len(part) for name, part in data.subsets.items()} == {"train": 24, "validation": 8, "test": 8}
    out, err = capfd.readouterr()
    assert out == ""
    size = tfds.core.units.Size(len(CONTENT))
    told = [line for line in err.splitlines() if line.startswith("Data set")]
    assert told == [
        f"Data set 'little_pictures': downloading {size} in 1 files to {tmp_path}/downloads.",
        f"Data set 'little_pictures' is prepared in {tmp_path}/little_pictures/1.0.0.",
    ]


def test_a_server_that_stalls_is_given_up(served, tmp_path, monkeypatch):
    served("stalls")
    monkeypatch.setattr(tfds_preparation, "_STALL_SECONDS", 0.3)
    monkeypatch.setattr(tfds_preparation, "_RETRIES", 0)
    begin = time.perf_counter()
    with pytest.raises(NetworkError) as caught:
        load(config(tmp_path), 0)
    assert time.perf_counter() - begin < 5
    assert str(caught.value).startswith(
        f"Data set 'little_pictures' cannot be prepared in {tmp_path}/little_pictures/1.0.0 (files from "
        f"{tmp_path}/downloads/manual): "
    )
    assert "timed out" in str(caught.value)


def test_a_file_that_is_gone_is_told(served, tmp_path):
    url = served("gone")
    with pytest.raises(NetworkError, match=r"Failed to get url .*404") as caught:
        load(config(tmp_path), 0)
    assert url in str(caught.value)


def test_a_file_that_was_downloaded_before_needs_no_network(served, tmp_path, monkeypatch):
    url = served("set")
    load(config(tmp_path), 0)
    clear_pools()
    shutil.rmtree(tmp_path / "little_pictures")
    monkeypatch.setattr("ablate.keras.data.tfds_preparation.is_online", lambda urls: pytest.fail("asked"))
    assert load({**config(tmp_path), "download": False}, 0).classes == 2
    clear_pools()
    shutil.rmtree(tmp_path / "little_pictures")
    # What no list of files told beforehand is not downloaded either.
    monkeypatch.setattr(LittlePictures, "url_infos", {})
    shutil.rmtree(tmp_path / "downloads")
    with pytest.raises(NetworkError) as caught:
        load({**config(tmp_path), "download": False}, 0)
    assert str(caught.value).endswith(f": data.download=false, and {url} would have to be downloaded.")
