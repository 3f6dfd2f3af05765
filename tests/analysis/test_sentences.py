from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import summarise
from ablate.study import Factor

FULL = [0.970, 0.960, 0.980, 0.950, 0.990]


def sentence_of(differences: Sequence[float], *factors: Factor, margin: float | None = None, **study: Any) -> str:
    used = factors or (factor("residual"),)
    plan = plan_of(*used, seeds=range(len(differences)), metric="test_accuracy", margin=margin, **study)
    cell = next(cell.label for cell in plan.cells if not cell.is_reference)
    runs = runs_of({"full": FULL[: len(differences)], cell: [a + d for a, d in zip(FULL, differences, strict=False)]})
    return summarise(plan, runs.rename(columns={"score": "test_accuracy"}), NO_CURVES).sentences[cell]


LOSS = [-0.012, -0.004, -0.020, -0.010, -0.014]


def test_helps() -> None:
    assert sentence_of(LOSS) == (
        "Removing residual lowers test accuracy by 0.0120 (95 % CI 0.0048 to 0.0192, n = 5 paired seeds, p = .010)."
    )


def test_hurts_and_directions() -> None:
    gain = [-value for value in LOSS]
    assert sentence_of(gain) == (
        "Removing residual raises test accuracy by 0.0120 (95 % CI 0.0048 to 0.0192, n = 5 paired seeds, p = .010)."
    )
    assert sentence_of(gain, direction="min") == sentence_of(gain)


def test_no_effect() -> None:
    assert sentence_of([0.001, -0.002, 0.001, 0.0, -0.001], margin=0.01) == (
        "Removing residual changes test accuracy by −0.0002 (95 % CI −0.0018 to 0.0014, n = 5 paired seeds), by less "
        "than the margin of 0.01 in either direction (equivalence p < .001)."
    )


def test_dispensable() -> None:
    assert sentence_of([0.001, 0.030, 0.010, 0.002, 0.013], margin=0.01) == (
        "Removing residual changes test accuracy by 0.011 (95 % CI −0.003 to 0.026, n = 5 paired seeds), which "
        "excludes a turn for the worse by the margin of 0.01 (non-inferiority p = .008)."
    )


def test_undecided_says_how_many_seeds_more() -> None:
    assert sentence_of([-0.012, 0.004, -0.020, 0.010, -0.014]) == (
        "Removing residual changes test accuracy by −0.006 (95 % CI −0.022 to 0.009, n = 5 paired seeds, p = .32), "
        "which decides nothing. If this is its true size, about 29 more seeds would decide."
    )
    assert sentence_of([-0.012, 0.012, -0.020, 0.021]).endswith(
        "If this is its true size, it takes more seeds than anyone would train."
    )


def test_what_allows_no_inference() -> None:
    assert sentence_of([-0.012]) == (
        "Removing residual changes test accuracy by −0.012 in a single seed, which allows no inference."
    )
    assert sentence_of([0.0, 0.0, 0.0]) == (
        "Removing residual changes test accuracy by 0 for all 3 seeds alike, which allows no inference."
    )
    plan = plan_of(factor("residual"))
    assert summarise(plan, runs_of({"full": FULL}), NO_CURVES).sentences == {
        "w/o residual": "Removing residual: no seed in common with the reference, so nothing can be said about score."
    }


@pytest.mark.parametrize(
    ("changed", "begin"),
    [
        (factor("dropout", "false", "true"), "Adding dropout "),
        (factor("head", "gap", "flatten"), "Setting head to flatten instead of gap "),
        (factor("model.args.se_block"), "Removing se block "),
    ],
)
def test_changes_in_words(changed: Factor, begin: str) -> None:
    assert sentence_of(LOSS, changed).startswith(begin + "lowers test accuracy by 0.0120 ")


def test_several_changes_and_data_sets() -> None:
    plan = plan_of(factor("a"), factor("head", "gap", "flat"), factor("data", "x", "y", block=True), design="factorial")
    scores = {cell.label: FULL[:3] for cell in plan.cells}
    sentences = summarise(plan, runs_of(scores), NO_CURVES).sentences
    assert sentences["w/o a, head=flat, data=y"].startswith(
        "Removing a and setting head to flat instead of gap (on data y) changes score by 0 for all 3 seeds alike"
    )
