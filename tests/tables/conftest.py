from __future__ import annotations

import pandas as pd
import pytest

from ablate.analysis import Summary, summarise
from ablate.study import Factor, Level, Requires, Study, make_plan

NO_CURVES = pd.DataFrame(columns=["study", "cell", "seed", "epoch"])
SCORES = {
    "full": [0.9722, 0.9750, 0.9694],
    "w/o batch_norm": [0.8778, 0.8861, 0.8694],
    "bn_placement=after": [0.9778, 0.9750, 0.9722],
    "head=flatten": [0.9694, 0.9694, 0.9722],
}


def runs_of(scores: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(cell, seed, value) for cell, values in scores.items() for seed, value in enumerate(values)]
    frame = pd.DataFrame(rows, columns=["cell", "seed", "test_accuracy"])
    return frame.assign(study="demo", state="finished", reason="", weights=36864, seconds=4.2)


@pytest.fixture
def summary() -> Summary:
    factors = [
        Factor("batch_norm", (Level("true"), Level("false")), "true"),
        Factor("bn_placement", (Level("before"), Level("after")), "before"),
        Factor("head", (Level("gap"), Level("flatten")), "gap"),
    ]
    study = Study("demo", "leave_one_out", (0, 1, 2), "test_accuracy")
    plan = make_plan(study, factors, [Requires("bn_placement", "batch_norm", ("true",))])
    return summarise(plan, runs_of(SCORES), NO_CURVES)


@pytest.fixture
def hostile() -> Summary:
    factors = [
        Factor("a_b&c%$#{}~^\\", (Level("true"), Level("false")), "true"),
        Factor("größe_α_층", (Level("[32,64]"), Level("x|y")), "[32,64]"),
        Factor("<b>`*[red]", (Level("--"), Level("*y")), "--"),
    ]
    plan = make_plan(Study("a/b_c", "leave_one_out", (0,), "test_accuracy"), factors)
    return summarise(plan, runs_of({cell.label: [0.5] for cell in plan.cells}), NO_CURVES)
