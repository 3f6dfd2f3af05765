from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from studies import factor, plan_of

from ablate.analysis import SequentialRule, plan_prospect, prospect
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.power import (
    advised_seeds,
    detectable,
    holm_power,
    seeds_more,
    seeds_needed,
    sequential_power,
    size_interval,
    t_power,
)


@pytest.mark.parametrize("effect", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n", [2, 3, 10, 40])
@pytest.mark.parametrize(("sides", "alternative"), [(2, "two-sided"), (1, "larger")])
def test_power_agrees_with_statsmodels(effect: float, n: int, sides: int, alternative: str) -> None:
    from statsmodels.stats.power import TTestPower

    oracle = TTestPower().power(effect, n, 0.05 / 6, alternative=alternative)
    assert float(t_power(effect, n, 0.05 / 6, sides)) == pytest.approx(oracle, abs=1e-6)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6])
def test_seeds_needed_agree_with_statsmodels(effect: float, alpha: float) -> None:
    from statsmodels.stats.power import TTestPower

    exact = TTestPower().solve_power(effect, alpha=alpha, power=0.8)
    assert seeds_needed(effect, alpha) == pytest.approx(math.ceil(exact), rel=0.03)
    assert seeds_needed(-effect, alpha) == seeds_needed(effect, alpha)


def test_what_is_detectable_is_detected() -> None:
    for n in (2, 3, 10, 50):
        assert float(t_power(detectable(n, 0.01), n, 0.01)) == pytest.approx(0.8, abs=1e-6)


def test_what_three_seeds_find() -> None:
    assert holm_power(4.0, 3, 6) == pytest.approx(0.54, abs=0.02)  # the reference simulation, 10,000 studies
    few = prospect(3, 3)  # too few cells to borrow variance from each other
    assert few.text == (
        "With 3 seeds and 3 comparisons a single effect must be 5.7 times the standard deviation of the paired "
        "difference to be found in 80% of all studies; one of 4 times is found in 56%, or in 74% where all have it."
    )
    six = prospect(3, 6)
    assert six.power[2.0] > 0.5 and six.power[4.0] > 0.8  # own variances: .12 and .53
    # Nearly the same with many more comparisons, for which own variances find next to nothing.
    assert prospect(3, 20).power[2.0] > 0.3


def test_prospects_at_the_edges() -> None:
    assert prospect(1, 6).text == "With one seed there are numbers, but no interval, test or verdict."
    assert prospect(10, 1).text.endswith("one of 0.5 times is found in 29%.")


def test_the_prospect_of_the_sequential_rule() -> None:
    found = prospect(20, 6, SequentialRule(20))
    assert found.detectable == pytest.approx(0.93, abs=0.06)
    assert found.text.startswith("With 3 to 20 seeds as needed and 6 comparisons, a single effect of 0.9")
    power, seeds = sequential_power(1.0, SequentialRule(20), 0.05)
    assert 0.95 < power < float(t_power(1.0, 20))
    assert seeds < 14
    assert sequential_power(0.0, SequentialRule(20))[0] == pytest.approx(0.05, abs=0.015)


def test_the_prospect_of_a_plan() -> None:
    plan = plan_of(factor("a"), factor("b"), seeds=range(10), margin=0.01)
    found = plan_prospect(plan)
    assert found is not None
    assert found.text.endswith(
        " What does nothing is found dispensable as often if the margin is at least 1.0 times that standard deviation."
    )
    # With a margin p values are adjusted by Bonferroni, so that nothing is gained where all have an effect.
    assert "where all have it" not in found.text
    few = plan_prospect(plan_of(factor("a"), factor("b"), seeds=range(5), margin=0.01))
    assert few is not None and few.text.endswith("takes 9 seeds: fewer exclude no collapse.")


def test_the_interval_of_a_size_agrees_with_scipy() -> None:
    low, high = size_interval(2.0, 4)
    assert stats.nct.sf(2.0, 4, low) == pytest.approx(0.1, abs=1e-6)
    assert stats.nct.cdf(2.0, 4, high) == pytest.approx(0.1, abs=1e-6)


def test_the_number_of_seeds_comes_with_its_uncertainty() -> None:
    # d = 1 after five seeds: 80% of such studies have an effect between .15 and 1.5 of them.
    seeds = advised_seeds(MeanInterval(5, 1.0, 1 / math.sqrt(5), 1.24), comparisons=1)
    assert seeds is not None
    assert (seeds.likely, seeds.fewest) == (10, 6) and seeds.most is None
    assert advised_seeds(MeanInterval(5, 1.0, math.nan, math.nan), 1) is None


def test_seeds_more() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0.6, 1.0, 5)
    found = t_interval(values.tolist())
    effect = abs(values.mean()) / values.std(ddof=1)
    more = seeds_more(found, 6)
    assert more is not None and more == seeds_needed(effect, 0.05 / 6) - 5
    # A wide margin is reached before a small effect is established.
    assert 0 < seeds_more(found, 6, margin=3.0) < more
    assert seeds_more(t_interval([0.0]), 6) is None
    assert seeds_more(t_interval([1.0, -1.0, 1.0, -1.0]), 6) is None


def test_seeds_more_under_the_sequential_rule() -> None:
    found = t_interval([1.0, 2.2, 0.2, 1.4, 2.4])
    fixed, sequential = seeds_more(found, 6), seeds_more(found, 6, rule=SequentialRule(20))
    assert fixed is not None and sequential is not None and sequential >= fixed
    assert seeds_more(t_interval([0.1, -0.3, 0.4, 0.3]), 6, rule=SequentialRule(20)) is None


def test_simulated_power_of_the_boundary_is_at_least_that_of_its_last_look() -> None:
    rule = SequentialRule(20)
    needed = seeds_needed(1.2, 0.05 / 6, rule=rule)
    assert needed is not None and needed <= 20
    level = 2 * stats.norm.sf(float(rule.critical(0.05 / 6)) * needed**-0.25)
    assert float(t_power(1.2, needed, level)) >= 0.8
    assert sequential_power(1.2, rule, 0.05 / 6)[0] >= 0.8
