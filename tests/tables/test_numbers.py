from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.formatting import fixed
from ablate.tables.cells import Column, Estimate, cell_text, estimate_places


@pytest.mark.parametrize(
    ("half", "expected"), [(0.0126, 3), (0.0996, 2), (0.00996, 3), (1.26, 1), (12.6, 0), (126.0, -1), (3e-9, 10)]
)
def test_two_significant_digits_of_the_half_interval(half: float, expected: int) -> None:
    assert estimate_places(Estimate(5.0, 5.0 - half, 5.0 + half)) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.97163, "0.9716"), (12.3456, "12.35"), (123456.7, "123457"), (0.0, "0.000")]
)
def test_four_significant_digits_without_an_interval(value: float, expected: str) -> None:
    assert fixed(value, estimate_places(Estimate(value))) == expected


@given(st.floats(-1e6, 1e6), st.integers(-2, 6))
def test_a_rounded_number_is_near_the_number_and_never_a_negative_zero(value: float, places: int) -> None:
    text = fixed(value, places)
    assert abs(float(text) - value) <= 0.5 * 10**-places * (1 + 1e-9)
    assert not (text.startswith("-") and float(text) == 0)


def test_numbers_that_nobody_could_count_have_an_exponent() -> None:
    assert cell_text(Column("loss", "mean"), Estimate(1.5e200, 1e200, 2e200)) == "1.500e200 ± 5.000e199"
