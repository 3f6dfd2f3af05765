from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow_datasets")

import numpy as np
import requests
import tensorflow_datasets as tfds

from ablate.errors import NetworkError
from ablate.keras.data import tfds as tfds_source
from ablate.keras.data import tfds_preparation
from ablate.keras.data.loading import load

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


def test_parts_that_are_not_there_or_overlap_are_refused(telugu):
    load({"source": "tfds", "name": "cmaterdb/telugu", "data_dir": str(telugu)}, 0)
    told = message("cmaterdb/telugu", telugu, test_split="tst", train_split="train[abc", validation_split="train[:0]")
    assert told.splitlines() == [
        "data.train_split=train[abc: no such part, nor a slice of one such as train[:80%]. Did you mean 'train'?",
        "data.validation_split=train[:0]: it holds no image.",
        "data.test_split=tst: no such part, nor a slice of one such as train[:80%]. Did you mean 'test'?",
        "Data set 'cmaterdb/telugu' has the parts test, train.",
    ]
    assert message("cmaterdb/telugu", telugu, test_split="train[:10%]").splitlines() == [
        "data.train_split=train and data.test_split=train[:10%] have 250 images in common.",
        "Cut parts that do not overlap, such as train[:80%] for training and train[80%:].",
    ]
    parts = {"train_split": "train[10%:]", "validation_split": "train[:5%]", "test_split": "test+train[5%:10%]"}
    data = load({"source": "tfds", "name": "cmaterdb/telugu", "data_dir": str(telugu), **parts}, 0)
    assert {name: len(part) for name, part in data.subsets.items()} == {"train": 2250, "validation": 125, "test": 625}


def test_a_set_that_is_neither_prepared_nor_to_be_had_is_told_within_seconds(tmp_path):
    start = time.perf_counter()
    told = message("fashion_mnist", tmp_path)
    assert time.perf_counter() - start < 10
    first, *files = told.splitlines()
    assert first == (
        f"Data set 'fashion_mnist' is not prepared in {tmp_path}/fashion_mnist/3.0.1, and there is no internet "
        "connection. Prepare it where there is one and set data.data_dir to that folder, or put these files into "
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
    first, *files = message("cmaterdb/telugu", tmp_path, manual_dir=str(manual)).splitlines()
    assert first == (
        f"The files in {manual} are not those of which 'cmaterdb/telugu' is made; fetch them again, or set "
        "data.manual_dir to another folder:"
    )
    assert files[0].startswith("  testing-images.npz has 5 bytes in place of 48,946  https://")
    (manual / "testing-images.npz").write_bytes(b"0" * 48946)
    (manual / "training-images.npz").write_bytes(b"0" * 241764)
    told = message("cmaterdb/telugu", tmp_path, manual_dir=str(manual))
    assert told.startswith(
        f"Data set 'cmaterdb/telugu' cannot be prepared in {tmp_path}/cmaterdb/telugu/1.0.0 (files from {manual}): "
    )
    assert "wrong checksum" in told


def test_a_set_that_is_fetched_by_hand_says_how(tmp_path):
    first, *instructions = message("imagenet2012", tmp_path).splitlines()
    assert first == (
        f"Data set 'imagenet2012' is not prepared in {tmp_path}/imagenet2012/5.1.0, and its files must be fetched by "
        f"hand. Put them into {tmp_path}/downloads/manual and run again:"
    )
    assert "ILSVRC2012_img_train.tar" in "".join(instructions)
    # No list of files is registered for this one.
    assert "its files must be fetched by hand" in message("imagenet2012_fewshot", tmp_path)


def test_which_of_several_classes_counts_is_asked(tmp_path):
    assert message("dsprites", tmp_path, label="shape") == (
        "data.label=shape: data set 'dsprites' has label_orientation, label_scale, label_shape, label_x_position, "
        "label_y_position; name one of them. Did you mean 'label_shape'?"
    )
    assert message("dsprites", tmp_path).startswith("data.label=null: data set 'dsprites' has label_orientation, ")
    assert "is not prepared" in message("dsprites", tmp_path, label="label_shape")
    assert "is not prepared" in message("cifar100", tmp_path, label="coarse_label")


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file" in message("cmaterdb/telugu", tmp_path / "file", download=False)


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


def test_what_is_no_name_of_a_set_is_told(tmp_path):
    assert message("../../etc", tmp_path) == (
        "data.name=../../etc is no name of a data set. The form is name/config:version."
    )
    assert message("huggingface:mnist", tmp_path) == (
        "data.name=huggingface:mnist: sets of other collections, such as 'huggingface:', are not read; a function of "
        "your own can: data=builder."
    )


def test_sets_of_another_task_are_refused_before_any_download(tmp_path):
    assert message("imdb_reviews", tmp_path).startswith(
        "Data set 'imdb_reviews' is not one of image classification: it has no images. Its features: "
    )
    assert message("coco", tmp_path).startswith(
        "Data set 'coco' is not one of image classification: it has no class labels. Its features: "
    )


def test_the_process_that_prepares_a_set_gives_it_the_same_fingerprint():
    """Runs of one study in several processes would count as made with different data."""
    prints = []
    for names in (("train", "test"), (tfds.Split.TRAIN, tfds.Split.TEST)):
        splits = {name: SimpleNamespace(shard_lengths=[number], num_bytes=9) for number, name in enumerate(names)}
        prints.append(tfds_source._fingerprint(SimpleNamespace(info=SimpleNamespace(full_name="a:1", splits=splits))))
    assert prints[0] == prints[1]


@pytest.mark.parametrize(
    ("kind", "said"), [(np.bool_, "is_cat (bool)"), (np.int64, "is_cat (int64)"), (np.object_, "is_cat (text)")]
)
def test_labels_that_are_no_classes_say_the_function_that_reads_them(monkeypatch, kind, said):
    features = tfds.features
    label = features.Text() if kind is np.object_ else features.Scalar(kind)
    info = SimpleNamespace(features=features.FeaturesDict({"photo": features.Image(), "is_cat": label}))
    builder = SimpleNamespace(name="pets", info=info)
    monkeypatch.setattr("ablate.keras.data.tfds_preparation.find_builder", lambda values: builder)
    text = message("pets", "unused")
    assert said in text
    assert "tfds.load('pets', split='train').map(lambda example: (example['photo'], example['is_cat']))" in text
    assert "data=builder data.builder=my_module.load" in text


def test_a_server_that_answers_in_whatever_way_is_online(monkeypatch):
    def is_online(error):
        def head(url, timeout):
            assert timeout == 3.0
            raise error

        monkeypatch.setattr("requests.head", head)
        return tfds_preparation.is_online({"https://data.example/a.zip": None})

    assert not is_online(requests.ConnectTimeout())
    assert not is_online(requests.exceptions.ProxyError())
    assert is_online(requests.exceptions.SSLError())
    assert is_online(requests.exceptions.InvalidSchema())
    assert is_online(requests.ReadTimeout())
