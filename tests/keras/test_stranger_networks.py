"""Networks of strangers, from the survey of their ingredients to a trained run."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from ablate.keras.costing import measure  # noqa: E402
from ablate.keras.survey import main  # noqa: E402

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
