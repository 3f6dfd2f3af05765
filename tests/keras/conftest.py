from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import pytest

if importlib.util.find_spec("tensorflow") is not None:
    from ablate.keras import device

    # The first tensor of the session would fix another number.
    device.prepare(1)

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

TINY = {
    "seed": 0,
    "residual": True,
    "batch_norm": True,
    "bn_placement": "before",
    "separable": True,
    "head": "gap",
    "bias": False,
    "model": {"name": "mini_xception", "filters": [4, 8], "stem": [4, 3]},
    "data": {"source": "digits", "size": 8, "limit": 150},
    "train": {"epochs": 2, "batch_size": 32, "learning_rate": 0.01},
}


@pytest.fixture
def tiny():
    """Makes a config of a run of a second; sections given are merged, other keys replaced."""

    def make(**changes):
        config = copy.deepcopy(TINY)
        for key, value in changes.items():
            config[key] = {**config[key], **value} if isinstance(value, dict) else value
        return config

    return make


@pytest.fixture
def shared_data():
    """The folder of real data beside the project."""
    if not SHARED.is_dir():
        pytest.skip(f"the test data are not at {SHARED}")
    return SHARED
