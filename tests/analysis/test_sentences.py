from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import summarise
from ablate.analysis.sentences import Unit, unit_of
from ablate.study import Factor

FULL = [0.970, 0.960, 0.980, 0.950, 0.940, 0.965, 0.955, 0.975, 0.945, 0.935]


def sentence_of(differences: Sequence[float], *factors: Factor, margin: float | None = None, **study: Any) -> str:
    used = factors or (factor("residual"),)
    plan = plan_of(*used, seeds=range(len(differences)), metric="test_accuracy", margin=margin, **study)
    cell = next(cell.label for cell in plan.cells if not cell.is_reference)
    runs = runs_of(
        {plan.cells[0].label: FULL[: len(differences)], cell: [a + d for a, d in zip(FULL, differences, strict=False)]}
    )
    return summarise(plan, runs.rename(columns={"score": "test_accuracy"}), NO_CURVES).sentences[cell]


LOSS = [-0.012, -0.004, -0.020, -0.010, -0.014]


def test_helps() -> None:
    assert sentence_of(LOSS) == (
        "Removing residual lowers test accuracy by 1.20 points (95% CI 0.48 to 1.92, n = 5 paired seeds, p = .010)."
    )


def test_hurts_and_directions() -> None:
    gain = [-value for value in LOSS]
    assert sentence_of(gain) == (
        "Removing residual raises test accuracy by 1.20 points (95% CI 0.48 to 1.92, n = 5 paired seeds, p = .010)."
    )
    assert sentence_of(gain, direction="min") == sentence_of(gain)


def test_no_effect() -> None:
    assert sentence_of([0.001, -0.002, 0.001, 0.0, -0.001] * 2, margin=0.01) == (
        "Removing residual changes test accuracy by −0.020 points (95% CI −0.108 to 0.068, n = 10 paired seeds), by "
        "less than the margin of 1 point in either direction (equivalence p < .001; 0 of 10 runs failed or collapsed, "
        "which leaves up to 26%)."
    )


def test_dispensable() -> None:
    assert sentence_of([-0.004, 0.020, 0.010, -0.008, 0.005] * 2, margin=0.01) == (
        "Removing residual changes test accuracy by 0.46 points (95% CI −0.29 to 1.21, n = 10 paired seeds), which "
        "excludes a turn for the worse by the margin of 1 point (non-inferiority p < .001; 0 of 10 runs failed or "
        "collapsed, which leaves up to 26%)."
    )


def test_too_small_to_matter() -> None:
    moves = [-0.001, -0.002, -0.001, -0.0015, -0.0005]
    assert sentence_of(moves * 2, margin=0.01) == (
        "Removing residual lowers test accuracy by 0.120 points (95% CI 0.082 to 0.158, n = 10 paired seeds, "
        "p < .001), less than the margin of 1 point."
    )


def test_undecided_says_how_many_seeds_more() -> None:
    assert sentence_of([-0.012, 0.004, -0.020, 0.010, -0.014]) == (
        "Removing residual changes test accuracy by −0.6 points (95% CI −2.2 to 0.9, n = 5 paired seeds, p = .32), "
        "which decides nothing. If this is its true size, a new study needs 34 (9 to more than 100) seeds."
    )
    assert sentence_of([-0.012, 0.012, -0.020, 0.021]).endswith(
        "If this is its true size, a new study needs more than 100 (21 to more than 100) seeds."
    )


def test_what_allows_no_inference() -> None:
    assert sentence_of([-0.012]) == (
        "Removing residual changes test accuracy by −1.2 points in a single seed, which allows no inference."
    )
    assert sentence_of([0.0, 0.0, 0.0]) == (
        "Removing residual changes test accuracy by 0 points for all 3 seeds alike, which allows no inference."
    )
    plan = plan_of(factor("residual"))
    assert summarise(plan, runs_of({"full": FULL[:5]}), NO_CURVES).sentences == {
        "w/o residual": "Removing residual: no seed in common with the reference, so nothing can be said about score."
    }


