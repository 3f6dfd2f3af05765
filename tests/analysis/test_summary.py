from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy import stats
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import SequentialRule, Summary, summarise
from ablate.analysis.effects import EFFECT_COLUMNS
from ablate.errors import AnalysisError
from ablate.study import Plan, Study, make_plan

AB = plan_of(factor("a"), factor("b"))
SCORES = {"full": [0.90, 0.92, 0.91], "w/o a": [0.80, 0.83, 0.80], "w/o b": [0.91, 0.92, 0.93]}


def summary_of(scores: Mapping[str, Sequence[float]], plan: Plan = AB) -> Summary:
    return summarise(plan, runs_of(scores), NO_CURVES)


def row(summary: Summary, cell: str) -> dict[str, Any]:
    return dict(summary.effects.set_index("cell").loc[cell])


def test_effects_by_hand_and_by_scipy() -> None:
    summary = summary_of(SCORES)
    assert tuple(summary.effects.columns) == EFFECT_COLUMNS
    a = row(summary, "w/o a")
    # differences -.10, -.09, -.11: mean -.10, sd .01, error .01 / sqrt 3, quantile 4.302653
    assert (a["study"], a["factor"], a["level"], a["metric"], a["n"]) == ("demo", "a", "false", "score", 3)
    assert a["difference"] == pytest.approx(-0.10)
    assert a["contribution"] == pytest.approx(0.10)
    assert a["low"] == pytest.approx(-0.10 - 4.302652729911275 * 0.01 / math.sqrt(3))
    assert a["high"] == pytest.approx(-0.10 + 4.302652729911275 * 0.01 / math.sqrt(3))
    assert (a["reference_mean"], a["cell_mean"]) == pytest.approx((0.91, 0.81))
    for cell in ("w/o a", "w/o b"):
        oracle = stats.ttest_rel(SCORES[cell], SCORES["full"])
        found = row(summary, cell)
        assert found["p"] == pytest.approx(oracle.pvalue)
        assert (found["low"], found["high"]) == pytest.approx(tuple(oracle.confidence_interval()))
    assert a["p_adjusted"] == pytest.approx(2 * a["p"])
    assert list(summary.effects["verdict"]) == ["helps", "undecided"]


def test_cells_and_pairs() -> None:
    runs = runs_of(SCORES, weights=[100.0] * 3 + [80.0] * 6, seconds=[2.0, 3.0, 4.0] * 3)
    summary = summarise(AB, runs, NO_CURVES)
    cells = summary.cells.set_index("cell")
    assert list(summary.cells.columns) == [
        *["cell", "a", "b", "n", "mean", "half", "low", "high", "best", "weights", "seconds", "failed"]
    ]
    assert list(cells.index) == ["full", "w/o a", "w/o b"]
    assert list(cells["a"]) == ["true", "false", "true"]
    assert cells.loc["full", "mean"] == pytest.approx(0.91)
    assert cells.loc["full", "half"] == pytest.approx(4.302652729911275 * 0.01 / math.sqrt(3))
    assert list(cells["weights"]) == [100.0, 80.0, 80.0]
    assert list(cells["seconds"]) == [3.0, 3.0, 3.0]
    assert list(cells["best"]) == [True, False, True]
    pairs = summary.pairs
    assert list(pairs.columns) == ["cell", "seed", "reference", "value", "difference"]
    assert list(pairs["cell"]) == ["w/o a"] * 3 + ["w/o b"] * 3
    assert list(pairs["difference"]) == pytest.approx([-0.10, -0.09, -0.11, 0.01, 0.0, 0.02])


def test_a_metric_to_be_minimised_turns_the_contribution() -> None:
    plan = plan_of(factor("a"), factor("b"), direction="min")
    a = row(summary_of(SCORES, plan), "w/o a")
    assert a["difference"] == pytest.approx(-0.10)
    assert a["contribution"] == pytest.approx(-0.10)
    assert a["verdict"] == "hurts"


def test_cells_of_several_factors_name_them_all() -> None:
    plan = plan_of(factor("a"), factor("head", "gap", "flatten"), design="factorial")
    scores = {cell.label: [0.9, 0.91] for cell in plan.cells}
    effects = summary_of(scores, plan).effects.set_index("cell")
    assert tuple(effects.loc["w/o a, head=flatten", ["factor", "level"]]) == ("a+head", "false+flatten")


