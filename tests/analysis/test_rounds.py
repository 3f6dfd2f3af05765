from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import Round, SequentialRule, next_runs, summarise
from ablate.study import Plan

RULE = SequentialRule(12)
PLAN = plan_of(factor("a"), factor("b"), factor("c"), seeds=range(12), margin=1.5)
NOTHING = runs_of({})


def score(cell: str, seed: int) -> float:
    truth = {"full": 0.0, "w/o a": -6.0, "w/o b": 0.0, "w/o c": 1.2}
    return truth.get(cell, 0.0) + float(np.random.default_rng([5, seed, len(cell), ord(cell[-1])]).normal(0, 0.7))


def train(
    runs: pd.DataFrame, wanted: tuple[tuple[str, int], ...], failing: tuple[tuple[str, int], ...] = ()
) -> pd.DataFrame:
    rows = [
        {
            "study": "demo",
            "cell": cell,
            "seed": seed,
            "score": np.nan if (cell, seed) in failing else score(cell, seed),
            "state": "failed" if (cell, seed) in failing else "finished",
            "reason": "",
        }
        for cell, seed in wanted
    ]
    return pd.concat([runs, pd.DataFrame(rows)], ignore_index=True)


def play(plan: Plan, ahead: int = 0, failing: tuple[tuple[str, int], ...] = ()) -> tuple[Round, pd.DataFrame]:
    runs = NOTHING
    for _ in range(40):
        found = next_runs(plan, runs, RULE, ahead=ahead)
        if not found.runs:
            return found, runs
        runs = train(runs, found.runs, failing)
    raise AssertionError("The study does not end.")


def test_the_first_round_is_three_seeds_of_every_cell() -> None:
    found = next_runs(PLAN, NOTHING, RULE)
    cells = ["full", "w/o a", "w/o b", "w/o c"]
    assert found.runs == tuple((cell, seed) for seed in range(3) for cell in cells)


def test_then_only_undecided_cells_and_the_reference_go_on() -> None:
    runs = NOTHING
    asked = []
    for _ in range(20):
        found = next_runs(PLAN, runs, RULE)
        asked.append(found.runs)
        runs = train(runs, found.runs)
        decided = {cell for cell, decision in found.state.decisions.items() if decision.is_decided}
        assert not decided & {cell for cell, _ in found.runs}
        if found.runs:
            assert "full" in {cell for cell, _ in found.runs}
    assert {seed for _, seed in asked[1]} == {3}
    assert asked[-1] == ()
    assert found.state.decisions["w/o a"].verdict == "helps"
    assert sum(found.read.values()) == len(runs) < 48
    saved = 48 - len(runs)
    assert found.sentence == (
        f"{len(runs)} runs read instead of 48 with 12 seeds for every cell: {saved} saved ({100 * saved / 48:.0f}%)."
    )


@pytest.mark.parametrize("ahead", [1, 5, 20])
def test_workers_that_run_ahead_change_no_result(ahead: int) -> None:
    plain, runs = play(PLAN)
    hurried, more = play(PLAN, ahead)
    assert hurried.state == plain.state
    assert hurried.read == plain.read
    assert len(more) >= len(runs)
    one = summarise(PLAN, runs, NO_CURVES, RULE)
    two = summarise(PLAN, more, NO_CURVES, RULE)
    pd.testing.assert_frame_equal(one.effects, two.effects, check_exact=True)
    pd.testing.assert_frame_equal(one.pairs, two.pairs, check_exact=True)
    pd.testing.assert_frame_equal(one.cells.drop(columns="failed"), two.cells.drop(columns="failed"), check_exact=True)


def test_a_run_that_is_still_going_is_waited_for() -> None:
    first = next_runs(PLAN, NOTHING, RULE)
    runs = train(NOTHING, first.runs)
    runs.loc[runs.index[-1], ["state", "score"]] = ["running", np.nan]
    found = next_runs(PLAN, runs, RULE)
    assert found.state.look == 2
    assert ("w/o c", 2) in found.runs


def test_the_summary_of_a_sequential_study() -> None:
    found, runs = play(PLAN)
    summary = summarise(PLAN, runs, NO_CURVES, RULE)
    effects = summary.effects.set_index("cell")
    decision = found.state.decisions["w/o a"]
    row = effects.loc["w/o a"]
    assert row["n"] == decision.read < 12
    assert row["contribution"] == decision.contribution.mean
    assert (row["p"], row["p_adjusted"]) == (decision.raw.difference, decision.adjusted.difference)
    assert (row["low"], row["high"]) == (-decision.contribution.high, -decision.contribution.low)
    assert row["verdict"] == "helps"
    assert found.sentence in summary.notes
    assert "95% repeated CI" in summary.sentences["w/o a"]
    assert summary.round is not None


def test_notes_of_an_unfinished_sequential_study() -> None:
    first = next_runs(PLAN, NOTHING, RULE)
    runs = train(train(NOTHING, first.runs), (("w/o a", 3), ("w/o b", 7)))
    notes = summarise(PLAN, runs, NO_CURVES, RULE).notes
    assert notes[:2] == (
        "3 runs are still to come before the next look.",
        "2 finished runs are beyond the last look and stay unread.",
    )


def test_failed_runs_are_passed_over_or_count_as_declared() -> None:
    failing = (("w/o b", 1), ("full", 2))
    found, runs = play(PLAN, failing=failing)
    assert found.runs == ()
    summary = summarise(PLAN, runs, NO_CURVES, RULE)

    def declared(failures: str | float) -> Plan:
        return replace(PLAN, study=replace(PLAN.study, failures=failures))

    assert set(summary.pairs.loc[summary.pairs["cell"] == "w/o b", "seed"]) & {1, 2} == set()
    counted = summarise(declared(-10.0), runs, NO_CURVES, RULE)
    assert counted.values["w/o b"][1] == -10.0


def test_every_data_set_has_its_own_reference() -> None:
    plan = plan_of(factor("a"), factor("data", "x", "y", block=True), design="factorial", seeds=range(12))
    found, _ = play(plan)
    assert set(found.state.decisions) == {"w/o a", "w/o a, data=y"}
    assert found.read["data=y"] == found.read["w/o a, data=y"]


def test_minimised_metrics_turn_the_verdicts() -> None:
    down = plan_of(*PLAN.factors, seeds=range(12), margin=1.5, direction="min")
    found, _ = play(down)
    assert found.state.decisions["w/o a"].verdict == "hurts"
