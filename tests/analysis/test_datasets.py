from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from studies import factor, plan_of, values_of

from ablate.analysis import anova, main_effects, pool_effects, rank_cells
from ablate.analysis.datasets import _iman_davenport, critical_difference
from ablate.errors import AnalysisError
from ablate.study import Plan


def data(count: int) -> tuple[str, ...]:
    return tuple(f"set{index}" for index in range(count))


def plan_on(count: int, *names: str, **study: object) -> Plan:
    factors = [*(factor(name) for name in names), factor("data", *data(count), block=True)]
    return plan_of(*factors, design="factorial", seeds=range(4), **study)  # type: ignore[arg-type]


def noisy(effects: dict[str, float], spread: float = 0.05, seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return lambda levels, run: (
        float(rng.normal(0, spread))
        + 10.0 * int(levels["data"][3:])
        + effects[levels["data"]] * (levels["a"] == "false")
    )


def test_pooling_by_hand() -> None:
    plan = plan_on(3, "a")
    values = values_of(plan, noisy({"set0": -1.0, "set1": -1.4, "set2": -0.7}))
    found = pool_effects(plan, values)
    row = found.table.iloc[0]
    assert (row["factor"], row["level"], row["blocks"]) == ("a", "false", 3)
    pairs = [("full", "w/o a"), ("data=set1", "w/o a, data=set1"), ("data=set2", "w/o a, data=set2")]
    d = np.array([[values[b][s] - values[a][s] for s in range(4)] for a, b in pairs])
    means, variances = d.mean(axis=1), d.var(axis=1, ddof=1) / 4
    oracle = stats.ttest_1samp(means, 0.0)
    assert row["difference"] == pytest.approx(means.mean())
    assert row["contribution"] == pytest.approx(-means.mean())
    assert (row["low"], row["high"]) == pytest.approx(tuple(oracle.confidence_interval()))
    assert row["p"] == pytest.approx(oracle.pvalue)
    assert row["between"] ** 2 == pytest.approx(means.var(ddof=1) - variances.mean())
    assert found.notes == ("3 data sets say little about others: read the effects of each beside the mean.",)
    assert found.estimand == "Mean effect over data sets of which these are a sample, each with the same weight."


def test_effects_that_agree_to_the_last_digit_allow_no_interval() -> None:
    plan = plan_on(3, "a")
    found = pool_effects(plan, values_of(plan, lambda levels, run: -(levels["a"] == "false") * (1.0 + 0.25 * run)))
    row = found.table.iloc[0]
    assert (row["difference"], row["between"], row["i2"]) == (pytest.approx(-1.375), 0.0, 0.0)
    assert math.isnan(row["low"]) and math.isnan(row["p"])


def test_pooling_does_not_depend_on_units() -> None:
    plan = plan_on(4, "a")
    values = values_of(plan, noisy({"set0": -1.0, "set1": -1.4, "set2": -0.7, "set3": 0.2}))
    scaled = {cell: {seed: 1000 * value for seed, value in found.items()} for cell, found in values.items()}
    one, two = pool_effects(plan, values).table.iloc[0], pool_effects(plan, scaled).table.iloc[0]
    for column in ("difference", "low", "high", "between"):
        assert two[column] == pytest.approx(1000 * one[column], rel=1e-9)
    assert two["p"] == pytest.approx(one["p"], rel=1e-9)


def test_pooling_needs_data_sets() -> None:
    plan = plan_of(factor("a"))
    with pytest.raises(AnalysisError) as error:
        pool_effects(plan, values_of(plan, lambda levels, seed: 1.0))
    assert str(error.value) == (
        "Study 'demo' runs on one data set: no factor is a block. Sweep the data, for example data=digits,telugu."
    )
    plan = plan_on(2, "a")
    values = values_of(plan, lambda levels, seed: 1.0)
    with pytest.raises(AnalysisError) as error:
        pool_effects(plan, {**values, "w/o a, data=set1": {}})
    assert (
        str(error.value) == "No ingredient was compared in two of the data sets set0, set1: there is nothing to pool."
    )


def test_averages_over_data_sets_have_the_data_set_as_their_unit() -> None:
    plan = plan_on(5, "a", "b")
    spread = {f"set{place}": size for place, size in enumerate((-1.0, 0.2, 0.9, -0.3, 0.4))}
    values = values_of(plan, noisy(spread))
    found = main_effects(plan, values)
    row = found.table.set_index("factor").loc["a"]
    assert (row["n"], found.counted, found.interval) == (5, "data set", "t interval over data sets")
    # With seeds as replicates this would be called significant; between data sets it has either sign.
    assert row["p"] > 0.5 and row["verdict"] == "undecided"
    table = anova(plan, values).anova.set_index(["stratum", "term"])
    assert table.loc[("data:a", "a"), "p"] == pytest.approx(row["p"])
    assert table.loc[("data:a", "Residual"), "df"] == 4


def test_published_critical_differences() -> None:
    # Demsar 2006, sec. 3.2.2 (four classifiers, 14 data sets) and table 5: q = 1.960, 2.343, 2.569, 2.728, 2.850.
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, alpha=0.10) == pytest.approx(1.12, abs=0.005)
    for cells, q in zip(range(2, 7), (1.960, 2.343, 2.569, 2.728, 2.850), strict=True):
        assert critical_difference(cells, 10) / math.sqrt(cells * (cells + 1) / 60) == pytest.approx(q, abs=0.0011)


