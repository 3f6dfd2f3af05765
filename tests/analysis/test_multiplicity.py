from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.analysis.multiplicity import holm


@settings(max_examples=15, deadline=None)  # the oracle takes 50 ms a call
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
