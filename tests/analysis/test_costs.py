from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis.costs import disagreements, pareto_front


def test_the_front_is_of_those_that_none_beats() -> None:
    assert pareto_front([1, 1, 2, 3], [0.5, 0.5, 0.4, 0.6]) == [True, True, False, True]
    assert pareto_front([1, 2, 3], [5.0, 4.0, 4.5], "min") == [True, True, False]
    assert pareto_front([1, 2, np.nan], [np.nan, 0.4, 0.9]) == [False, True, False]


def test_only_times_far_from_the_operations_are_named() -> None:
    rows = [
        {"cell": "close", "flops_ratio": 2.0, "latency_ratio": 1.5, "step_ratio": 2.5},
        {"cell": "both", "flops_ratio": 4.0, "latency_ratio": 1.0, "step_ratio": 1.2},
        {"cell": "unknown", "flops_ratio": np.nan, "latency_ratio": 1.0, "step_ratio": np.nan},
    ]
    assert disagreements(pd.DataFrame(rows)) == (
        "Theory and machine disagree on both: 4 times the operations take 1 times the seconds of a forward pass and "
        "1.2 times the seconds of a training step.",
    )