def test_blocks_are_compared_only_within() -> None:
    plan = plan_of(factor("a"), factor("data", "digits", "telugu", block=True), design="factorial")
    scores = {
        "full": [0.9, 0.92],
        "w/o a": [0.8, 0.83],
        "data=telugu": [0.5, 0.52],
        "w/o a, data=telugu": [0.55, 0.56],
    }
    summary = summary_of(scores, plan)
    assert list(summary.effects["cell"]) == ["w/o a", "w/o a, data=telugu"]
    assert list(summary.effects["factor"]) == ["a", "a"]
    assert list(summary.effects["reference_mean"]) == pytest.approx([0.91, 0.51])
    assert list(summary.effects["difference"]) == pytest.approx([-0.095, 0.045])


def test_only_shared_seeds_are_paired_and_failures_are_named() -> None:
    runs = runs_of(SCORES)
    lost = (runs["cell"] == "w/o a") & (runs["seed"] == 1)
    runs.loc[lost, ["state", "reason", "score"]] = ["failed", "diverged: loss is nan at epoch 2\nTraceback", np.nan]
    summary = summarise(AB, runs, NO_CURVES)
    a = row(summary, "w/o a")
    assert a["n"] == 2
    assert a["reference_mean"] == pytest.approx((0.90 + 0.91) / 2)
    assert list(summary.cells["failed"]) == [0, 1, 0]
    assert len(summary.runs) == 9
    assert summary.notes[0] == "w/o a: 1 of 3 runs failed (seed 1: diverged: loss is nan at epoch 2)."


def test_waiting_runs_with_or_without_a_row() -> None:
    runs = runs_of(SCORES).iloc[:7]
    runs = pd.concat([runs, runs.iloc[:1].assign(cell="w/o b", seed=1, state="waiting", score=np.nan)])
    summary = summarise(AB, runs, NO_CURVES)
    assert row(summary, "w/o b")["n"] == 1
    assert summary.notes == (
        "2 of 9 runs are still waiting.",
        "One seed allows no interval, test or verdict: w/o b.",
    )


def test_no_finished_run_is_a_summary_that_says_so() -> None:
    empty = pd.DataFrame(columns=["study", "cell", "seed", "state", "reason"])
    for runs in (empty, runs_of({"full": [math.nan]}, state="running")):
        summary = summarise(AB, runs, NO_CURVES)
        assert summary.notes[0] == "No run has finished yet, of 9 planned."
        assert list(summary.effects["verdict"]) == ["undecided", "undecided"]
        assert list(summary.cells["n"]) == [0, 0, 0]
        assert summary.pairs.empty


def test_one_seed_gives_numbers_without_inference() -> None:
    summary = summary_of(
        {cell: values[:1] for cell, values in SCORES.items()}, plan_of(factor("a"), factor("b"), seeds=(0,))
    )
    a = row(summary, "w/o a")
    assert a["difference"] == pytest.approx(-0.10)
    assert all(math.isnan(a[name]) for name in ("low", "high", "p", "p_adjusted"))
    assert a["verdict"] == "undecided"
    assert not summary.cells["best"].any()
    assert summary.notes == ("One seed allows no interval, test or verdict: w/o a; w/o b.",)


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        (0.0, "exactly 0 for all 3 seeds; perhaps the change does nothing here"),
        (-0.01, "the same (-0.01) for all 3 seeds"),
    ],
)
def test_differences_without_spread_are_no_evidence(shift: float, said: str) -> None:
    shifted = [float(np.float32(value + shift)) for value in SCORES["full"]]
    full = [float(np.float32(value)) for value in SCORES["full"]]
    summary = summary_of({**SCORES, "full": full, "w/o b": shifted}, plan_of(factor("a"), factor("b"), margin=0.5))
    b = row(summary, "w/o b")
    assert all(math.isnan(b[name]) for name in ("low", "high", "p", "p_adjusted"))
    assert b["verdict"] == "undecided"
    assert f"w/o b: the difference is {said}. Without spread no interval, test or verdict." in summary.notes


