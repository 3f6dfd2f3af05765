from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.verdicts import Evidence, blocking_interval, blocking_p_value, evidence, holm, verdict


def at(mean: float, half: float) -> MeanInterval:
    return MeanInterval(5, mean, half / 2.776, half)


SURE = Evidence(0.001, 0.001, 0.001)
UNSURE = Evidence(0.2, 0.2, 0.2)


@pytest.mark.parametrize(
    ("mean", "half", "margin", "expected"),
    [
        (2.0, 1.0, None, "helps"),
        (-2.0, 1.0, None, "hurts"),
        (0.0, 1.0, None, "undecided"),
        (0.0, 0.4, 0.5, "no effect"),
        (-0.3, 0.4, 0.5, "dispensable"),  # from -0.7 to 0.1: it may hurt, but it cannot help by the margin
        (0.3, 0.4, 0.5, "undecided"),
        (0.3, 0.1, 0.5, "helps, below the margin"),  # small, but sure
        (-0.3, 0.1, 0.5, "hurts, below the margin"),
        (0.1, 0.4, 0.5, "undecided"),  # touches the margin
    ],
)
def test_the_interval_decides_when_all_p_values_are_small(
    mean: float, half: float, margin: float | None, expected: str
) -> None:
    assert verdict(at(mean, half), SURE, margin) == expected


@pytest.mark.parametrize(("mean", "margin"), [(2.0, None), (-2.0, None), (0.0, 1.5), (-0.6, 0.5)])
def test_no_claim_without_its_adjusted_p(mean: float, margin: float | None) -> None:
    assert verdict(at(mean, 1.0), UNSURE, margin) == "undecided"
    assert verdict(at(mean, 1.0), Evidence(math.nan), margin) == "undecided"


def test_no_claim_against_the_shown_interval() -> None:
    assert verdict(at(0.5, 1.0), SURE, None) == "undecided"


def test_evidence_agrees_with_scipy_and_statsmodels() -> None:
    from statsmodels.stats.weightstats import ttost_paired

    full = np.array([0.97, 0.96, 0.98, 0.95, 0.99])
    cell = np.array([0.96, 0.96, 0.96, 0.95, 0.97])
    found = evidence(t_interval(list(full - cell)), margin=0.02)
    assert found.difference == pytest.approx(stats.ttest_rel(full, cell).pvalue)
    assert found.equivalence == pytest.approx(ttost_paired(full, cell, -0.02, 0.02)[0])
    assert found.dispensability == pytest.approx(stats.ttest_1samp(full - cell, 0.02, alternative="less").pvalue)


def test_nothing_to_test() -> None:
    found = evidence(t_interval([0.1]), margin=0.02)
    assert all(math.isnan(p) for p in (found.difference, found.equivalence, found.dispensability))


def test_what_forbids_the_claim_of_an_interval() -> None:
    assert blocking_p_value(at(2.0, 1.0), UNSURE, None) == ("excludes 0", 0.2)
    assert blocking_p_value(at(-0.6, 1.0), UNSURE, 0.5) == ("stays below the margin of 0.5", 0.2)
    assert blocking_p_value(at(0.0, 1.0), UNSURE, None) is None


def test_what_in_an_interval_forbids_a_claim() -> None:
    assert blocking_interval(at(0.5, 1.0), SURE, None) == ("includes 0", 0.001)
    assert blocking_interval(at(0.0, 1.0), Evidence(0.2, 0.2, 0.001), 0.5) == ("reaches the margin of 0.5", 0.001)
    assert blocking_interval(at(0.5, 1.0), UNSURE, None) is None


@settings(max_examples=settings.default.max_examples // 7)  # the oracle takes 50 ms a call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_agrees_with_statsmodels(p: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]), abs=1e-12)


def test_a_question_that_cannot_be_tested_yet_stays_in_the_family() -> None:
    adjusted = holm([0.02, math.nan, 0.01, math.nan])
    assert adjusted[2] == pytest.approx(0.04)
    assert adjusted[0] == pytest.approx(0.06)
    assert math.isnan(adjusted[1]) and math.isnan(adjusted[3])


def test_an_empty_family() -> None:
    assert holm([]) == []
