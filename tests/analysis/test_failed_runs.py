from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import summarise
from ablate.errors import AnalysisError

PLAN = plan_of(factor("a"))
SCORES = {"full": [0.90, 0.92, 0.91, 0.93], "w/o a": [0.80, 0.83, 0.80, 0.84]}


def broken() -> pd.DataFrame:
    runs = runs_of(SCORES)
    runs.loc[(runs["cell"] == "w/o a") & (runs["seed"] == 1), ["state", "reason", "score"]] = ["failed", "nan", np.nan]
    runs.loc[(runs["cell"] == "full") & (runs["seed"] == 3), "score"] = np.inf
    return runs


def test_drop_leaves_the_seed_out() -> None:
    summary = summarise(PLAN, broken(), NO_CURVES)
    assert list(summary.pairs["seed"]) == [0, 2]


def test_worst_counts_them_as_declared() -> None:
    summary = summarise(plan_of(factor("a"), failures=0.1), broken(), NO_CURVES)
    assert list(summary.pairs["value"]) == [0.80, 0.1, 0.80, 0.84]
    assert list(summary.pairs["reference"]) == [0.90, 0.92, 0.91, 0.1]
    assert "Runs without a result count as 0.1, as declared." in summary.notes


@pytest.mark.parametrize(("direction", "worst"), [("max", 0.80), ("min", 0.92)])
def test_worst_without_a_number_takes_the_worst_run(direction: str, worst: float) -> None:
    summary = summarise(plan_of(factor("a"), direction=direction, failures="worst"), broken(), NO_CURVES)
    assert summary.values["w/o a"][1] == summary.values["full"][3] == worst


def test_worst_is_that_of_the_same_data_set() -> None:
    plan = plan_of(factor("a"), factor("data", "x", "y", block=True), design="factorial", failures="worst")
    runs = runs_of({"full": [0.9], "w/o a": [0.8], "data=y": [0.4], "w/o a, data=y": [np.nan]})
    summary = summarise(plan, runs, NO_CURVES)
    assert summary.values["w/o a, data=y"][0] == 0.4


def test_fail_refuses_a_result() -> None:
    plan = plan_of(factor("a"), failures="fail")
    with pytest.raises(AnalysisError) as error:
        summarise(plan, broken(), NO_CURVES)
    assert str(error.value) == (
        "2 runs of study 'demo' ended without a result and the policy for failed runs is 'fail': full, seed 3; w/o a, "
        "seed 1. Train again what failed to have a result."
    )
    assert not summarise(plan, runs_of(SCORES), NO_CURVES).effects.empty
