from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

from ablate.report.marks import marks

RECORD: Any = SimpleNamespace(history=())


def test_runs_of_two_back_ends_are_told() -> None:
    runs = pd.DataFrame(
        {
            "state": ["finished"] * 3,
            "reason": [""] * 3,
            "backend": ["jax", "tensorflow", None],
            "keras": ["3.15.1"] * 3,
            "jax": ["0.10.2"] * 3,
        }
    )
    assert marks(RECORD, runs) == ("Runs of mixed versions are compared here: Keras back end jax and tensorflow.",)
    assert marks(RECORD, runs[:1]) == ()
