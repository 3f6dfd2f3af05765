from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.analysis.intervals import is_constant, t_half_width, t_interval, t_tail

numbers = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=2, max_size=12)


def test_three_numbers_by_hand() -> None:
    # mean 4, variance (4 + 0 + 4) / 2 = 4, error 2 / sqrt 3, quantile of t with 2 degrees of freedom 4.302653
    found = t_interval([2.0, 4.0, 6.0])
    assert found.mean == 4.0
    assert found.error == pytest.approx(2 / math.sqrt(3))
    assert found.half == pytest.approx(4.302652729911275 * 2 / math.sqrt(3))
    assert (found.low, found.high) == (found.mean - found.half, found.mean + found.half)


def test_published_example() -> None:
    # Student's sleep data (Biometrika 6, 1908, table I): the extra hours gained by drug 2 over drug 1.
    found = t_interval([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert found.mean == pytest.approx(1.58)
    assert round(found.low, 4) == 0.7001
    assert round(found.high, 4) == 2.4599
    assert 2 * t_tail(found.mean / found.error, 9) == pytest.approx(0.002833, abs=1e-6)


@given(numbers)
def test_agrees_with_scipy(values: list[float]) -> None:
    found = t_interval(values)
    if is_constant(values) or max(values) - min(values) < 1e-100:
        assert is_constant(values) == math.isnan(found.half)
        return  # scipy itself warns of such spreads
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert found.low == pytest.approx(low, rel=1e-6, abs=1e-6)
    assert found.high == pytest.approx(high, rel=1e-6, abs=1e-6)


@given(numbers, st.randoms())
def test_the_order_of_values_changes_no_bit(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    a, b = t_interval(values), t_interval(shuffled)
    assert repr(a) == repr(b)


def test_no_interval_without_spread_or_from_one_value() -> None:
    assert math.isnan(t_interval([]).mean)
    assert t_interval([0.5]).mean == 0.5
    assert math.isnan(t_interval([0.5]).half)
    assert t_interval([0.5, 0.5, 0.5]).mean == 0.5
    assert math.isnan(t_interval([0.5, 0.5, 0.5]).half)


def test_rounding_of_single_precision_is_no_spread() -> None:
    full = np.float32([350 / 360, 347 / 360, 341 / 360])
    cell = np.float32([346 / 360, 343 / 360, 337 / 360])
    differences = [float(b) - float(a) for a, b in zip(full, cell, strict=True)]
    assert len(set(differences)) > 1
    assert is_constant(differences, scale=1.0)
    assert not is_constant([*differences[:2], differences[2] + 1 / 360], scale=1.0)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_numbers_of_any_size(size: float) -> None:
    found = t_interval([2.0 * size, 4.0 * size, 6.0 * size])
    assert found.half / size == pytest.approx(t_interval([2.0, 4.0, 6.0]).half)


def test_quantiles_of_an_array() -> None:
    assert t_half_width(np.array([2, 3, 10])) == pytest.approx(stats.t.ppf(0.975, [1, 2, 9]))