def test_cells_that_guess_the_largest_class_are_named() -> None:
    plan = plan_of(factor("a"), metric="test_accuracy")
    runs = runs_of({"full": [0.4] * 3, "w/o a": [0.4] * 3}, majority_accuracy=0.4).rename(
        columns={"score": "test_accuracy"}
    )
    notes = " ".join(summarise(plan, runs, NO_CURVES).notes)
    assert "This is what guessing the largest class scores (0.4" in notes
    assert "perhaps the change does nothing" not in notes
    learned = runs.assign(majority_accuracy=0.2)
    assert "guessing" not in " ".join(summarise(plan, learned, NO_CURVES).notes)


def test_a_margin_allows_to_call_an_ingredient_without_effect() -> None:
    full = [0.9, 0.8, 0.7, 0.6, 0.85, 0.75, 0.65, 0.95, 0.7]
    moves = [0.001, -0.001, 0.0005, 0.0, 0.0004, -0.0005, 0.0003, -0.0002, 0.0001]
    scores = {"full": full, "w/o a": [value + move for value, move in zip(full, moves, strict=True)]}
    plan = plan_of(factor("a"), seeds=range(9), margin=0.01)
    assert row(summary_of(scores, plan), "w/o a")["verdict"] == "no effect"
    assert row(summary_of(scores, plan_of(factor("a"), seeds=range(9))), "w/o a")["verdict"] == "undecided"


def test_too_few_runs_to_exclude_a_collapse_forbid_to_call_an_ingredient_dispensable() -> None:
    scores = {"full": [0.9, 0.8, 0.7, 0.6], "w/o a": [0.901, 0.799, 0.7005, 0.6]}
    summary = summary_of(scores, plan_of(factor("a"), seeds=range(4), margin=0.01))
    effect = row(summary, "w/o a")
    assert effect["verdict"] == "undecided"
    assert (effect["failures"], round(effect["failure_rate_high"], 3)) == (0, 0.527)
    assert any("leaves up to 53%" in note for note in summary.notes)


def test_finished_runs_without_a_finite_metric_are_left_out_and_named() -> None:
    scores = {**SCORES, "w/o a": [0.80, math.inf, 0.80], "w/o b": [0.91, math.nan, 0.93]}
    summary = summary_of(scores)
    assert list(summary.effects["n"]) == [2, 2]
    assert "w/o a: finished without a finite score, left out: seed 1." in summary.notes
    assert "w/o b: finished without a finite score, left out: seed 1." in summary.notes


def test_runs_beyond_the_plan_are_named() -> None:
    runs = pd.concat([runs_of(SCORES), runs_of({"w/o c": [0.1, 0.2]}), runs_of({"full": [0.5] * 4}).iloc[3:]])
    notes = summarise(AB, runs, NO_CURVES).notes
    assert "2 runs of cells that are not in the plan are left out." in notes
    assert "Counted though the plan does not name them: seed 3." in notes


def test_cells_without_a_common_seed() -> None:
    runs = runs_of(SCORES)
    runs.loc[runs["cell"] == "w/o a", "seed"] += 10
    summary = summarise(AB, runs, NO_CURVES)
    # Compared by the means of their runs, as runs that form no pairs are.
    found = row(summary, "w/o a")
    oracle = stats.ttest_ind(SCORES["w/o a"], SCORES["full"], equal_var=False)
    assert (found["n"], bool(found["paired"])) == (3, False)
    assert found["p"] == pytest.approx(oracle.pvalue)
    assert summary.test_name == "paired t test or Welch t test"
    assert any(note.startswith("Compared without pairing, by Welch's test (w/o a)") for note in summary.notes)


def test_an_unknown_metric_lists_those_there_are() -> None:
    runs = runs_of(SCORES, test_accuracy=0.5, seconds=2.0, python=3.11)
    with pytest.raises(AnalysisError) as error:
        summarise(plan_of(factor("a"), factor("b"), metric="test_acuracy"), runs, NO_CURVES)
    assert str(error.value) == (
        "No finished run of study 'demo' has the metric 'test_acuracy'. Metrics: score, seconds, test_accuracy. "
        "Did you mean 'test_accuracy'? "
        "Name the one that decides (study.metric=..., or hydra.sweeper.metric=...); nothing is trained again."
    )


def test_repeated_rows_are_not_replicates() -> None:
    runs = pd.concat([runs_of(SCORES), runs_of({"full": [0.9]})])
    with pytest.raises(AnalysisError) as error:
        summarise(AB, runs, NO_CURVES)
    assert str(error.value) == (
        "More than one row for cell full, seed 0. Several rows of one run are not replicates: keep one row a run, or "
        "give every repetition its own seed."
    )


