from __future__ import annotations

import pytest
from scipy import stats
from studies import factor, plan_of, values_of

from ablate.analysis import roadmap
from ablate.errors import AnalysisError
from ablate.study import Requires

WORTH = {"a": 1.0, "b": 0.5, "c": -0.25}


def score(levels: dict[str, str], seed: int) -> float:
    gains = sum(
        worth * (1 + 0.1 * ((seed + 1) * len(levels) % 4)) for name, worth in WORTH.items() if levels[name] == "true"
    )
    return seed + gains


@pytest.mark.parametrize("direction", ["max", "min"])
def test_every_step_has_its_paired_effect(direction: str) -> None:
    plan = plan_of(*(factor(name) for name in "abc"), design="cumulative", seeds=range(4), direction=direction)
    values = values_of(plan, score)
    found = roadmap(plan, values)
    table = found.table
    assert table["added"].tolist() == ["a", "b", "c"]
    assert table["step"].tolist() == [1, 2, 3]
    assert table["cell"].tolist() == ["w/o b, w/o c", "w/o c", "full"]
    assert table["mean"].iloc[-1] == pytest.approx(sum(values["full"].values()) / 4)
    oracle = stats.ttest_rel([*values["w/o c"].values()], [*values["w/o b, w/o c"].values()])
    assert table.loc[1, "p"] == pytest.approx(oracle.pvalue)
    assert (table.loc[1, "low"], table.loc[1, "high"]) == pytest.approx(tuple(oracle.confidence_interval()))
    sign = 1 if direction == "max" else -1
    assert (table["contribution"] == sign * table["difference"]).all()
    assert "in the one order a, b, c." in found.estimand
    empty = "w/o a, w/o b, w/o c"
    gain = sum(values["full"][seed] - values[empty][seed] for seed in range(4)) / 4
    assert table["difference"].sum() == pytest.approx(gain)


def test_what_depends_on_a_later_ingredient_counts_with_it() -> None:
    rule = Requires("place", "norm", ("true",))
    place, norm = factor("place", "before", "after"), factor("norm")
    for factors, added in (((place, norm), ["place+norm"]), ((norm, place), ["norm", "place"])):
        plan = plan_of(*factors, design="cumulative", constraints=[rule])
        assert roadmap(plan, values_of(plan, lambda levels, seed: 0.5 * seed)).table["added"].tolist() == added


def test_each_data_set_has_its_own_road() -> None:
    plan = plan_of(factor("a"), factor("b"), factor("data", "x", "y", block=True), design="factorial")
    table = roadmap(plan, values_of(plan, lambda levels, seed: float(seed))).table
    assert table[["data", "step"]].values.tolist() == [["x", 1], ["x", 2], ["y", 1], ["y", 2]]


def test_other_designs_are_refused() -> None:
    plan = plan_of(factor("a"), factor("b"))
    with pytest.raises(AnalysisError) as error:
        roadmap(plan, values_of(plan, lambda levels, seed: 1.0))
    assert str(error.value) == (
        "The design 'leave_one_out' has no roadmap: the cell without a, b is missing. Use the design 'cumulative'."
    )
