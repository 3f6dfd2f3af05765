"""Whatever became of a backup, a run goes on with the same bits or starts afresh with the same bits."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import zipfile

import numpy as np
import pytest
from interruptions import Interrupted, interrupt_after

keras = pytest.importorskip("keras")

from ablate.keras.backup import Progress  # noqa: E402
from ablate.keras.callback_state import NotPlain, read_state, stored_state  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

EPOCHS = 3


def outcome(folder, result):
    """What must be the same bits: numbers, curves, and the saved networks."""
    numbers = {key: value for key, value in result.items() if not key.startswith("seconds") and key != "restarted"}
    networks = {
        path.name: [weight.value.numpy().tobytes() for weight in keras.models.load_model(path).weights]
        for path in sorted(folder.path.glob("*.keras"))
    }
    return numbers, (folder.path / "curves.csv").read_bytes(), networks


@pytest.fixture
def interrupted(tiny, tmp_path, monkeypatch):
    """A configuration with a callback of a state, its undisturbed outcome, and a folder interrupted after an epoch."""
    monkeypatch.setattr("ablate.keras.train._BACKUP_PAUSE", 0)
    stopping = {"name": "EarlyStopping", "patience": 9, "restore_best_weights": True}
    config = tiny(
        data={"limit": 80},
        train={"epochs": EPOCHS, "epoch": "best_val", "callbacks": {"stopping": stopping}},
    )
    whole = RunFolder(tmp_path / "whole")
    expected = outcome(whole, train(config, whole))
    part = RunFolder(tmp_path / "part")
    with pytest.raises(Interrupted):
        train(config, part, interrupt_after(2))
    return config, expected, part


def again(config, folder, backup):
    """Train in a folder whose backup is these bytes, or was put there by a function; returns epochs and outcome."""
    path = folder.path / "backup.npz"
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if callable(backup):
        backup(path)
    else:
        path.write_bytes(backup)
    seen = []
    result = train(config, folder, lambda number, *_: seen.append(number))
    return seen, outcome(folder, result), result.get("restarted", "")


AFRESH, RESUMED = list(range(1, EPOCHS + 1)), [EPOCHS]


@pytest.mark.slow
def test_cut_anywhere_or_with_any_bit_flipped_a_backup_is_used_whole_or_not_at_all(interrupted):
    config, expected, part = interrupted
    backup = (part.path / "backup.npz").read_bytes()
    draws = np.random.default_rng(0)
    cuts = [0, 1, 2, 21, 22, 23, *draws.integers(0, len(backup), 10), *range(len(backup) - 4, len(backup))]
    damaged = [backup[:cut] for cut in cuts]
    # Half of the flips are in the directory at the end, where all that is not an array is.
    places = [*draws.integers(0, len(backup), 30), *draws.integers(len(backup) - 6000, len(backup), 30)]
    for place in places:
        flipped = bytearray(backup)
        flipped[place] ^= 1 << int(draws.integers(8))
        damaged.append(bytes(flipped))
    ways = set()
    for data in damaged:
        seen, found, restarted = again(config, part, data)
        assert found == expected
        assert seen == (AFRESH if restarted else RESUMED)
        ways.add(bool(restarted))
    assert ways == {True, False}


def rewritten(backup, change):
    """The archive with its arrays changed by a function."""
    with np.load(io.BytesIO(backup)) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


def edit_header(change):
    def edited(arrays):
        header = json.loads(arrays["header"].tobytes())
        change(header)
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)

    return edited


def bomb(backup):
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(backup)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data + bytes(200_000_000) if name == "arr_0.npy" else data)
    return written.getvalue()


def huge_shape(backup):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (10**15,)})
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(backup)) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            new.writestr(name, head.getvalue() if name == "arr_1.npy" else old.read(name))
    return written.getvalue()


def pickled(arrays):
    arrays["arr_0"] = np.array([{"a": 1}], dtype=object)


CHANGES = {
    "an array less": lambda arrays: arrays.pop("arr_3"),
    "an array more": lambda arrays: arrays.update(arr_9999=np.zeros(3)),
    "another shape": lambda arrays: arrays.update(arr_0=arrays["arr_0"][..., None]),
    "another type": lambda arrays: arrays.update(arr_0=arrays["arr_0"].astype(np.float64)),
    "objects": pickled,
    "no header": lambda arrays: arrays.pop("header"),
    "a header of numbers": lambda arrays: arrays.update(header=np.array(float("nan"))),
    "a header that is cut": lambda arrays: arrays.update(header=arrays["header"][:-9]),
    "deep": lambda arrays: arrays.update(header=np.frombuffer(b"[" * 100_000, np.uint8)),
    "a list": lambda arrays: arrays.update(header=np.frombuffer(b"[1]", np.uint8)),
    "more epochs": edit_header(lambda header: header["progress"]["rows"].extend(header["progress"]["rows"])),
    "no epochs": edit_header(lambda header: header["progress"].update(rows=[])),
    "other columns": edit_header(lambda header: header["progress"]["rows"][0].update(more=1.0)),
    "texts": edit_header(lambda header: header["progress"]["rows"][0].update(val_loss="1")),
    "a best epoch that is none": edit_header(lambda header: header["progress"].update(best_epoch=7)),
    "time that is none": edit_header(lambda header: header["progress"].update(seconds=float("nan"))),
    "no callbacks": edit_header(lambda header: header["progress"].update(callbacks={})),
    "damaged callbacks": edit_header(
        lambda header: header["progress"]["callbacks"].update(stopping={"wait": {"x": 1}})
    ),
    "an array that is none": edit_header(
        lambda header: header["progress"]["callbacks"]["stopping"].update(best_weights={"array": 10**6, "type": "x"})
    ),
    "a state that sets the model": edit_header(
        lambda header: header["progress"]["callbacks"]["stopping"].update(_model=None)
    ),
    "an imported function": edit_header(
        lambda header: header["progress"]["callbacks"]["stopping"].update(monitor_op={"comparison": "os.system"})
    ),
    "missing progress": edit_header(lambda header: header.pop("progress")),
    "many arrays": edit_header(lambda header: header.update(arrays=10**12)),
    "a count that is none": edit_header(lambda header: header.update(variables="1")),
}


def as_link(path):
    (path.parent / "elsewhere").write_bytes(b"x")
    path.symlink_to(path.parent / "elsewhere")


def as_folder(path):
    path.mkdir()
    (path / "file").touch()


def test_a_backup_that_is_not_what_was_written_is_not_used(interrupted, caplog):
    config, expected, part = interrupted
    backup = (part.path / "backup.npz").read_bytes()
    strange = {name: rewritten(backup, change) for name, change in CHANGES.items()}
    strange |= {"a bomb": bomb(backup), "a shape": huge_shape(backup)}
    strange |= {"a link": as_link, "a pipe": os.mkfifo, "a folder": as_folder}
    for name, data in strange.items():
        caplog.clear()
        seen, found, restarted = again(config, part, data)
        assert seen == AFRESH, name
        assert found == expected, name
        assert restarted in caplog.messages, name
        assert str(part.path / "backup.npz") in restarted or name == "no callbacks", name
    seen, found, restarted = again(config, part, rewritten(backup, lambda _: None))
    assert (seen, found, restarted) == (RESUMED, expected, "")


class Counter(keras.callbacks.Callback):
    """Changes the learning rate by what it holds, of all types that can be stored."""

    def __init__(self):
        super().__init__()
        self.numbers = [1, 0.5, float("inf"), float("nan"), -0.0, 10**30]
        self.texts = ("a\ud800é", b"\x00\xff", None, True)
        self.table = {("a", 1): [np.float32(0.1)], None: np.bool_(True), 2.5: {}}
        self.array = np.arange(6, dtype=">i2").reshape(2, 3).T
        self.scale = lambda value: value * 0.9
        self.hook = self.scaled

    def scaled(self, rate):
        return self.scale(rate) * float(self.array.mean() / 3)

    def on_epoch_end(self, epoch, logs=None):
        self.numbers[0] += 1
        self.array[0, 0] += self.numbers[0]
        self.table["a", 1].append(np.float64(epoch))
        self.model.optimizer.learning_rate = self.hook(float(self.model.optimizer.learning_rate))


class Schedule(keras.callbacks.LearningRateScheduler):
    def __init__(self):
        super().__init__(lambda epoch, rate: rate * 0.7)


CALLBACKS = {
    "ReduceLROnPlateau": {"monitor": "loss", "patience": 1, "min_delta": 10.0, "cooldown": 1},
    "EarlyStopping": {"patience": 1, "min_delta": 0.01, "restore_best_weights": True, "monitor": "val_accuracy"},
    "ModelCheckpoint": {"filepath": "{run}/checkpoint.keras", "save_best_only": True, "monitor": "val_loss"},
    "TerminateOnNaN": {"raise_error": False},
    f"{__name__}.Schedule": {},
    f"{__name__}.Counter": {},
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, id=name.rpartition(".")[2], marks=[pytest.mark.slow] if options else [])
        for name, options in CALLBACKS.items()
    ],
)
def test_a_callback_goes_on_bit_for_bit_after_any_epoch(name, tiny, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("ablate.keras.train._BACKUP_PAUSE", 0)
    caplog.set_level(logging.INFO, logger="ablate.keras.train")
    config = tiny(
        data={"limit": 80},
        train={"epochs": 4, "save": "last", "callbacks": {"one": {"name": name, **CALLBACKS[name]}}},
    )
    whole = RunFolder(tmp_path / "whole")
    expected = outcome(whole, train(config, whole))
    epochs = expected[0]["epochs"]
    for epoch in range(1, epochs + 1):
        part = RunFolder(tmp_path / str(epoch))
        with pytest.raises(Interrupted):
            train(config, part, interrupt_after(epoch))
        caplog.clear()
        assert outcome(part, train(config, part)) == expected
        assert f"The run goes on after epoch {epoch}." in caplog.messages


def kept(value):
    """What a value is after it was stored in one callback and restored in another."""
    arrays = []
    callback = keras.callbacks.Callback()
    callback.value = value
    state = stored_state(callback, arrays)
    if state is None:
        return None
    written = io.BytesIO()
    np.savez(written, *arrays)
    written.seek(0)
    with np.load(written, allow_pickle=False) as file:
        arrays = [file[f"arr_{number}"] for number in range(len(arrays))]
    return read_state(keras.callbacks.Callback(), json.loads(json.dumps(state)), arrays)["value"]


def test_plain_values_are_restored_exactly():
    counter = Counter()
    for value in (counter.numbers, counter.texts, counter.table, [], (), {}, "", b"", [[[1]]]):
        found = kept(value)
        assert repr(found) == repr(value)
        assert type(found) is type(value)
    for array in (
        counter.array,
        np.array(2.5),
        np.zeros((0, 3), np.float16),
        np.array(["a", "bcd"]),
        np.array([1 + 2j, np.nan]),
        np.array(["2026-01-01"], "datetime64[s]"),
        np.asarray([0.1, 1e30, -0.0], keras.ops.convert_to_numpy(keras.ops.zeros(1, "bfloat16")).dtype),
    ):
        found = kept(array)
        assert type(found) is np.ndarray
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()
        found[...] = found[...]  # it can be changed
    for scalar in (np.float32(0.1), np.int64(-3), np.bool_(False), np.float64("nan")):
        found = kept(scalar)
        assert type(found) is type(scalar)
        assert repr(found) == repr(scalar)


def shared_list():
    one = [1]
    return [one, one]


def endless_list():
    one = []
    one.append(one)
    return one


def deep_list():
    one = []
    for _ in range(100_000):
        one = [one]
    return one


def counting():
    count = 0

    def function():
        nonlocal count
        count += 1

    return function


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        np.array([object()]),
        np.zeros(2, [("a", "f4")]),
        keras.layers.Dense,
        shared_list(),
        endless_list(),
        deep_list(),
        counting(),
        [len],
        np.ma.masked_array([1]),
        io.BytesIO(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_not_stored(value):
    assert kept(value) is None


def test_a_function_is_left_where_the_new_callback_has_the_same():
    arrays = []
    state = stored_state(Counter(), arrays)
    assert {"scale", "hook"}.isdisjoint(read_state(Counter(), state, arrays))
    other = Counter()
    other.scale = lambda value: value
    with pytest.raises(NotPlain):
        read_state(other, state, arrays)


def test_progress_that_makes_no_sense_is_refused():
    values = {"rows": [{"loss": 1.0}], "best_epoch": 1, "stopped": False, "seconds": 0.5, "callbacks": {}}
    assert Progress.parse(values).best_epoch == 1
    for change in ({"rows": {}}, {"best_epoch": True}, {"best_epoch": 0}, {"stopped": 0}, {"seconds": -1.0}):
        with pytest.raises(ValueError):
            Progress.parse({**values, **change})