def test_missing_columns_are_named() -> None:
    with pytest.raises(AnalysisError) as error:
        summarise(AB, runs_of(SCORES).drop(columns=["state", "seed"]), NO_CURVES)
    assert str(error.value) == "The table lacks the columns seed, state; it has cell, score, study, reason."


def test_factors_may_be_called_like_measures() -> None:
    plan = plan_of(factor("n", "1", "2"), factor("weights", "a", "b"))
    scores = {cell.label: [0.9, 0.8] for cell in plan.cells}
    assert list(summary_of(scores, plan).cells.columns)[:4] == ["cell", "n (factor)", "weights (factor)", "n"]


def test_curves_are_put_in_order() -> None:
    curves = pd.DataFrame(
        {"cell": ["w/o a", "full", "full"], "seed": [0, 1, 1], "epoch": [1, 2, 1], "val_loss": [3.0, 2.0, 1.0]}
    )
    found = summarise(AB, runs_of(SCORES), curves).curves
    assert found[["cell", "epoch"]].values.tolist() == [["full", 1], ["full", 2], ["w/o a", 1]]


def score_tables(low: float = 0.0, high: float = 1.0) -> st.SearchStrategy[dict[str, list[float]]]:
    # Steps of 1/64 are exact in binary, so that shifting by them is, too.
    value = st.integers(int(low * 64), int(high * 64)).map(lambda step: step / 64)
    return st.fixed_dictionaries({cell: st.lists(value, min_size=4, max_size=4) for cell in SCORES})


NUMBERS = ["reference_mean", "cell_mean", "difference", "low", "high", "contribution", "p", "p_adjusted"]
FOUR = plan_of(factor("a"), factor("b"), seeds=range(4))


