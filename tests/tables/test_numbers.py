from __future__ import annotations

import math

import pytest
from ablate.tables.numbers import count, decimals, duration, fixed, typographic
from hypothesis import given
from hypothesis import strategies as st

from ablate.tables.cells import plain
from ablate.tables.table import Column, Estimate


@pytest.mark.parametrize(
    ("half", "expected"), [(0.0126, 3), (0.0996, 2), (0.00996, 3), (1.26, 1), (12.6, 0), (126.0, -1), (3e-9, 10)]
)
def test_two_significant_digits_of_the_half_interval(half: float, expected: int) -> None:
    assert decimals(Estimate(5.0, 5.0 - half, 5.0 + half)) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.97163, "0.9716"), (12.3456, "12.35"), (123456.7, "123457"), (0.0, "0.000")]
)
def test_four_significant_digits_without_an_interval(value: float, expected: str) -> None:
    assert fixed(value, decimals(Estimate(value))) == expected


@given(st.floats(-1e6, 1e6), st.integers(-2, 6))
def test_a_rounded_number_is_near_the_number_and_never_a_negative_zero(value: float, places: int) -> None:
    text = fixed(value, places)
    assert abs(float(text) - value) <= 0.5 * 10**-places * (1 + 1e-9)
    assert not (text.startswith("-") and float(text) == 0)


def test_words_for_numbers() -> None:
    assert typographic("-0.5") == "−0.5"
    assert count(1234567.0) == "1,234,567"
    assert [duration(value) for value in (0.04, 59.94, 59.96, 3599.6, 3661.0)] == [
        "0.0 s",
        "59.9 s",
        "1 min 0 s",
        "1 h 0 min",
        "1 h 1 min",
    ]
    assert fixed(math.inf, 2) == "inf"


def test_numbers_that_nobody_could_count_have_an_exponent() -> None:
    assert plain(Column("loss", "mean"), Estimate(1.5e200, 1e200, 2e200)) == "1.500e200 ± 5.000e199"
