from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import factor, plan_of, values_of

from ablate.analysis import shapley
from ablate.analysis.estimates import cell_at
from ablate.analysis.observations import Observations
from ablate.errors import AnalysisError
from ablate.study import Plan, Requires


def by_orders(plan: Plan, values: Observations, seed: int, parents: dict[str, str]) -> dict[str, float]:
    """The definition itself: the mean marginal over all orders in which parents come first."""
    names = [item.name for item in plan.factors if not item.block]
    total = dict.fromkeys(names, 0.0)
    orders = [
        order
        for order in itertools.permutations(names)
        if all(order.index(parent) < order.index(child) for child, parent in parents.items())
    ]
    for order in orders:
        present: set[str] = set()
        for name in order:
            scores = []
            for now in (present, present | {name}):
                levels = {f.name: f.reference if f.name in now else f.removed.label for f in plan.factors}
                cell = cell_at(plan, levels)
                assert cell is not None
                scores.append(values[cell.label][seed])
            total[name] += (scores[1] - scores[0]) / len(orders)
            present.add(name)
    return total


@settings(max_examples=settings.default.max_examples // 10)
@given(st.integers(0, 999), st.integers(1, 4), st.sampled_from(["max", "min"]))
def test_it_is_the_mean_over_all_orders(seed: int, k: int, direction: str) -> None:
    plan = plan_of(*(factor(name) for name in "abcd"[:k]), design="factorial", direction=direction)
    rng = np.random.default_rng(seed)
    values = values_of(plan, lambda levels, seed: float(rng.normal()))
    found = shapley(plan, values).table.set_index("factor")
    sign = 1 if direction == "max" else -1
    expected = [by_orders(plan, values, run, {}) for run in plan.study.seeds]
    for name in found.index:
        assert found.loc[name, "contribution"] == pytest.approx(sign * np.mean([one[name] for one in expected]))
    removed = plan.cells[-1].label
    gain = np.mean([values["full"][run] - values[removed][run] for run in plan.study.seeds])
    assert found["contribution"].sum() == pytest.approx(sign * gain)


def test_additive_scores_share_by_ingredient_with_an_interval_over_seeds() -> None:
    plan = plan_of(factor("a"), factor("b"), design="factorial", seeds=range(4))
    worth = {0: 2.0, 1: 2.2, 2: 1.8, 3: 2.4}
    values = values_of(plan, lambda levels, seed: worth[seed] * (levels["a"] == "true") + 10 * seed)
    found = shapley(plan, values)
    a, b = found.table.set_index("factor").loc[["a", "b"]].to_dict("records")
    assert a["contribution"] == pytest.approx(2.1)
    # All spread is that of a itself, more than the pooled residual: its own spread counts.
    half = 3.182446305 * np.std(list(worth.values()), ddof=1) / 2
    assert (a["low"], a["high"]) == pytest.approx((-2.1 - half, -2.1 + half))
    assert a["verdict"] == "helps"
    assert b["contribution"] == pytest.approx(0.0) and math.isnan(b["p"]) and b["verdict"] == "undecided"
    assert found.estimand.startswith("Shapley value: mean of what the ingredient adds over all orders")


def test_a_dependent_ingredient_enters_after_its_parent() -> None:
    plan = plan_of(
        factor("norm"),
        factor("place", "before", "after"),
        factor("res"),
        design="factorial",
        constraints=[Requires("place", "norm", ("true",))],
    )
    assert len(plan.cells) == 6
    rng = np.random.default_rng(3)
    values = values_of(plan, lambda levels, seed: float(rng.normal()))
    found = shapley(plan, values).table.set_index("factor")["contribution"]
    expected = [by_orders(plan, values, seed, {"place": "norm"}) for seed in plan.study.seeds]
    for name in ("norm", "place", "res"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in expected]))


def test_seeds_count_only_where_all_cells_have_them() -> None:
    plan = plan_of(factor("a"), factor("b"), design="factorial", seeds=range(3))
    values = values_of(plan, lambda levels, seed: seed + (levels["a"] == "true"))
    del values["w/o b"][1]
    found = shapley(plan, values)
    assert list(found.table["n"]) == [2, 2]
    assert found.notes == ("Left out, because not all cells have finished them: seeds 1.",)


def test_each_data_set_has_its_own_values() -> None:
    plan = plan_of(factor("a"), factor("b"), factor("data", "x", "y", block=True), design="factorial")
    values = values_of(
        plan, lambda levels, seed: (levels["a"] == "true") * (1.0 if levels["data"] == "x" else 3.0) + seed
    )
    table = shapley(plan, values).table
    assert table[["data", "factor"]].values.tolist() == [["x", "a"], ["x", "b"], ["y", "a"], ["y", "b"]]
    assert table["contribution"].tolist() == pytest.approx([1.0, 0.0, 3.0, 0.0])


@pytest.mark.parametrize("design", ["leave_one_out", "leave_one_out+add_one_in", "cumulative", "pairs"])
def test_designs_that_cannot_identify_it_are_refused(design: str) -> None:
    plan = plan_of(*(factor(name) for name in "abcd"), design=design)
    with pytest.raises(AnalysisError) as error:
        shapley(plan, values_of(plan, lambda levels, seed: 1.0))
    assert str(error.value).startswith(
        f"The design '{design}' cannot identify Shapley values: they need every combination of the ingredients, and "
    )
    assert str(error.value).endswith("Use the design 'factorial', without forbidden combinations.")


def test_the_full_text_of_the_refusal() -> None:
    plan = plan_of(factor("a"), factor("b"))
    with pytest.raises(AnalysisError) as error:
        shapley(plan, values_of(plan, lambda levels, seed: 1.0))
    assert str(error.value) == (
        "The design 'leave_one_out' cannot identify Shapley values: they need every combination of the ingredients, "
        "and 1 is missing (present: none). Use the design 'factorial', without forbidden combinations."
    )
