from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from interruptions import Interrupted, interrupt_after
from PIL import Image

keras = pytest.importorskip("keras")

from ablate.errors import ConfigError, Diverged  # noqa: E402
from ablate.keras import device  # noqa: E402
from ablate.keras.compiled import clear_models, compiled_model  # noqa: E402
from ablate.keras.data.loading import clear_pools, load_run_data  # noqa: E402
from ablate.keras.optimization import Schedule, check_training  # noqa: E402
from ablate.keras.run_config import check_config  # noqa: E402
from ablate.keras.streams import generator  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [
    pytest.mark.keras,
    # Keras reads its variables in a way that NumPy is about to drop.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def without_timings(result):
    return {key: value for key, value in result.items() if not key.startswith(("seconds", "restarted"))}


def weights(path):
    return [weight.value.numpy() for weight in keras.models.load_model(path).weights]


def same(first, second):
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_run_gives_its_numbers_its_curves_and_leaves_no_backup(tiny, tmp_path):
    folder = RunFolder(tmp_path)
    seen = []
    result = train(tiny(train={"schedule": "cosine"}), folder, lambda *told: seen.append(told))
    assert set(without_timings(result)) == {
        *("test_accuracy", "test_loss", "val_accuracy", "val_loss", "train_accuracy", "train_loss"),
        *("test_top_5_accuracy", "test_macro_f1", "test_balanced_accuracy", "test_auroc", "test_nll", "test_ece"),
        *("epoch", "epochs", "weights", "majority_accuracy", "fingerprints"),
    }
    assert {key for key in result if key.startswith("seconds")} == {
        *("seconds_data", "seconds_build", "seconds_fit", "seconds_test"),
    }
    rows = folder.curves()
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[-1] == {
        "epoch": 2,
        **{key: result[key] for key in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")},
        "learning_rate": rows[-1]["learning_rate"],
    }
    assert 0 <= rows[-1]["learning_rate"] < rows[0]["learning_rate"] < 0.01
    assert [(number, epochs) for number, epochs, _ in seen] == [(1, 2), (2, 2)]
    assert {path.name for path in tmp_path.iterdir()} == {"curves.csv", "confusion.csv"}


SCRIPT = """
import json, sys
from pathlib import Path
from ablate.keras.train import train
from ablate.store.run_folder import RunFolder
print(json.dumps(train(json.loads(sys.argv[1]), RunFolder(Path(sys.argv[2])))))
"""


def test_a_reused_network_gives_the_bits_of_a_fresh_process(tiny, tmp_path):
    config = tiny(seed=1, train={"save": "last", "schedule": "linear"})
    clear_models()
    train({**config, "seed": 0}, RunFolder(tmp_path / "before"))
    reused = train(config, RunFolder(tmp_path / "reused"))
    again = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(config), str(tmp_path / "fresh")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert again.stderr == ""
    assert without_timings(json.loads(again.stdout)) == without_timings(reused)
    assert (tmp_path / "fresh/curves.csv").read_bytes() == (tmp_path / "reused/curves.csv").read_bytes()
    assert same(weights(tmp_path / "fresh/last.keras"), weights(tmp_path / "reused/last.keras"))
    assert not same(weights(tmp_path / "before/last.keras"), weights(tmp_path / "reused/last.keras"))


CELLS = [{}, {"residual": False}, {"batch_norm": False}, {"bn_placement": "after"}, {"separable": False}]
CELLS += [{"head": "flatten"}, {"bias": True}]
EACH = """
import json, sys
from pathlib import Path
from ablate.keras.train import train
from ablate.store.run_folder import RunFolder
for config in reversed(json.loads(sys.argv[1])):
    print(json.dumps(train(config, RunFolder(Path(sys.argv[2]) / str(config["number"])))), flush=True)
"""


@pytest.mark.slow
def test_every_cell_gives_with_a_reused_network_the_bits_of_a_process_that_never_saw_it(tiny, tmp_path):
    shared = {
        "augmentation": True,
        "model": {"dropout": 0.25, "filters": [4]},
        "train": {"epochs": 1},
        "data": {"limit": 100},
    }
    configs = [tiny(seed=1, **shared, **cell, number=number) for number, cell in enumerate(CELLS)]
    command = [sys.executable, "-c", EACH, json.dumps(configs), str(tmp_path / "fresh")]
    fresh = subprocess.run(command, capture_output=True, text=True, check=False)
    assert fresh.returncode == 0, fresh.stderr
    found = [json.loads(line) for line in fresh.stdout.splitlines()]
    for config, expected in zip(configs, reversed(found), strict=True):
        train({**config, "seed": 0}, RunFolder(tmp_path / f"before{config['number']}"))
        reused = train(config, RunFolder(tmp_path / f"reused{config['number']}"))
        assert without_timings(reused) == without_timings(expected)


def test_the_loop_gives_the_numbers_of_the_fit_of_keras(tiny, tmp_path):
    config = tiny(augmentation=True, train={"epochs": 1, "schedule": "cosine"})
    train(config, RunFolder(tmp_path))
    row = RunFolder(tmp_path).curves()[0]
    values, (dataset, _) = check_config(config), load_run_data(config)
    compiled = compiled_model(config, dataset, values)
    compiled.reset(config["seed"], dataset)
    index = dataset.train.index
    compiled.batches["training"].select(dataset, index[generator(config["seed"], "order", 1).permutation(len(index))])
    compiled.batches["evaluation"].select(dataset, dataset.validation.index)
    parts = [compiled.batches[one].pipeline.map(compiled.batches[one].scaled) for one in ("training", "evaluation")]
    logs = compiled.model.fit(parts[0], validation_data=parts[1], shuffle=False, verbose=0).history
    kept = {"loss": "train_loss", "accuracy": "train_accuracy", "val_loss": "val_loss", "val_accuracy": "val_accuracy"}
    assert {ours: logs[name][0] for name, ours in kept.items()} == {ours: row[ours] for ours in kept.values()}


@pytest.mark.slow
def test_no_result_depends_on_the_number_of_workers(tmp_path):
    words = ["-m", "residual=true,false", "study.seeds=2", "train.epochs=1", "data.limit=100", "study.name=s"]
    words += ["model.filters=[4,8]", "study.costs=null", "study.diagrams=null", "report.figures=[]"]
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        command = [sys.executable, "-m", "ablate", *words, f"study.workers={workers}"]
        ended = subprocess.run(command, cwd=tmp_path / str(workers), capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    one, two = (tmp_path / str(workers) / "outputs/s/effects.csv" for workers in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_an_interrupted_run_goes_on_with_the_same_bits(tiny, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("ablate.keras.train._BACKUP_PAUSE", 0)
    caplog.set_level(logging.INFO, logger="ablate.keras.train")
    plateau = {"name": "ReduceLROnPlateau", "monitor": "loss", "patience": 1, "min_delta": 10.0, "cooldown": 1}
    config = tiny(train={"epochs": 5, "epoch": "best_val", "save": "best", "callbacks": {"plateau": plateau}})
    whole = train(config, RunFolder(tmp_path / "whole"))
    part = RunFolder(tmp_path / "part")
    for epoch in (1, 3):
        with pytest.raises(Interrupted):
            train(config, part, interrupt_after(epoch))
    assert (part.path / "backup.npz").exists()
    # As if killed after the row of epoch 4 and before its backup.
    part.append_curves(4, {"train_loss": 9.0})
    seen = []
    resumed = train(config, part, lambda number, *_: seen.append(number))
    assert seen == [4, 5]
    assert "The run goes on after epoch 3." in caplog.messages
    assert without_timings(resumed) == without_timings(whole)
    assert (part.path / "curves.csv").read_bytes() == (tmp_path / "whole/curves.csv").read_bytes()
    assert same(weights(part.path / "best.keras"), weights(tmp_path / "whole/best.keras"))
    assert sorted(path.name for path in part.path.iterdir()) == ["best.keras", "confusion.csv", "curves.csv"]


def test_backups_rest_where_they_take_longer_than_epochs(tiny, tmp_path, monkeypatch):
    whole = train(tiny(train={"epochs": 4}), RunFolder(tmp_path / "whole"))
    monkeypatch.setattr("ablate.keras.train._BACKUP_PAUSE", 10**9)
    part = RunFolder(tmp_path / "part")
    with pytest.raises(Interrupted):
        train(tiny(train={"epochs": 4}), part, interrupt_after(3))
    seen = []
    resumed = train(tiny(train={"epochs": 4}), part, lambda number, *_: seen.append(number))
    assert seen == [2, 3, 4]  # after the one backup, and with the same bits
    assert without_timings(resumed) == without_timings(whole)
    assert (part.path / "curves.csv").read_bytes() == (tmp_path / "whole/curves.csv").read_bytes()


def test_a_backup_of_another_config_or_a_broken_one_is_not_used(tiny, tmp_path, caplog):
    folder = RunFolder(tmp_path)
    expected = train(tiny(), RunFolder(tmp_path / "clean"))
    with pytest.raises(Interrupted):
        train(tiny(seed=5), folder, interrupt_after(1))
    assert without_timings(train(tiny(), folder)) == without_timings(expected)
    told = f"{tmp_path / 'backup.npz'} is of another config, data set or version: the run starts afresh."
    assert told in caplog.messages
    (tmp_path / "backup.npz").write_bytes(b"PK broken")
    assert without_timings(train(tiny(), folder)) == without_timings(expected)
    assert [row["epoch"] for row in folder.curves()] == [1, 2]


class Hoarder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.kept = threading.Lock()


def test_a_callback_whose_memory_cannot_be_stored_starts_the_run_afresh(tiny, tmp_path, caplog):
    config = tiny(train={"callbacks": {"hoarder": {"name": f"{__name__}.Hoarder"}}})
    folder = RunFolder(tmp_path)
    with pytest.raises(Interrupted):
        train(config, folder, interrupt_after(1))
    seen = []
    train(config, folder, lambda number, *_: seen.append(number))
    assert seen == [1, 2]
    assert "The state of the callbacks hoarder cannot be stored: the run starts afresh." in caplog.messages
    assert [row["epoch"] for row in folder.curves()] == [1, 2]


SEEN: list[int] = []


class Batches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        SEEN.append(batch)


def test_a_callback_of_batches_is_called_for_every_batch(tiny, tmp_path):
    SEEN.clear()
    train(tiny(train={"callbacks": {"batches": {"name": f"{__name__}.Batches"}}}), RunFolder(tmp_path))
    assert SEEN == [0, 1, 2, 3] * 2


def test_files_of_callbacks_go_to_the_folder_of_the_run(tiny, tmp_path):
    logger = {"name": "CSVLogger", "filename": "{run}/log.csv"}
    train(tiny(train={"epochs": 1, "callbacks": {"log": logger}}), RunFolder(tmp_path))
    assert (tmp_path / "log.csv").read_text().startswith("epoch,")


def test_divergence_stops_the_run_and_harms_no_later_one(tiny, tmp_path):
    expected = train(tiny(), RunFolder(tmp_path / "before"))
    wild = tiny(batch_norm=False, train={"optimizer": "SGD", "learning_rate": 1e30})
    with pytest.raises(Diverged, match=r"^Diverged in epoch \d: .*loss is (nan|inf).*, at learning rate 1e\+30\. "):
        train(wild, RunFolder(tmp_path / "wild"))
    assert without_timings(train(tiny(), RunFolder(tmp_path / "after"))) == without_timings(expected)


def test_the_best_epoch_is_chosen_on_validation_and_tested_with_its_weights(tiny, tmp_path):
    config = tiny(train={"epochs": 4, "learning_rate": 0.05, "epoch": "best_val", "save": "best"})
    folder = RunFolder(tmp_path)
    result = train(config, folder)
    rows = folder.curves()
    best = max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"], -row["epoch"]))
    assert result["epoch"] == best["epoch"]
    assert (result["val_accuracy"], result["val_loss"]) == (best["val_accuracy"], best["val_loss"])
    from ablate.keras.data.loading import load

    test = load(config["data"], config["seed"]).test
    model = keras.models.load_model(tmp_path / "best.keras")
    guess = model.predict(test.images / np.float32(255), verbose=0).argmax(axis=1)
    assert result["test_accuracy"] == pytest.approx((guess == test.labels).mean(), abs=1e-6)


@pytest.mark.parametrize("memory", [0.25, 0])
def test_photos_of_many_sizes_are_trained_on(tiny, shared_data, tmp_path, memory):
    data = {"source": "folder", "path": str(shared_data / "images/rps"), "size": 16, "fit": "crop", "limit": 90}
    more = {"memory": memory, "cache": str(tmp_path / "cache"), "scaling": "standard"}
    result = train({**tiny(train={"batch_size": 16}), "data": data | more}, RunFolder(tmp_path / "run"))
    assert result["epochs"] == 2 and 0 <= result["test_accuracy"] <= 1


def test_a_run_that_reads_a_file_goes_on_with_the_bits_of_one_that_reads_memory(tiny, shared_data, tmp_path):
    photos = {"source": "folder", "path": str(shared_data / "images/rps"), "size": 8, "channels": 3, "limit": None}
    whole = train(tiny(data=photos), RunFolder(tmp_path / "whole"))
    config = tiny(data={**photos, "memory": 0, "cache": str(tmp_path / "cache")})
    with pytest.raises(Interrupted):
        train(config, RunFolder(tmp_path / "part"), interrupt_after(1))
    clear_models()
    clear_pools()
    assert without_timings(train(config, RunFolder(tmp_path / "part"))) == without_timings(whole)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1


def test_pictures_with_alpha_are_trained_on(tiny, tmp_path):
    rng = np.random.default_rng(0)
    for name, alpha in (("glass", 40), ("wood", 250)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(0, 256, (10 + number % 5, 12, 4), dtype=np.uint8)
            pixels[..., 3] = alpha
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{number}.png")
    data = {"source": "folder", "path": str(tmp_path / "set"), "size": 8, "channels": 4}
    config = tiny(train={"epochs": 12, "batch_size": 8, "epoch": "best_val"})
    result = train({**config, "data": data}, RunFolder(tmp_path / "run"))
    # Nothing but the alpha channel tells the two apart.
    assert result["test_accuracy"] > 0.9


def test_early_stopping_and_the_other_switches_of_training(tiny, tmp_path):
    config = tiny(
        train={
            "epochs": 20,
            "learning_rate": 0.5,
            "early_stopping": 1,
            "optimizer": "sgd",
            "momentum": 0.9,
            "clip_norm": 1.0,
            "weight_decay": 0.01,
            "label_smoothing": 0.1,
            "mixed_precision": "bfloat16",
            "warmup_epochs": 0.5,
            "schedule": "step",
        }
    )
    folder = RunFolder(tmp_path)
    result = train(config, folder)
    losses = [row["val_loss"] for row in folder.curves()]
    assert result["epochs"] == len(losses) < 20
    assert losses[-1] >= min(losses[:-1]) == losses[-2]
    assert keras.config.dtype_policy().name == "float32"


def test_another_number_of_threads_is_refused_once_tensorflow_runs(tiny, tmp_path):
    train(tiny(train={"epochs": 1}), RunFolder(tmp_path))
    with pytest.raises(ConfigError) as caught:
        device.prepare(2)
    assert str(caught.value) == (
        "train.threads=2: TensorFlow already runs in this process with train.threads=1, and other threads give other "
        "bits. Start a new process for it."
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [0.5, 1, 1, 1, 1]),
        ("linear", [0.5, 1, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 1, 0.8536, 0.5, 0.1464]),
        ("step", [0.5, 1, 1, 0.1, 0.01]),
        ("exponential", [0.5, 1, 0.3162, 0.1, 0.0316]),
    ],
)
def test_schedules_warm_up_and_follow_their_curve(name, expected):
    schedule = Schedule(name, 1.0, epochs=10, warmup_epochs=2, steps=1)
    rates = [float(schedule(step)) for step in (0, 2, 4, 6, 8)]
    assert rates == pytest.approx(expected, abs=1e-4)
    assert float(Schedule.from_config(schedule.get_config())(5)) == float(schedule(5))


def test_every_fault_of_the_train_section_is_told_at_once():
    _, faults = check_training(
        {
            "epochs": -1,
            "batchsize": 3,
            "optimizer": "adamm",
            "learning_rate": 0,
            "epoch": "best",
            "jit": "yes",
            "callbacks": {
                "a": {"name": "ReduceLROnPlato"},
                "b": {"patience": 1},
                "c": {"name": "EarlyStopping", "x": 1},
            },
        }
    )
    assert faults[0] == "train has no key 'batchsize'. Did you mean 'batch_size'?"
    assert faults[1] == "train.epochs=-1: must be a whole number of at least 1."
    assert faults[2] == "train.learning_rate=0: must be a number above 0."
    assert faults[3] == "train.epoch=best: must be one of best_val, last. Did you mean 'best_val'?"
    assert faults[4] == "train.jit=yes: must be true or false."
    assert faults[5].startswith("train.optimizer=adamm: must be one of adadelta, adafactor, adagrad, adam, ")
    assert faults[5].endswith(" Did you mean 'adam'?")
    assert faults[6].startswith("train.callbacks.a.name=ReduceLROnPlato: must be a dotted path, or one of Backup")
    assert faults[6].endswith(" Did you mean 'ReduceLROnPlateau'?")
    assert faults[7] == (
        "train.callbacks.b={'patience': 1}: must be a mapping with a 'name', such as {name: ReduceLROnPlateau}."
    )
    assert faults[8] == "train.callbacks.c: EarlyStopping got an unexpected keyword argument 'x'."
    assert len(faults) == 9


def test_faults_between_keys_of_training_are_told():
    _, faults = check_training({"epochs": 2, "warmup_epochs": 2})
    assert faults == ["train.warmup_epochs=2: must be below train.epochs=2."]
    plateau = {"p": {"name": "ReduceLROnPlateau"}}
    _, faults = check_training({"schedule": "cosine", "optimizer": "Adam", "momentum": 0.5, "callbacks": plateau})
    assert faults == [
        "train.momentum=0.5: Adam has no momentum; leave it at null.",
        "train.callbacks.p: ReduceLROnPlateau sets the learning rate, so train.schedule must be constant.",
    ]