@settings(max_examples=settings.default.max_examples // 8)
@given(score_tables(), st.randoms(use_true_random=False))
def test_reordered_rows_and_relabelled_seeds_change_nothing(scores: dict[str, list[float]], random: Any) -> None:
    runs = runs_of(scores)
    before = summarise(FOUR, runs, NO_CURVES)
    order = list(range(len(runs)))
    random.shuffle(order)
    after = summarise(FOUR, runs.iloc[order], NO_CURVES)
    assert_frame_equal(before.effects, after.effects, check_exact=True)
    assert_frame_equal(before.cells, after.cells, check_exact=True)
    assert_frame_equal(before.pairs, after.pairs, check_exact=True)
    assert before.notes == after.notes
    names = random.sample(range(1000), 4)
    renamed = make_plan(Study("demo", "leave_one_out", tuple(names), "score"), FOUR.factors)
    relabelled = summarise(renamed, runs.assign(seed=[names[seed] for seed in runs["seed"]]), NO_CURVES)
    assert_frame_equal(before.effects, relabelled.effects, check_exact=True)
    assert_frame_equal(before.cells, relabelled.cells, check_exact=True)


@settings(max_examples=settings.default.max_examples // 8)
@given(score_tables(), st.sampled_from([-8.0, 0.5, 16.0]))
def test_a_shift_moves_only_the_means(scores: dict[str, list[float]], shift: float) -> None:
    before = summary_of(scores, FOUR).effects
    after = summary_of({cell: [value + shift for value in values] for cell, values in scores.items()}, FOUR).effects
    moved = before.assign(reference_mean=before["reference_mean"] + shift, cell_mean=before["cell_mean"] + shift)
    assert_frame_equal(after, moved, rtol=1e-9, atol=1e-12)


@settings(max_examples=settings.default.max_examples // 8)
@given(score_tables(), st.sampled_from([0.01, 3.0, 1000.0]))
def test_a_scale_multiplies_all_but_p_and_verdict(scores: dict[str, list[float]], scale: float) -> None:
    plan = plan_of(factor("a"), factor("b"), seeds=range(4), margin=0.1)
    scaled_plan = plan_of(factor("a"), factor("b"), seeds=range(4), margin=0.1 * scale)
    before = summary_of(scores, plan).effects
    after = summary_of({cell: [value * scale for value in values] for cell, values in scores.items()}, scaled_plan)
    sizes = [name for name in NUMBERS if not name.startswith("p")]
    assert_frame_equal(after.effects, before.assign(**{name: before[name] * scale for name in sizes}), rtol=1e-9)


@settings(max_examples=settings.default.max_examples // 8)
@given(score_tables())
def test_the_direction_turns_contribution_and_verdict_alone(scores: dict[str, list[float]]) -> None:
    largest = summary_of(scores, FOUR).effects
    smallest = summary_of(scores, plan_of(factor("a"), factor("b"), seeds=range(4), direction="min")).effects
    opposite = {"helps": "hurts", "hurts": "helps", "undecided": "undecided"}
    turned = largest.assign(
        contribution=0.0 - largest["contribution"], verdict=[opposite[verdict] for verdict in largest["verdict"]]
    )
    assert_frame_equal(smallest, turned)


def test_importing_the_room_is_light() -> None:
    heavy = "('tensorflow', 'keras', 'matplotlib', 'statsmodels', 'scipy.stats')"
    code = f"import sys, ablate.analysis; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_interval_that_reaches_the_margin_forbids_the_claim() -> None:
    # One-sided p = .034 for "below the margin", but the two-sided 95% interval reaches it.
    scores = {"full": [0.90, 0.80, 0.70, 0.60, 0.75], "w/o a": [0.892, 0.801, 0.690, 0.605, 0.747]}
    summary = summary_of(scores, plan_of(factor("a"), seeds=range(5), margin=0.0099))
    assert list(summary.effects["verdict"]) == ["undecided"]
    assert summary.notes == (
        "Undecided though the adjusted p value is at most 0.05, because the unadjusted 95% interval reaches the "
        "margin of 0.0099: w/o a (p = .034).",
        "Seeds that a new study would need, if the effects are as large as they look (for the 80% interval of their "
        "size): w/o a 9 (5 to 14). Seeds added to this one would be judged more strictly.",
    )


@settings(max_examples=settings.default.max_examples // 10)
@given(score_tables(), st.randoms(use_true_random=False))
def test_the_same_holds_under_the_sequential_rule(scores: dict[str, list[float]], random: Any) -> None:
    rule = SequentialRule(4)
    before = summarise(FOUR, runs_of(scores), NO_CURVES, rule)
    runs = runs_of({cell: [2 * value + 8 for value in values] for cell, values in scores.items()})
    order = list(range(len(runs)))
    random.shuffle(order)
    names = random.sample(range(1000), 4)
    renamed = make_plan(Study("demo", "leave_one_out", tuple(names), "score"), FOUR.factors)
    moved = runs.iloc[order].assign(seed=lambda frame: [names[seed] for seed in frame["seed"]])
    after = summarise(renamed, moved, NO_CURVES, rule)
    sizes = {name: 2 * before.effects[name] for name in ("difference", "low", "high", "contribution")}
    means = {name: 2 * before.effects[name] + 8 for name in ("reference_mean", "cell_mean")}
    assert_frame_equal(after.effects, before.effects.assign(**sizes, **means), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rule", [None, SequentialRule(4)])
@pytest.mark.parametrize("margin", [None, 0.01])
@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"full": [0.9]},
        {"full": [0.9], "w/o a": [0.8], "w/o b": [0.9]},
        {"full": [math.nan] * 4, "w/o a": [0.8] * 4, "w/o b": [0.9] * 4},
        {"full": [math.inf, 0.9, 0.9, -math.inf], "w/o a": [0.8] * 4, "w/o b": [0.9] * 4},
        {"full": [0.5] * 4, "w/o a": [0.5] * 4, "w/o b": [0.25] * 4},
        {"full": [1e300, -1e300, 1e300, 0.0], "w/o a": [0.0] * 4, "w/o b": [1e300, -1e300, 1e300, 1.0]},
        {"full": [1e-300, 0.0, 0.0, 0.0], "w/o a": [0.0] * 4, "w/o b": [0.0, 1e-300, 0.0, 0.0]},
    ],
)
def test_bad_numbers_give_a_marked_result_and_no_star(
    rule: SequentialRule | None, margin: float | None, scores: dict[str, list[float]]
) -> None:
    plan = plan_of(factor("a"), factor("b"), seeds=range(4), margin=margin)
    effects = summarise(plan, runs_of(scores), NO_CURVES, rule).effects
    assert not set(effects["verdict"]) & {"helps", "hurts"}
