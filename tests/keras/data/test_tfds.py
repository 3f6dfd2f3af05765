from __future__ import annotations

import time

import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow_datasets")

from ablate.errors import NetworkError
from ablate.keras.data import load, preparation

pytestmark = [
    pytest.mark.keras,
    pytest.mark.usefixtures("offline"),
    # TensorFlow's protocol buffers and the library's own deprecations; none of them is ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def message(name, folder, **more):
    with pytest.raises(NetworkError) as caught:
        load({"source": "tfds", "name": name, "data_dir": str(folder), **more}, 0)
    return str(caught.value)


def test_files_laid_into_the_manual_folder_are_prepared_without_a_network(telugu):
    config = {"source": "tfds", "name": "cmaterdb/telugu", "data_dir": str(telugu)}
    data = load(config, 0)
    assert data.input_shape == (32, 32, 3)
    assert data.classes == 10
    assert len(data.train) + len(data.validation) == 2500
    assert data.counts["test"] == {str(digit): 50 for digit in range(10)}
    small = load({**config, "size": 8, "channels": 1, "limit": 100, "train_split": "train[:50%]"}, 0)
    assert small.input_shape == (8, 8, 1)
    assert len(small.train) + len(small.validation) == 100
    assert len(small.pool.labels) == 1250 + 500
    assert message("cmaterdb/telugu", telugu, test_split="tst") == (
        "data.test_split=tst: data set 'cmaterdb/telugu' has the parts test, train."
    )


def test_a_set_that_is_neither_prepared_nor_to_be_had_is_told_within_seconds(tmp_path):
    start = time.perf_counter()
    told = message("fashion_mnist", tmp_path)
    assert time.perf_counter() - start < 10
    first, *files = told.splitlines()
    assert first == (
        f"Data set 'fashion_mnist' is not prepared in {tmp_path}/fashion_mnist/3.0.1, and there is no network. "
        "Prepare it where there is one and set data.data_dir to that folder, or put these files into "
        f"{tmp_path}/downloads/manual and run again:"
    )
    assert [line.split()[0] for line in files] == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert files[0].endswith("/t10k-images-idx3-ubyte.gz")
    assert "data.download=false" in message("fashion_mnist", tmp_path, download=False)


def test_wrong_files_in_the_manual_folder_are_told_at_once(tmp_path):
    manual = tmp_path / "files"
    manual.mkdir()
    for part in ("training", "testing"):
        (manual / f"{part}-images.npz").write_bytes(b"wrong")
    told = message("cmaterdb/telugu", tmp_path, manual_dir=str(manual))
    assert told.startswith(
        f"Data set 'cmaterdb/telugu' cannot be prepared in {tmp_path}/cmaterdb/telugu/1.0.0 (files from {manual}): "
    )
    assert "Checksum" in told or "checksum" in told


def test_names_that_are_not_there_are_told_with_the_nearest(tmp_path):
    assert message("fashon_mnist", tmp_path) == (
        "data.name=fashon_mnist: tensorflow-datasets has no such set. Did you mean 'fashion_mnist'? "
        "All names: https://www.tensorflow.org/datasets/catalog/overview."
    )
    assert message("cmaterdb/telgu", tmp_path) == (
        "data.name=cmaterdb/telgu: tensorflow-datasets has cmaterdb with the configs bangla, devanagari, telugu. "
        "Did you mean 'telugu'? The form is name/config:version."
    )
    assert message("fashion_mnist:9.9.9", tmp_path) == (
        "data.name=fashion_mnist:9.9.9: tensorflow-datasets has fashion_mnist with no configs in version 3.0.1. "
        "The form is name/config:version."
    )


def test_sets_of_another_task_are_refused_before_any_download(tmp_path):
    assert message("imdb_reviews", tmp_path).startswith(
        "Data set 'imdb_reviews' is not one of image classification: it has no images. Its features: "
    )


def test_a_proxy_is_asked_in_place_of_the_server(monkeypatch):
    asked = []
    monkeypatch.setattr("socket.create_connection", lambda address, timeout: asked.append((address, timeout)) or Open())
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy.example:3128"})
    assert preparation.online({"https://data.example/a.zip": None})
    monkeypatch.setattr("urllib.request.getproxies", dict)
    assert preparation.online({"https://data.example/a.zip": None})
    assert asked == [(("proxy.example", 3128), 3.0), (("data.example", 443), 3.0)]


class Open:
    def close(self):
        pass
