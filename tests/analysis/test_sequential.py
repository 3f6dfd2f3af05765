from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.decisions import Trajectory
from ablate.analysis.sequential import SequentialState, follow

RULE = SequentialRule(20)


def trajectories_of(*rows: Any) -> dict[str, Trajectory]:
    return {chr(ord("a") + index): Trajectory(tuple(float(value) for value in row)) for index, row in enumerate(rows)}


def noise(seed: int, cells: int, seeds: int = 20) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((1, seeds)) - rng.standard_normal((cells, seeds))) / math.sqrt(2)


def said(state: SequentialState) -> list[tuple[str, int]]:
    return [(decision.verdict, decision.read) for decision in state.decisions.values()]


def test_each_cell_stops_where_its_verdict_stands() -> None:
    truth = np.array([6.0, -3.0, 0.0, 0.6])[:, np.newaxis]
    state = follow(trajectories_of(*(truth + noise(3, 4))), RULE, margin=1.5)
    verdicts = [verdict for verdict, _ in said(state)]
    assert verdicts[:2] == ["helps", "hurts"]
    assert verdicts[2] in ("no effect", "dispensable")
    reads = [read for _, read in said(state)]
    assert reads[0] < reads[2] <= 20
    assert state.undecided == ()


def test_what_comes_after_the_decision_is_never_read() -> None:
    values = np.array([[5.0], [0.0]]) + noise(5, 2)
    state = follow(trajectories_of(*values), RULE)
    stop = state.decisions["a"].read
    assert stop < 20
    changed = values.copy()
    changed[0, stop:] = -1e6
    again = follow(trajectories_of(*changed), RULE)
    assert again == state


def test_a_look_waits_for_every_undecided_cell() -> None:
    values = noise(11, 3)
    trajectories = trajectories_of(values[0], values[1, :5], values[2, :7])
    state = follow(trajectories, RULE)
    assert state.look == 5
    assert [read for _, read in said(state)] == [5, 5, 5]
    assert state.undecided
    # What ran ahead changes nothing.
    assert follow(trajectories_of(*values[:, :5]), RULE).decisions == state.decisions


def test_going_on_never_takes_a_decision_back() -> None:
    values = np.array([[2.0], [0.0], [-1.0], [0.3]]) + noise(17, 4)
    decided: dict[str, tuple[str, int, float]] = {}
    for count in range(21):
        state = follow(trajectories_of(*values[:, :count]), RULE, margin=1.0)
        for cell, decision in state.decisions.items():
            now = (decision.verdict, decision.read, decision.raw.difference)
            if cell in decided:
                assert now == decided[cell]
            if decision.is_decided:
                decided[cell] = now
    assert decided


def test_three_seeds_before_the_first_look() -> None:
    state = follow(trajectories_of([9.0, 9.1], [0.1, 0.2]), RULE)
    assert state.look == 2
    for decision in state.decisions.values():
        assert math.isnan(decision.raw.difference) and math.isnan(decision.contribution.half)
    assert follow({}, RULE).undecided == ()
    assert follow(trajectories_of([]), RULE).undecided == ("a",)


def test_lost_seeds_are_passed_over() -> None:
    values = (3.0 + noise(23, 1))[0]
    state = follow(trajectories_of(values), RULE)
    gaps = [*values[:2], math.nan, *values[2:19]]
    found = follow(trajectories_of(gaps), RULE)
    assert found.decisions["a"].read == state.decisions["a"].read + 1
    assert found.decisions["a"].contribution == state.decisions["a"].contribution
    nothing = follow(trajectories_of([math.nan] * 20), RULE)
    assert said(nothing) == [("undecided", 20)]
    assert math.isnan(nothing.decisions["a"].raw.difference)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_differences_without_spread_never_decide(value: float) -> None:
    state = follow(trajectories_of([value] * 20), RULE, margin=1.0)
    assert said(state) == [("undecided", 20)]
    assert math.isnan(state.decisions["a"].raw.difference)
    assert math.isnan(state.decisions["a"].contribution.low)


@settings(max_examples=settings.default.max_examples // 4)
@given(st.integers(0, 10_000), st.sampled_from([0.001, 1024.0]), st.booleans())
def test_units_direction_and_order_of_cells(seed: int, scale: float, reverse: bool) -> None:
    values = np.random.default_rng(seed).choice([0.0, 1.0, 4.0], size=(3, 1)) + noise(seed, 3)
    before = follow(trajectories_of(*values), RULE)
    assert said(follow(trajectories_of(*(values * scale)), RULE)) == said(before)
    opposite = {"helps": "hurts", "hurts": "helps", "undecided": "undecided"}
    assert said(follow(trajectories_of(*(-values)), RULE)) == [(opposite[word], read) for word, read in said(before)]
    order = list(trajectories_of(*values).items())
    if reverse:
        order.reverse()
    assert dict(follow(dict(order), RULE).decisions) == dict(before.decisions)


def simulate(
    truth: list[float], studies: int, margin: float | None, rule: SequentialRule = RULE
) -> list[SequentialState]:
    shift = np.array(truth)[:, np.newaxis]
    return [
        follow(trajectories_of(*(shift + noise(1000 + study, len(truth)))), rule, margin) for study in range(studies)
    ]


def test_a_toggle_that_does_nothing_is_rarely_called_anything() -> None:
    studies = 400
    wrong = sum(
        any(verdict != "undecided" for verdict, _ in said(state)) for state in simulate([0.0] * 6, studies, None)
    )
    assert wrong <= studies * 0.05 + 2 * math.sqrt(studies * 0.05 * 0.95)


def test_power_and_cost_are_those_of_the_published_simulation() -> None:
    found = simulate([1.0] * 6, 120, None)
    power = np.mean([[verdict == "helps" for verdict, _ in said(state)] for state in found])
    runs = np.mean([sum(read for _, read in said(state)) + max(read for _, read in said(state)) for state in found])
    assert power == pytest.approx(0.95, abs=0.03)
    assert runs == pytest.approx(98, abs=4)


def test_repeated_intervals_cover() -> None:
    truth = 0.5
    found = simulate([truth] * 6, 100, 1.0)
    inside = [
        decision.contribution.low <= truth <= decision.contribution.high
        for state in found
        for decision in state.decisions.values()
    ]
    assert np.mean(inside) >= 0.94


def test_the_same_contributions_give_the_same_state_and_others_do_not() -> None:
    values = [5.0, 5.5, 5.2, 5.1]
    state = follow(trajectories_of(values), RULE)
    assert follow(trajectories_of(values), RULE) == state
    assert follow(trajectories_of([*values[:3], 5.11]), RULE) != state
