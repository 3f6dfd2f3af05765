"""What is claimed with few seeds, skewed differences, lost runs, and after growing."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from studies import NO_CURVES, factor, plan_of, runs_of, values_of

from ablate.analysis import pool_effects, rank_cells, summarise
from ablate.analysis.boundary import SequentialRule
from ablate.analysis.conduct import conduct_of
from ablate.analysis.decisions import MODERATED, NONE, SIGN_FLIP, T, Trajectory, decide
from ablate.analysis.failures import collapsed, failure_rate
from ablate.analysis.growth import levels_of
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.moderation import moderated, squeeze
from ablate.analysis.power import advised_seeds
from ablate.analysis.sequential import follow
from ablate.analysis.shape import are_skewed, spread_alike
from ablate.analysis.sign_flips import joint_sign_flip_p, sign_flip_interval, sign_flip_p
from ablate.errors import DesignError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RULE = SequentialRule(20)


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import verdict_scenarios
    import verdict_studies
    import verdict_twin

    yield verdict_scenarios.SCENARIOS, verdict_twin, verdict_studies.trajectories
    for name in ("verdict_scenarios", "verdict_studies", "verdict_twin"):
        sys.modules.pop(name, None)


def study(reference: Any, *cells: Any) -> dict[str, Trajectory]:
    reference = np.asarray(reference, dtype=float)
    return {
        str(place): Trajectory(
            tuple((reference - np.asarray(cell, dtype=float)).tolist()),
            runs=tuple(zip(reference.tolist(), np.asarray(cell, dtype=float).tolist(), strict=True)),
        )
        for place, cell in enumerate(cells)
    }


@pytest.mark.parametrize(
    ("variance", "freedom", "common", "prior", "expected"),
    # limma's squeezeVar: (df * var + df.prior * var.prior) / (df + df.prior), Smyth (2004), section 3.
    [(1.0, 2, 4.0, 4, 3.0), (0.05, 4, 0.02, 3.2, 0.0366667), (2.0, 10, 1.0, 0.0, 2.0)],
)
def test_variances_are_shrunk_as_by_smyth(
    variance: float, freedom: int, common: float, prior: float, expected: float
) -> None:
    assert squeeze(variance, freedom, common, prior) == pytest.approx(expected, rel=1e-6)


def test_a_moderated_interval_belongs_to_its_test() -> None:
    rng = np.random.default_rng(4)
    rows = (rng.standard_normal(3) - rng.standard_normal((6, 3))).tolist()
    means = moderated([t_interval(row) for row in rows], rows)
    shrunk = [mean for mean in means if mean.prior]
    assert len(shrunk) >= 4
    for mean in shrunk:
        assert mean.degrees == 10
        assert mean.half / mean.error == pytest.approx(stats.t.ppf(0.975, 10))


def test_a_cell_of_another_spread_keeps_its_own_variance() -> None:
    rows = [[0.1, -0.1, 0.05], [0.0, 0.1, -0.1], [0.1, 0.0, -0.05], [-0.1, 0.1, 0.0], [5.0, -3.0, 1.0]]
    means = moderated([t_interval(row) for row in rows], rows)
    assert means[4] == t_interval(rows[4]) and all(mean.prior for mean in means[:4])


def test_few_cells_or_many_seeds_have_their_own_variances() -> None:
    rng = np.random.default_rng(5)
    for cells, seeds in ((3, 3), (6, 8)):
        rows = rng.standard_normal((cells, seeds)).tolist()
        means = [t_interval(row) for row in rows]
        assert moderated(means, rows) == means


def test_the_unit_of_the_metric_changes_no_moderated_verdict() -> None:
    rng = np.random.default_rng(2)
    runs = rng.standard_normal((7, 3)) + np.array([[20.0], [0], [0], [19], [19], [18], [17]])
    found = {unit: decide(study(*(runs * unit)), None).values() for unit in (1e-200, 1.0, 1e200)}
    assert [decision.verdict for decision in found[1.0]][:2] == ["helps", "helps"]
    assert MODERATED in {decision.test for decision in found[1.0]}
    for unit, decisions in found.items():
        assert [decision.test for decision in decisions] == [decision.test for decision in found[1.0]]
        assert [decision.verdict for decision in decisions] == [decision.verdict for decision in found[1.0]]
        for one, other in zip(decisions, found[1.0], strict=True):
            assert one.contribution.half / unit == pytest.approx(other.contribution.half)


def test_three_seeds_find_what_own_variances_do_not(simulation: Any) -> None:
    _, twin, _ = simulation
    rng = np.random.default_rng(7)
    reference, cells = rng.standard_normal((2000, 1, 3)), rng.standard_normal((2000, 6, 3)) - 2 * math.sqrt(2)
    assert (twin.before(reference, cells).sign > 0).mean() == pytest.approx(0.12, abs=0.02)
    assert (twin.fixed(reference, cells).sign > 0).mean() >= 0.48


@pytest.mark.parametrize(
    "name",
    [
        *("normal", "skewed cells, tight reference", "lognormal", "one cell of 3 times the spread"),
        *("heavy ties", "binomial 270, .995"),
    ],
)
def test_studies_simulated_at_once_are_judged_as_one_by_one(name: str, simulation: Any) -> None:
    scenarios, twin, trajectories = simulation
    for n in (3, 7, 10, 20):
        reference, cells = scenarios[name].law(np.random.default_rng(3), (12, 6, n))
        cells = cells - reference.std() * np.array([0, 0, 0.5, 1, 2, 4.0])[:, np.newaxis]
        batch = twin.auto(reference, cells, RULE) if n == 20 else twin.fixed(reference, cells)
        for place in range(12):
            one = trajectories(reference[place, 0], cells[place])
            found = (follow(one, RULE).decisions if n == 20 else decide(one, None)).values()
            signs = [{"helps": 1.0, "hurts": -1.0}.get(decision.verdict, 0.0) for decision in found]
            assert signs == batch.sign[place].tolist()
            assert [decision.read for decision in found] == batch.read[place].tolist()
            low = [decision.contribution.low for decision in found]
            np.testing.assert_allclose(low, batch.low[place], rtol=1e-9)


def test_studies_pooled_at_once_are_pooled_as_one_by_one(simulation: Any) -> None:
    _, twin, _ = simulation
    draws = np.random.default_rng(6).standard_normal((3, 2, 4, 3)) + np.array([0.0, 1.5])[:, np.newaxis, np.newaxis]
    sets = [f"set{place}" for place in range(4)]
    plan = plan_of(factor("a"), factor("b"), factor("data", *sets, block=True))
    batch = twin.pooled(draws)
    for place, study_draws in enumerate(draws):

        def score(levels: dict[str, str], seed: int, found: Any = study_draws) -> float:
            changed = [cell for cell, name in enumerate("ab") if levels[name] == "false"]
            return 10.0 * seed - sum(float(found[cell, sets.index(levels["data"]), seed]) for cell in changed)

        table = pool_effects(plan, values_of(plan, score)).table
        assert (-table["high"]).tolist() == pytest.approx(batch.low[place].tolist())
        assert ((table["p_adjusted"] <= 0.05) * np.sign(table["contribution"])).tolist() == batch.sign[place].tolist()


def test_the_table_of_advised_seeds_is_that_of_the_advice(simulation: Any) -> None:
    _, twin, _ = simulation
    for size in (-3.0, -0.9, 0.27, 0.3, 0.55, 1.1, 2.0, 12.0):
        mean = MeanInterval(n=5, mean=size, error=1 / math.sqrt(5), half=1.0)
        advice = advised_seeds(mean, 6)
        assert advice is not None and twin.likely_seeds(size, mean.error, 5, 6) == advice.likely


def test_claims_about_all_questions_are_one_family() -> None:
    # Two comparisons, p = .03 and .001: Holm would call the first one at .05, Bonferroni does not.
    rng = np.random.default_rng(8)
    base = rng.standard_normal(10)
    wave = (base - base.mean()) / base.std(ddof=1)
    t = stats.t.isf(0.03 / 2, 9)
    runs = study(np.zeros(10), -(wave + t / math.sqrt(10)), -(wave * 0.1 + 3))
    assert [found.verdict for found in decide(runs, None).values()] == ["helps", "helps"]
    assert [found.verdict for found in decide(runs, 0.001).values()] == ["undecided", "helps"]


def test_the_sign_flip_interval_is_what_the_test_does_not_reject() -> None:
    values = np.random.default_rng(9).exponential(size=10)
    low, high = sign_flip_interval(values.tolist())
    width = high - low
    for centre, rejected in ((low, False), (high, False), (low - 0.02 * width, True), (high + 0.02 * width, True)):
        inside = centre + (1e-9 if centre == low else -1e-9 if centre == high else 0.0)
        assert (sign_flip_p((values - inside).tolist()) <= 0.05) == rejected


def test_one_row_of_joint_flips_is_the_test_of_scipy() -> None:
    rng = np.random.default_rng(10)
    a, b = rng.standard_normal((2, 9)) + np.array([[0.8], [0.0]])
    flips = stats.permutation_test((a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf)
    assert joint_sign_flip_p([(a - b).tolist()]) == [pytest.approx(flips.pvalue)]
    many = joint_sign_flip_p([(a - b).tolist(), (b - a).tolist(), rng.standard_normal(9).tolist()])
    assert many[0] == many[1] >= flips.pvalue


def test_a_shape_that_forbids_a_t_test() -> None:
    rng = np.random.default_rng(11)
    tail = -np.exp(rng.standard_normal((6, 12)))
    tight = decide(study(0.1 * rng.standard_normal(12), *tail), None)
    assert {found.test for found in tight.values()} == {NONE}
    assert all(found.verdict == "undecided" and math.isnan(found.contribution.half) for found in tight.values())
    # Where the reference spreads alike, signs are flipped instead; the mean may be shown to differ.
    tail, wide = -rng.exponential(size=(6, 40)), rng.standard_normal(40)
    found = decide(study(9 + wide * np.sqrt(tail.var(axis=1).mean()) / wide.std(), *tail), None)
    flipped = [decision for decision in found.values() if decision.test == SIGN_FLIP]
    assert flipped and all(decision.verdict == "helps" and decision.contribution.ends for decision in flipped)
    assert {decision.test for decision in decide(study(*rng.standard_normal((7, 12))), None).values()} <= {T, SIGN_FLIP}


def test_shape_measures() -> None:
    rng = np.random.default_rng(12)
    assert all(are_skewed(rng.exponential(size=(6, 20)).tolist()))
    assert sum(sum(are_skewed(rng.standard_normal((6, 20)).tolist())) for _ in range(50)) < 60
    assert spread_alike([1.0, 2.0, 3.0, 2.0], [[5.0, 6.0, 7.0, 6.0]]) == [True]


def test_the_rate_of_failures_that_no_failure_allows() -> None:
    # Clopper and Pearson: 0 of 10 allows 26%, one-sided at 95%.
    assert failure_rate(0, 10) == pytest.approx(1 - 0.05**0.1)
    assert failure_rate(2, 20) == pytest.approx(stats.binomtest(2, 20).proportion_ci(0.9).high)
    assert collapsed([0.97, 0.96, 0.98, 0.1, 0.97, 0.99], "max") == 1
    assert collapsed([0.1, 0.12, 0.11, 2.5, 0.1, 0.13], "min") == 1
    assert collapsed([0.97, 0.97, 0.97, 0.97, 0.97], "max") == 0


def test_lost_runs_forbid_the_verdict_that_they_favour() -> None:
    rng = np.random.default_rng(13)
    full, worse, better = rng.standard_normal((3, 10)) * 0.1 + np.array([[0.0], [-2.0], [2.0]])
    worse[3] = better[3] = np.nan
    found = decide(study(full, worse, better), None)
    assert found["0"].verdict == "helps"  # the lost run would have been as bad, or worse
    assert found["1"].verdict == "undecided"
    assert found["1"].withheld == "hurts, but 0 runs of the reference and 1 of the cell are lost"


def test_a_study_that_grew_spends_what_is_left() -> None:
    assert conduct_of([{"seeds": [0, 1, 2], "finished": 0}, {"seeds": [0, 1, 2, 3], "finished": 0}]).looks == ()
    history = [{"seeds": range(3)}, {"seeds": range(5), "finished": 6}, {"seeds": range(10), "finished": 10}]
    assert conduct_of(history).looks == (3, 5)
    assert sum(share for _, share in levels_of((3, 5, 7, 9, 11), 30)) < 1.1
    plan = plan_of(factor("a"), seeds=range(10))
    full = np.random.default_rng(14).standard_normal(10)
    moves = np.array([1.2, -0.4, 0.3, 1.4, 0.1, 0.9, 0.8, 1.0, -0.3, 0.9])
    runs = runs_of({"full": full.tolist(), "w/o a": (full - moves).tolist()})
    fixed = summarise(plan, runs, NO_CURVES)
    grown = summarise(plan, runs, NO_CURVES, looks=(3,))
    assert (fixed.effects["verdict"][0], grown.effects["verdict"][0]) == ("helps", "undecided")
    assert grown.effects["p_adjusted"][0] == pytest.approx(20 * fixed.effects["p_adjusted"][0])
    assert any("results at 3 and 10 seeds" in note for note in grown.notes)


def test_what_the_first_look_decided_stands_after_growing() -> None:
    plan = plan_of(factor("a"), seeds=range(5))
    full = [0.0, 1.0, 2.0, 3.0, 4.0]
    cell = [value - move for value, move in zip(full, [1.0, 1.02, 0.98, 0.4, 1.5], strict=True)]
    grown = summarise(plan, runs_of({"full": full, "w/o a": cell}), NO_CURVES, looks=(3,))
    assert grown.effects["verdict"][0] == "helps"


def test_seeds_that_split_one_data_set_anew_are_corrected() -> None:
    full = np.random.default_rng(15).standard_normal(10)
    moves = np.array([1.2, 0.4, 0.3, 1.4, 0.1, 0.9, 0.8, 1.0, 0.3, 0.9])
    runs = runs_of({"full": full.tolist(), "w/o a": (full - moves).tolist()})
    plan = plan_of(factor("a"), seeds=range(10))
    plain = summarise(plan, runs, NO_CURVES)
    found = summarise(replace(plan, study=replace(plan.study, resplit=0.25)), runs, NO_CURVES)
    # Nadeau and Bengio (2003): 1/10 + 1/4 instead of 1/10.
    widths = [summary.effects["high"][0] - summary.effects["low"][0] for summary in (found, plain)]
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(3.5))
    assert found.test_name == "corrected paired t test"
    with pytest.raises(DesignError, match="sequential"):
        replace(plan.study, resplit=0.25, sequential=True)


def test_ranks_on_few_data_sets_say_that_they_cannot_show_anything() -> None:
    data = factor("data", *"uvwxy", block=True)
    plan = plan_of(factor("a"), data, design="factorial", seeds=(0, 1))
    values = values_of(plan, lambda levels, seed: float(levels["a"] == "true") + 0.01 * seed)
    assert any("no p value below 0.062" in note for note in rank_cells(plan, values).notes)
