from __future__ import annotations

import pandas as pd

from ablate.report.provenance import late_seeds, mixed_versions


def test_runs_of_two_back_ends_are_noted() -> None:
    runs = pd.DataFrame(
        {
            "state": ["finished"] * 3,
            "reason": [""] * 3,
            "backend": ["jax", "tensorflow", None],
            "keras": ["3.15.1"] * 3,
            "jax": ["0.10.2"] * 3,
        }
    )
    assert mixed_versions(runs) == ["Runs of mixed versions are compared here: Keras back end jax and tensorflow."]
    assert mixed_versions(runs[:1]) == []


def test_seeds_that_were_added_after_results_had_been_seen_are_noted() -> None:
    first = {"seeds": [0, 1]}
    assert late_seeds([first, {"seeds": [0, 1, 2], "finished": 0}]) == []
    (note,) = late_seeds([first, {"seeds": [0, 1, 2, 3], "finished": 4}])
    assert note.startswith("Seeds 2, 3 were added after results had been seen")