@pytest.mark.parametrize(
    ("changed", "begin"),
    [
        (factor("dropout", "false", "true"), "Adding dropout "),
        (factor("head", "gap", "flatten"), "Setting head to flatten instead of gap "),
        (factor("model.args.se_block"), "Removing se block "),
        (factor("train.learning_rate", "0.1", "0.01"), "Setting learning rate to 0.01 instead of 0.1 "),
    ],
)
def test_changes_in_words(changed: Factor, begin: str) -> None:
    assert sentence_of(LOSS, changed).startswith(begin + "lowers test accuracy by 1.20 points ")


def test_what_goes_is_said_together() -> None:
    names = [factor("a"), factor("b"), factor("c"), factor("d", "false", "true"), factor("head", "gap", "flat")]
    plan = plan_of(*names, design="baseline")
    scores = {cell.label: FULL[:3] for cell in plan.cells}
    (text,) = summarise(plan, runs_of(scores), NO_CURVES).sentences.values()
    assert text.startswith("Removing a, b and c, adding d and setting head to flat instead of gap changes score by 0 ")


def test_several_changes_and_data_sets() -> None:
    plan = plan_of(factor("a"), factor("head", "gap", "flat"), factor("data", "x", "y", block=True), design="factorial")
    scores = {cell.label: FULL[:3] for cell in plan.cells}
    sentences = summarise(plan, runs_of(scores), NO_CURVES).sentences
    assert sentences["w/o a, head=flat, data=y"].startswith(
        "Removing a and setting head to flat instead of gap (on data y) changes score by 0 for all 3 seeds alike"
    )


@pytest.mark.parametrize(
    ("metric", "values", "unit"),
    [
        ("test_accuracy", [0.0, 1.0], Unit(100.0, " points")),
        ("val_acc", [97.1, 98.0], Unit(1.0, " points")),
        ("accuracy", [0.9, 1.02], Unit()),
        ("accuracy", [0.5, 40.0], Unit()),
        ("accumulated", [0.5], Unit()),
        ("test_loss", [0.5], Unit()),
        ("seconds", [12.0], Unit(1.0, " s")),
        ("top_5_accuracy", [0.5], Unit(100.0, " points")),
    ],
)
def test_accuracies_are_said_in_points(metric: str, values: list[float], unit: Unit) -> None:
    assert unit_of(metric, values) == unit


@pytest.mark.parametrize("direction", ["max", "min"])
def test_other_metrics_have_their_own_units(direction: str) -> None:
    plan = plan_of(factor("train.learning_rate", "0.1", "0.01"), seeds=range(5), metric="seconds", direction=direction)
    cell = plan.cells[1].label
    runs = runs_of({plan.cells[0].label: [100.0, 110, 120, 105, 99], cell: [90.0, 102, 110, 93, 91]})
    said = summarise(plan, runs.rename(columns={"score": "seconds"}), NO_CURVES).sentences[cell]
    assert said == (
        "Setting learning rate to 0.01 instead of 0.1 lowers seconds by 9.6 s (95% CI 7.5 to 11.7, n = 5 paired seeds, "
        "p < .001)."
    )


def test_an_accuracy_in_per_cent_says_the_same_as_one_in_shares() -> None:
    plan = plan_of(factor("residual"), seeds=range(5), metric="accuracy", margin=1.0)
    cell = plan.cells[1].label
    runs = runs_of(
        {"full": [100 * a for a in FULL[:5]], cell: [100 * (a + d) for a, d in zip(FULL[:5], LOSS, strict=True)]}
    )
    assert summarise(plan, runs.rename(columns={"score": "accuracy"}), NO_CURVES).sentences[cell] == (
        "Removing residual lowers accuracy by 1.20 points (95% CI 0.48 to 1.92, n = 5 paired seeds, p = .010)."
    )
