from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ablate.analysis.boundary import LARGEST, SequentialRule, running_scores
from ablate.analysis.intervals import t_interval
from ablate.errors import AnalysisError


def test_scores_are_the_t_test_at_every_look() -> None:
    values = np.array([0.3, -0.1, 0.4, 0.8, 0.2, 0.5])
    scores = running_scores(values)
    for n in range(3, 7):
        p = stats.ttest_1samp(values[:n], 0).pvalue
        assert scores[n - 1] == pytest.approx(stats.norm.isf(p / 2) * n**0.25)
    assert np.isneginf(scores[:2]).all()
    against = running_scores(values, 0.5)[5]
    assert against == pytest.approx(-stats.norm.isf(stats.ttest_1samp(values, 0.5).pvalue / 2) * 6**0.25)


@pytest.mark.parametrize("max_seeds", [3, 8, 20, 50])
def test_the_table_holds_what_a_simulation_finds(max_seeds: int) -> None:
    rule = SequentialRule(max_seeds)
    studies = 20_000
    scores = running_scores(np.random.default_rng(7).standard_normal((studies, max_seeds)))[:, 2:]
    for alpha in (0.5, 0.05, 0.05 / 6):
        error = 4 * np.sqrt(alpha * (1 - alpha) / studies)
        assert np.mean(np.abs(scores).max(axis=1) >= rule.critical(alpha)) == pytest.approx(alpha, abs=error)
        assert np.mean(scores.max(axis=1) >= rule.critical(alpha, one_sided=True)) == pytest.approx(alpha, abs=error)


def test_with_a_single_look_it_is_the_t_test() -> None:
    values = np.array([0.3, 0.5, 0.4])
    rule = SequentialRule(3)
    exact = stats.ttest_1samp(values, 0).pvalue
    assert float(rule.tail(np.abs(running_scores(values)[-1]))) == pytest.approx(exact, rel=0.05)
    assert float(rule.half_width(3)) == pytest.approx(stats.t.isf(0.025, 2), rel=0.01)


def test_more_looks_ask_for_more() -> None:
    statistic = np.linspace(0.0, 14.0, 300)
    p = np.array([SequentialRule(n).tail(statistic) for n in range(3, LARGEST + 1)])
    assert (np.diff(p, axis=0) >= -2e-3).all()  # p grows with the number of looks, up to the noise of the table
    assert (np.diff(p, axis=1) <= 1e-12).all()  # and falls with the statistic, through the end of the table
    assert p.min() > 0
    assert p[:, -1].max() < 1e-6


def test_tail_and_critical_value_are_inverse() -> None:
    rule = SequentialRule(20)
    for alpha in (0.9, 0.2, 0.05, 0.001):
        for one_sided in (False, True):
            assert float(rule.tail(rule.critical(alpha, one_sided), one_sided)) == pytest.approx(alpha, rel=1e-4)


def test_the_interval_inverts_the_test_of_its_look() -> None:
    rule = SequentialRule(12)
    rng = np.random.default_rng(1)
    for n in (3, 5, 12):
        values = rng.normal(0.5, 1.0, n)
        found = t_interval(values.tolist())
        half = found.error * float(rule.half_width(n))
        for end in (found.mean - half, found.mean + half):
            score = abs(running_scores(values, end)[-1])
            assert float(rule.tail(score)) == pytest.approx(0.05, rel=1e-3)


def test_rounding_noise_is_no_spread() -> None:
    scores = running_scores(np.array([0.9 - 0.8, 0.7 - 0.6, 0.4 - 0.3]), sizes=np.array([0.9, 0.7, 0.4]))
    assert np.isneginf(scores).all()


@pytest.mark.parametrize("max_seeds", [2, 51, 0, -3, 20.0, True])
def test_numbers_of_seeds_that_are_refused(max_seeds: object) -> None:
    with pytest.raises(AnalysisError) as error:
        SequentialRule(max_seeds)  # type: ignore[arg-type]
    assert str(error.value) == f"max_seeds={max_seeds}: the sequential rule needs a whole number from 3 to 50."
