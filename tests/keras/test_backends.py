from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pandas as pd
import pytest

pytest.importorskip("keras")

from ablate.keras import device
from ablate.keras.compiled import clear_models
from ablate.keras.train import train
from ablate.store.run_folder import RunFolder

pytestmark = [
    pytest.mark.keras,
    # Keras reads its variables in a way that NumPy is about to drop.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def neutral(monkeypatch):
    """Trains as with a back end of which nothing is known but what Keras makes of it."""
    clear_models()
    monkeypatch.setattr(device, "backend_name", lambda: "other")
    monkeypatch.setattr(device, "backend_version", lambda: "other 1")
    yield
    clear_models()


class Interrupted(Exception):
    """Stands for a kill."""


def test_the_neutral_path_gives_the_numbers_of_the_traced_one_also_after_an_interruption(
    tiny, tmp_path, request, monkeypatch
):
    settings = {"epochs": 3, "schedule": "cosine", "label_smoothing": 0.1, "epoch": "best_val"}
    config = tiny(augmentation=True, train=settings, data={"scaling": "standard"})
    expected = train(config, RunFolder(tmp_path / "traced"))
    request.getfixturevalue("neutral")
    monkeypatch.setattr("ablate.keras.compiled.TracedLoop", None)

    def interrupt(number, *_):
        if number == 2:
            raise Interrupted

    # The seed before leaves its traces in the network that both share.
    train({**config, "seed": 1}, RunFolder(tmp_path / "before"))
    whole = train(config, RunFolder(tmp_path / "whole"))
    with pytest.raises(Interrupted):
        train(config, RunFolder(tmp_path / "part"), interrupt)
    resumed = train(config, RunFolder(tmp_path / "part"))
    kept = [name for name in expected if not name.startswith("seconds")]
    assert [whole[name] for name in kept] == [resumed[name] for name in kept]
    numbers = [name for name in kept if name != "fingerprints"]
    assert [whole[name] for name in numbers] == pytest.approx([expected[name] for name in numbers], rel=1e-4)
    assert whole["fingerprints"] == expected["fingerprints"]
    assert RunFolder(tmp_path / "whole").curves() == RunFolder(tmp_path / "part").curves()


def test_a_study_trains_with_jax(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install 'ablate-study[jax]'")
    words = ["-m", "residual=true,false", "train.epochs=1", "study.seeds=1", "study.name=s", "study.workers=1"]
    words += ["data.limit=64", "data.size=8", "model.filters=[4]", "study.preflight=null", "report.figures=[forest]"]
    ended = subprocess.run(
        [sys.executable, "-m", "ablate", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert ended.returncode == 0, ended.stderr
    runs = pd.read_csv(tmp_path / "outputs/s/runs.csv")
    assert runs["state"].tolist() == ["finished"] * 2
    assert runs["backend"].tolist() == ["jax"] * 2
    assert runs["jax"].notna().all()
    assert runs["test_accuracy"].between(0, 1).all()
    assert "networks are not all described" not in ended.stderr