def test_published_friedman_test() -> None:
    # The same example: mean ranks 3.143, 2.000, 2.893, 1.964 give chi2 = 9.28 and F = 3.69 with 3 and 39 degrees.
    p = _iman_davenport(np.array([3.143, 2.000, 2.893, 1.964]), 14)
    assert p == pytest.approx(stats.f.sf(3.69, 3, 39), rel=0.01)


def ranked(count: int, direction: str = "max"):  # type: ignore[no-untyped-def]
    plan = plan_on(count, "a", "b", direction=direction)
    rng = np.random.default_rng(8)
    good = 1 if direction == "max" else -1
    worth = {("true", "true"): 0.0, ("true", "false"): 0.1, ("false", "true"): -5.0, ("false", "false"): -5.1}
    return plan, values_of(
        plan, lambda levels, seed: good * worth[levels["a"], levels["b"]] + float(rng.normal(0, 0.4))
    )


@pytest.mark.parametrize("direction", ["max", "min"])
def test_ranks_over_many_data_sets(direction: str) -> None:
    plan, values = ranked(9, direction)
    found = rank_cells(plan, values)
    assert found.blocks == 9
    table = found.table.set_index("cell")
    assert table["mean_rank"].sum() == pytest.approx(10.0)
    assert set(table.index[:2]) == {"full", "b=false"} and set(table.index[2:]) == {"a=false", "a=false, b=false"}
    assert found.friedman < 0.001
    assert table.loc["a=false", "p"] == pytest.approx(2.0 ** (1 - 9))
    assert table.loc["a=false", "p_adjusted"] == pytest.approx(3 * 2.0 ** (1 - 9))
    assert math.isnan(table.loc["full", "p"])
    assert any(set(group) == {"full", "b=false"} for group in found.groups)
    assert not any({"full", "a=false, b=false"} <= set(group) for group in found.groups)


def test_ties_share_ranks() -> None:
    plan = plan_on(5, "a")
    found = rank_cells(plan, values_of(plan, lambda levels, seed: float(seed)))
    assert found.table["mean_rank"].tolist() == [1.5, 1.5]
    assert found.table["p"].dropna().tolist() == [1.0]
    assert found.friedman == pytest.approx(1.0)


def test_few_data_sets_are_not_ranked() -> None:
    plan, values = ranked(4)
    with pytest.raises(AnalysisError) as error:
        rank_cells(plan, values)
    assert str(error.value) == (
        "Ranks need at least 5 data sets with two cells or more in common; there are 4 with 4. For fewer data sets "
        "pool the effects."
    )


def test_cells_that_are_not_everywhere_are_left_out() -> None:
    plan, values = ranked(5)
    values["w/o a, data=set3"] = {}
    found = rank_cells(plan, values)
    assert len(found.table) == 3
    assert found.notes[0] == "Not on all data sets, left out: a=false."
