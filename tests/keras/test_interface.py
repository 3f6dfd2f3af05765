"""The public interface of `ablate.keras`, for a training script with its own compile and fit."""

from __future__ import annotations

import csv
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import ablate.keras  # noqa: E402
from ablate.errors import NetworkError  # noqa: E402
from ablate.keras import Curves, ShuffledBatches, cost, diagram, ingredients, remove, seed_streams  # noqa: E402
from ablate.keras.networks import named_weights  # noqa: E402
from ablate.store.run_folder import RunFolder, set_current_run  # noqa: E402

pytestmark = pytest.mark.keras

layers = keras.layers
SEEN: list[np.ndarray] = []


class Spy(layers.Layer):
    """Passes its input on and keeps the values."""

    def call(self, x):
        if hasattr(x, "numpy"):
            SEEN.append(np.asarray(x))
        return x


def network():
    keras.utils.clear_session()
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="relu")(Spy()(inputs))
    x = layers.BatchNormalization()(layers.Dense(8)(x))
    x = layers.Add()([layers.Dense(8)(x), x])
    x = Spy()(layers.Dropout(0.5)(x))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x), name="net")


X = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
Y = np.arange(32) % 2


def batches_seen(model, *data):
    """The batches of two epochs, and which units dropout leaves of each."""
    SEEN.clear()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(*data, batch_size=8 if len(data) > 1 else None, epochs=2, verbose=0)
    return SEEN[::2], [values != 0 for values in SEEN[1::2]]


def test_two_networks_start_alike_and_see_the_same_batches_with_the_same_units_dropped():
    full = seed_streams(network(), 3)
    without = seed_streams(remove(network(), residual=False, batch_norm=False), 3)
    starts = dict(named_weights(full))
    shared = {path: weight for path, weight in named_weights(without) if path in starts}
    # Three dense layers without a change, and the one whose batch norm is gone had a bias all along.
    assert len([path for path in shared if "kernel" in path]) == 4
    assert all(np.array_equal(weight, starts[path]) for path, weight in shared.items())
    batches, units = batches_seen(full, X, Y)
    batches_without, units_without = batches_seen(without, X, Y)
    assert len(batches) == 8
    np.testing.assert_array_equal(batches, batches_without)
    np.testing.assert_array_equal(units, units_without)
    other, _ = batches_seen(seed_streams(network(), 4), X, Y)
    assert not np.array_equal(batches, other)


def test_shuffled_batches_have_another_order_each_epoch_and_the_same_for_every_network():
    seen, _ = batches_seen(seed_streams(network(), 3), ShuffledBatches(X, Y, 3, 8))
    without, _ = batches_seen(seed_streams(remove(network(), residual=False), 3), ShuffledBatches(X, Y, 3, 8))
    np.testing.assert_array_equal(seen, without)
    first, second = np.concatenate(seen[:4]), np.concatenate(seen[4:])
    assert not np.array_equal(first, second)
    assert sorted(map(tuple, first)) == sorted(map(tuple, second)) == sorted(map(tuple, X))
    assert [len(ShuffledBatches(X, Y, 3, size)) for size in (8, 10, 32)] == [4, 4, 1]


def test_networks_whose_layer_names_count_up_are_refused():
    def counted(name=None):
        inputs = keras.Input((3,), name=name)
        return keras.Model(inputs, layers.Dense(5)(inputs), name="counted")

    keras.utils.clear_session()
    seed_streams(counted(), 0)
    with pytest.raises(NetworkError) as caught:
        seed_streams(counted(), 1)
    assert str(caught.value) == (
        "Model 'counted' had other layer names when it was first built in this process ('input_layer_1' was "
        "'input_layer'), so its runs would not be paired: initial weights are drawn by layer name. Call "
        "`keras.utils.clear_session()` before the model is built, or name its layers."
    )
    keras.utils.clear_session()
    seed_streams(counted("another"), 1)  # a second member of an ensemble


