from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from studies import factor, plan_of, values_of

from ablate.analysis import SequentialRule, interactions, main_effects
from ablate.analysis.decisions import Trajectory
from ablate.analysis.estimates import Contrast, estimate
from ablate.analysis.intervals import t_interval
from ablate.analysis.sequential import follow
from ablate.errors import AnalysisError
from ablate.study import Requires

ON = "true"


def test_main_effects_average_over_the_other_factors() -> None:
    plan = plan_of(factor("a"), factor("b"), design="factorial", seeds=range(4))
    rng = np.random.default_rng(0)
    values = values_of(
        plan, lambda levels, seed: float(rng.normal()) + (levels["a"] == ON) * (3.0 if levels["b"] == ON else 1.0)
    )
    found = main_effects(plan, values)
    table = found.table.set_index("factor")
    per_seed = [
        (values["w/o a"][s] + values["w/o a, w/o b"][s] - values["full"][s] - values["w/o b"][s]) / 2 for s in range(4)
    ]
    # The error is that of the model of cells and seeds, with its degrees of freedom.
    grid = np.array([[values[cell.label][seed] for seed in range(4)] for cell in plan.cells])
    residual = grid - grid.mean(axis=0) - grid.mean(axis=1, keepdims=True) + grid.mean()
    error = np.sqrt((residual**2).sum() / 9 * (4 * 0.25) / 4)
    row = table.loc["a"]
    assert (row["level"], row["pairs"], row["n"]) == ("false", 2, 4)
    assert row["difference"] == pytest.approx(np.mean(per_seed))
    assert row["contribution"] == pytest.approx(-np.mean(per_seed))
    mean = np.mean(per_seed)
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(mean) / error, 9))
    half = stats.t.ppf(0.975, 9) * error
    assert (row["low"], row["high"]) == pytest.approx((mean - half, mean + half))
    assert found.estimand.startswith("Main effect: change of the metric when the factor leaves its reference level")


def test_interactions_are_differences_of_differences() -> None:
    for design in ("factorial", "pairs"):
        plan = plan_of(factor("a"), factor("b"), design=design, seeds=range(3))
        values = values_of(
            plan, lambda levels, seed: seed * (1 + (levels["a"] == ON)) + 2.0 * (levels["a"] == levels["b"] == ON)
        )
        row = interactions(plan, values).table.iloc[0]
        assert (row["factor"], row["level"], row["pairs"]) == ("a:b", "false:false", 1)
        assert row["difference"] == pytest.approx(2.0)
        assert "contribution" not in row and "verdict" not in row


def test_only_valid_pairs_count() -> None:
    plan = plan_of(
        factor("norm"),
        factor("place", "before", "after"),
        factor("res"),
        design="factorial",
        constraints=[Requires("place", "norm", (ON,))],
    )
    values = values_of(
        plan, lambda levels, seed: -1.0 * (levels["place"] == "after") - 5.0 * (levels["norm"] != ON) + seed
    )
    table = main_effects(plan, values).table.set_index("factor")
    assert table["pairs"].to_dict() == {"norm": 2, "place": 2, "res": 3}
    assert table["difference"].to_dict() == pytest.approx({"norm": -5.0, "place": -1.0, "res": 0.0})
    assert set(interactions(plan, values).table["factor"]) == {"norm:res", "place:res"}


def test_factors_with_several_levels() -> None:
    plan = plan_of(factor("norm", "batch", "layer", "none"), factor("b"), design="factorial")
    worth = {"batch": 3.0, "layer": 2.0, "none": 0.0}
    table = main_effects(plan, values_of(plan, lambda levels, seed: worth[levels["norm"]] + seed)).table
    assert table[["level", "pairs"]].values.tolist() == [["layer", 2], ["none", 2], ["false", 3]]
    assert table["difference"].tolist() == pytest.approx([-1.0, -3.0, 0.0])


def test_data_sets_are_never_compared_across() -> None:
    plan = plan_of(factor("a"), factor("b"), factor("data", "x", "y", block=True), design="factorial")
    values = values_of(plan, lambda levels, seed: 100.0 * (levels["data"] == "y") + (levels["a"] == ON) + seed)
    table = main_effects(plan, values).table.set_index("factor")
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", "pairs"] == 4 and table.loc["a", "difference"] == pytest.approx(-1.0)


def test_unfinished_seeds_are_named() -> None:
    plan = plan_of(factor("a"), factor("b"), design="factorial")
    values = values_of(plan, lambda levels, seed: float(seed))
    del values["w/o a"][2]
    found = main_effects(plan, values)
    assert list(found.table["n"]) == [2, 2]
    assert found.notes == ("Only seeds that all cells of an average have finished count; fewer than planned for a, b.",)


def test_designs_without_them_are_refused() -> None:
    plan = plan_of(factor("a"), factor("b"))
    values = values_of(plan, lambda levels, seed: 1.0)
    with pytest.raises(AnalysisError) as error:
        main_effects(plan, values)
    assert str(error.value) == (
        "The design 'leave_one_out' has no main effects: it compares every factor at one setting of the others only. "
        "Use the design 'factorial', or read its effects as they are."
    )
    with pytest.raises(AnalysisError) as error:
        interactions(plan, values)
    assert str(error.value) == (
        "The design 'leave_one_out' has no interactions: no four cells cross two factors. Use the design 'pairs' or "
        "'factorial'."
    )


def test_repeated_intervals_of_contrasts_cover_wherever_a_study_stops() -> None:
    rng, rule, study = np.random.default_rng(20261124), SequentialRule(10), plan_of(factor("a")).study
    repeated, ordinary = [], []
    for values in rng.normal(0.5, 1.0, size=(400, 10)):
        # A study that stops as soon as its data look extreme: the worst that a stopping rule can do to an interval.
        stop = next((n for n in range(3, 10) if abs(t_interval(values[:n].tolist()).mean - 0.5) > 0.6), 10)
        contrast = Contrast({"factor": "a"}, dict(enumerate(values[:stop].tolist())))
        for kept, used in ((repeated, rule), (ordinary, None)):
            row = estimate("", [contrast], study, used).table.iloc[0]
            kept.append(row["low"] <= 0.5 <= row["high"])
    assert np.mean(repeated) >= 0.94 > np.mean(ordinary)


def test_sequential_p_values_of_contrasts_are_those_of_the_rule() -> None:
    values = (0.5, 0.52, 0.51, 0.5)
    decision = follow({"a": Trajectory(values)}, SequentialRule(20)).decisions["a"]
    contrast = Contrast({"factor": "a"}, dict(enumerate(values[: decision.read])))
    row = estimate("", [contrast], plan_of(factor("a"), direction="min").study, SequentialRule(20)).table.iloc[0]
    assert row["p"] == pytest.approx(decision.raw.difference)
    assert (row["low"], row["high"]) == pytest.approx((decision.contribution.low, decision.contribution.high))
    assert row["verdict"] == decision.verdict
