from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import SequentialRule, checklist, conduct_of, summarise
from ablate.analysis.checks import CONVERGENCE_COLUMNS, convergence, identical_runs

PLAN = plan_of(factor("a"))
SCORES = {"full": [0.90, 0.92, 0.91], "w/o a": [0.80, 0.83, 0.80]}


def curves_of(slope: float, epochs: int = 40, column: str = "val_score") -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"cell": cell, "seed": seed, "epoch": epoch, column: 0.5 + own * epoch + float(rng.normal(0, 1e-4))}
        for cell, own in (("full", 0.0), ("w/o a", slope))
        for seed in range(3)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows).assign(study="demo")


def test_a_curve_that_ends_in_infinite_numbers_says_nothing_of_convergence() -> None:
    curves = curves_of(0.01)
    diverged = (curves["cell"] == "w/o a") & (curves["seed"] == 1) & (curves["epoch"] > 38)
    curves.loc[diverged, "val_score"] = [math.inf, -math.inf]
    assert list(convergence(curves, PLAN)["cell"]) == ["full"]


@pytest.mark.parametrize(
    ("column", "slope", "direction", "improving"),
    [
        ("val_score", 0.01, "max", True),
        ("val_score", -0.01, "max", False),
        ("val_score", -0.01, "min", True),
        ("val_loss", -0.01, "max", True),
        ("val_loss", 0.01, "max", False),
        ("score", 0.01, "max", True),
    ],
)
def test_curves_that_still_improve(column: str, slope: float, direction: str, improving: bool) -> None:
    plan = plan_of(factor("a"), direction=direction)
    table = convergence(curves_of(slope, column=column), plan).set_index("cell")
    assert bool(table.loc["w/o a", "improving"]) is improving
    assert not table.loc["full", "improving"]
    row = table.loc["w/o a"]
    assert (row["metric"], row["n"], row["epochs"], row["window"]) == (column, 3, 40, 4)
    assert abs(row["gain"]) == pytest.approx(0.01, abs=1e-3)
    assert row["low"] < row["gain"] < row["high"]


def test_they_are_noted() -> None:
    summary = summarise(PLAN, runs_of(SCORES), curves_of(0.01))
    assert "Not converged: val_score was still improving over the last 4 epochs of w/o a." in summary.notes
    assert summarise(PLAN, runs_of(SCORES), curves_of(0.0)).notes == ()


def test_curves_of_unfinished_runs_do_not_count() -> None:
    runs = runs_of(SCORES)
    runs.loc[runs["cell"] == "w/o a", "state"] = "running"
    assert list(summarise(PLAN, runs, curves_of(0.01)).convergence["cell"]) == ["full"]


def test_short_or_missing_curves_say_nothing() -> None:
    assert tuple(convergence(NO_CURVES, PLAN).columns) == CONVERGENCE_COLUMNS
    assert convergence(curves_of(0.01, epochs=3), PLAN).empty
    assert convergence(curves_of(0.01, column="train_speed"), PLAN).empty
    one = curves_of(0.01)
    single = convergence(one[one["seed"] == 0], PLAN).set_index("cell").loc["w/o a"]
    assert math.isnan(single["low"]) and not single["improving"]


def test_copies_are_named() -> None:
    runs = runs_of({"full": [0.9, 0.9, 0.9], "w/o a": [0.8, 0.8, 0.7]}, loss=[0.3, 0.3, 0.3, 0.5, 0.6, 0.5])
    assert list(identical_runs(runs, PLAN)) == [("full", (0, 1, 2), 2)]
    assert (
        "full: seeds 0, 1, 2 gave the same numbers in all 2 metrics; is the seed used? Copies are not replicates."
        in summarise(PLAN, runs, NO_CURVES).notes
    )


def test_ties_of_a_coarse_metric_or_timings_are_no_copies() -> None:
    assert list(identical_runs(runs_of({"full": [0.9, 0.9], "w/o a": [0.8, 0.8]}), PLAN)) == []
    timed = runs_of({"full": [0.9, 0.9], "w/o a": [0.8, 0.8]}, weights=5.0, seconds=[1.0, 2.0, 1.0, 2.0])
    assert list(identical_runs(timed, PLAN)) == []


def test_the_checklist_is_filled_from_the_data() -> None:
    runs = runs_of(SCORES, seconds=1200.0, python="3.11", keras="3.15")
    runs.loc[5, ["state", "score"]] = ["failed", np.nan]
    summary = summarise(plan_of(factor("a"), margin=0.02), runs, curves_of(0.01))
    items = checklist(summary, conduct=conduct_of([{"declared": "1", "seeds": [0, 1, 2], "finished": 0}]))
    assert items["design"] == "leave_one_out: 2 cells, 1 comparison."
    assert items["primary metric"] == "score, higher is better."
    assert items["seeds"] == "3 seeds fixed before the runs. Paired differences: n = 2 seeds."
    assert items["error bars"] == "95% t intervals of the paired difference, unadjusted."
    assert items["test"] == "Paired t test, Bonferroni-adjusted over 1 comparison, alpha = 0.05."
    assert items["margin"] == "0.02 in units of score, declared before the runs."
    assert items["failures"] == (
        "1 of 6 runs failed; declared before the runs: their seeds are left out of the pairs concerned."
    )
    assert items["convergence"] == "val_score still improving at the end: w/o a."
    assert items["compute"] == ("2 hours in 6 runs that report it, failed ones included. To be stated: hardware.")
    assert items["versions"] == "python 3.11, keras 3.15."
    assert items["pairing"] == "Correlation of paired runs not measurable with so few seeds."


def test_the_checklist_of_a_sequential_or_empty_study() -> None:
    plan = plan_of(factor("a"), seeds=range(20))
    summary = summarise(plan, runs_of(SCORES), NO_CURVES, SequentialRule(20))
    assert checklist(summary)["seeds"] == (
        "3 to 20 seeds, a look after each (Wang-Tsiatis boundary, shape 0.25) until decided. Paired differences: "
        "n = 3 seeds."
    )
    assert "repeated confidence intervals" in checklist(summary)["error bars"]
    assert checklist(summary)["test"].startswith("Sequential paired t test, ")
    empty = checklist(summarise(plan, runs_of({}), NO_CURVES))
    assert empty["versions"] == "To be stated."
    assert empty["convergence"] == "No validation curves to judge by."


def test_what_only_the_application_knows_stands_where_the_data_cannot_tell() -> None:
    runs = runs_of(SCORES, seconds=1200.0, hardware="Some Processor, 2 cores")
    summary = summarise(plan_of(factor("a")), runs, NO_CURVES)
    items = checklist(summary, {"epoch selection": "The last one.", "seeds": "Any.", "licence": "CC BY."})
    assert items["epoch selection"] == "The last one."
    assert items["licence"] == "CC BY."
    assert items["seeds"].startswith("3 seeds.")  # when they were chosen is not recorded here
    assert items["sources of variability"].startswith("To be stated: ")
    assert items["compute"] == "2 hours in 6 runs that report it, failed ones included. On Some Processor, 2 cores."


def test_numbers_too_large_to_be_multiplied_say_nothing_of_convergence() -> None:
    curves = curves_of(0.01)
    curves.loc[curves["cell"] == "full", "val_score"] = 1e308
    assert list(convergence(curves, PLAN)["cell"]) == ["w/o a"]