def test_ingredients_of_a_model():
    made_of = ingredients(network())
    assert made_of.sites[["residual", "batch_norm", "separable"]].to_list() == [1, 1, 0]


def test_cost_and_diagram():
    full = network()
    without = remove(full, residual=False)
    assert cost(full).weights == full.count_params()
    assert cost(without).activations == cost(full).activations - 8
    assert str(cost(full)).startswith(f"{full.count_params():,} weights, ")
    pair = diagram(full, without, "w/o residual")
    assert {"w/o residual", "taken away"} <= {text.get_text() for text in pair.axes[0].texts}
    assert "<svg" in pair._repr_svg_()
    assert "taken away" not in {text.get_text() for text in diagram(full).axes[0].texts}


def test_curves_are_written_to_the_folder_of_the_run(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append_curves(1, {"train_loss": 9.0})  # an attempt that was interrupted
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with set_current_run(folder):
        curves = Curves()
        model.fit(X, Y, validation_split=0.25, epochs=2, verbose=0, callbacks=[curves])
        model.fit(X, Y, validation_split=0.25, epochs=1, verbose=0, callbacks=[curves])
    rows = folder.curves()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[0]["train_loss"] != 9.0
    assert {"train_accuracy", "train_loss", "val_accuracy", "val_loss"} <= rows[0].keys()


def test_curves_do_nothing_outside_of_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[Curves()])
    assert list(tmp_path.iterdir()) == []


def test_every_name_is_there_and_stays_when_submodules_are_imported():
    for module in pkgutil.iter_modules(ablate.keras.__path__):
        importlib.import_module(f"ablate.keras.{module.name}")
    for name in ablate.keras.__all__:
        assert not isinstance(getattr(ablate.keras, name), ModuleType), name
    model = network()
    assert ablate.keras.cost(model) == cost(model)
    assert ablate.keras.ingredients(model).equals(ingredients(model))
    with pytest.raises(AttributeError, match="no attribute 'ingredient'"):
        _ = ablate.keras.ingredient


SCRIPT = """
import hashlib
import keras, numpy as np
import ablate
from ablate.keras import Curves, ShuffledBatches, remove, seed_streams

x, y = np.random.default_rng(0).normal(size=(32, 6)).astype("float32"), np.arange(32) % 2

def train(config):
    keras.utils.clear_session()
    model = remove(make_model(), residual=config["residual"])
    seed_streams(model, config["seed"])
    starts = {w.path: hashlib.sha1(w.numpy().tobytes()).hexdigest() for w in model.weights}
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    batches = ShuffledBatches(x, y, config["seed"])
    model.fit(batches, validation_data=(x, y), epochs=3, verbose=0, callbacks=[Curves()])
    return {"test_accuracy": model.evaluate(x, y, verbose=0)[1], "starts": starts}

def make_model():
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, activation="relu")(inputs)
    x = keras.layers.Add()([keras.layers.Dense(8)(x), x])
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))

ablate.run(train, {"residual": [True, False]}, seeds=2, metric="test_accuracy", name="own")
"""


@pytest.mark.slow
def test_a_script_of_ones_own_is_a_study(tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "outputs" / "own"
    starts = {
        (path.parts[-3], path.parts[-2][0]): json.loads(path.read_text())["other"]
        for path in folder.glob("runs/*/*/result.json")
    }
    assert sorted(seed for _, seed in starts) == ["0", "0", "1", "1"]
    cells = sorted({cell for cell, _ in starts})
    for seed in "01":
        # No layer with weights goes with the shortcut, so both networks start from all the same weights.
        assert starts[cells[0], seed] == starts[cells[1], seed]
    assert starts[cells[0], "0"] != starts[cells[0], "1"]
    with (folder / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["cell"], row["seed"], row["epoch"]) for row in rows] == [
        (cell, seed, epoch) for cell in ("full", "w/o residual") for seed in "01" for epoch in "123"
    ]
    assert all(row["val_accuracy"] and row["train_loss"] for row in rows)
    assert (folder / "report.html").is_file()
    assert (folder / "figures" / "curves.png").is_file()
