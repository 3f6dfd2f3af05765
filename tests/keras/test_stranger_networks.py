"""Networks of strangers, from the survey of their ingredients to a trained run."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

import stranger_networks as networks  # noqa: E402

from ablate.keras.costing import measure  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.rewrites import remove  # noqa: E402
from ablate.keras.streams import seeded  # noqa: E402
from ablate.keras.survey import main  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = pytest.mark.keras


def with_network(config, name, **model):
    """The configuration with one of the networks of `stranger_networks`."""
    return {**config, "model": {"name": "builder", "builder": f"stranger_networks.{name}", **model}}


def test_a_sequential_model_is_surveyed_and_measured(tiny, monkeypatch):
    monkeypatch.setattr("ablate.keras.costing._SECONDS", 0.0)
    config = with_network(tiny(), "sequential")
    rows = {row["ingredient"]: row for row in main(config)}
    # 3 x 3 + 1 weights for each of 4 channels, 4 + 1 for each of 10 classes
    assert rows["head"]["weights"] == 40 + 50
    assert rows["head"]["weights_without"] == 40 + 10 * (6 * 6 * 4 + 1)
    assert rows["head"]["flops"] > 2 * 36 * 36
    full, without = measure([config, {**config, "dropout": False}])
    assert full["weights"] == without["weights"] == 90
    assert full["flops"] == rows["head"]["flops"]
    assert without["latency_ratio"] > 0 < without["step_ratio"]


def test_what_keras_cannot_write_is_the_same_object_in_the_network_without_an_ingredient():
    full = networks.transformer((8, 8, 1), 3)
    for other in (remove(full, residual=False), seeded(full, 0)):
        assert [layer.name for layer in other.layers if layer.weights] == [x.name for x in full.layers if x.weights]
        assert other.count_params() == full.count_params()
        old, new = full.get_layer("second_dense"), other.get_layer("second_dense")
        assert new is not old
        assert new.activation is networks.squared_relu
        for key in ("kernel_regularizer", "kernel_initializer", "kernel_constraint"):
            assert getattr(new, key) is getattr(old, key)
        assert other.get_layer("first_dense").activation is keras.activations.silu  # TensorFlow's is the same
        assert other.get_layer("first_activation").activation is full.get_layer("first_activation").activation
        assert other.get_layer("first_gated").function is networks.squared_relu
        assert other.get_layer("patch_encoder").num_patches == 16
    gelu = remove(full, activation="gelu")
    assert gelu.get_layer("second_dense").activation is keras.activations.gelu
    assert gelu.get_layer("second_dense").kernel_constraint is full.get_layer("second_dense").kernel_constraint


def test_a_transformer_of_keras_io_is_trained_with_and_without_residual_connections(tiny, tmp_path):
    cells = [with_network({**tiny(train={"epochs": 1}), "residual": level}, "transformer") for level in (True, False)]
    full, without = check(cells)
    assert (full["error"], without["error"]) == (None, None)
    assert full["sites"]["residual"] == 2
    results = [train(config, RunFolder(tmp_path / str(number))) for number, config in enumerate(cells)]
    assert [result["weights"] for result in results] == [full["weights"]] * 2


def test_a_frozen_layer_without_keywords_in_its_constructor_stays_frozen():
    inputs = keras.Input((16, 4))
    encoder = networks.PatchEncoder(16, 8)
    encoder.trainable = False
    model = keras.Model(inputs, keras.layers.Dense(2)(encoder(inputs)))
    again = seeded(model, 0)
    assert [layer.trainable for layer in again.layers] == [layer.trainable for layer in model.layers]
    assert len(again.trainable_weights) == 2
