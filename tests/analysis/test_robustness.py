from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import summarise
from ablate.analysis.robustness import outliers, pairing_correlation, welch_p
from ablate.analysis.shape import skewness
from ablate.analysis.sign_flips import sign_flip_p

A = [0.90, 0.92, 0.91, 0.95, 0.89, 0.93]
B = [0.88, 0.93, 0.85, 0.90, 0.86, 0.91]


def test_against_scipy() -> None:
    differences = [b - a for a, b in zip(A, B, strict=True)]
    flips = stats.permutation_test((A, B), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(differences) == pytest.approx(flips.pvalue)
    assert welch_p(A, B) == pytest.approx(stats.ttest_ind(A, B, equal_var=False).pvalue)
    assert pairing_correlation(A, B) == pytest.approx(stats.pearsonr(A, B).statistic)
    assert skewness(differences)[0] == pytest.approx(stats.skew(differences, bias=False))


@pytest.mark.parametrize("n", [3, 5, 6, 20])
def test_the_least_sign_flip_p(n: int) -> None:
    assert sign_flip_p([1.0 + 0.01 * seed for seed in range(n)]) == pytest.approx(2.0 ** (1 - n))


def test_many_seeds_are_sampled_and_repeatable() -> None:
    values = list(np.random.default_rng(0).normal(0.4, 1.0, 40))
    p = sign_flip_p(values)
    assert p == sign_flip_p(values) == sign_flip_p(values[::-1])
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.01)


def test_what_is_not_defined_is_nan() -> None:
    assert math.isnan(sign_flip_p([0.1])) and math.isnan(welch_p([0.1], [0.1, 0.2]))
    assert math.isnan(welch_p([0.5, 0.5], [0.5, 0.5])) and math.isnan(pairing_correlation([1.0, 1.0, 1.0], A[:3]))
    assert math.isnan(skewness([1.0, 1.0, 1.0])[0]) and math.isnan(skewness([])[0])
    assert outliers([1.0] * 6) == () and outliers([]) == ()


def test_a_row_an_effect() -> None:
    runs = runs_of({"full": A, "w/o a": B})
    frame = summarise(plan_of(factor("a"), seeds=range(6)), runs, NO_CURVES).robustness
    differences = np.array(B) - np.array(A)
    row = frame.iloc[0]
    assert row["d_z"] == pytest.approx(-differences.mean() / differences.std(ddof=1))
    assert row["p"] == pytest.approx(stats.ttest_rel(A, B).pvalue)
    assert not row["skewed"] and row["outliers"] == ""


def test_an_occasional_collapse_is_flagged() -> None:
    collapsed = [a - 0.01 + 0.001 * (seed % 3) for seed, a in enumerate(A * 2)]
    collapsed[7] = 0.10
    summary = summarise(plan_of(factor("a"), seeds=range(12)), runs_of({"full": A * 2, "w/o a": collapsed}), NO_CURVES)
    assert summary.robustness.loc[0, "skewed"] and summary.robustness.loc[0, "outliers"] == "7"
    assert any(
        note.startswith("w/o a: the differences are skewed (-3.5), which a t test does not allow for; the sign-flip")
        for note in summary.notes
    )
    assert "w/o a: outlying differences, look at seed 7." in summary.notes


def test_constant_differences_have_no_robustness_either() -> None:
    summary = summarise(
        plan_of(factor("a")), runs_of({"full": [0.5, 0.25, 0.75], "w/o a": [0.25, 0.0, 0.5]}), NO_CURVES
    )
    row = summary.robustness.iloc[0]
    assert math.isnan(row["d_z"]) and math.isnan(row["p_sign_flip"]) and math.isnan(row["skewness"])
    assert row["correlation"] == pytest.approx(1.0)
