from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import Summary, confirmation, effort, fresh_seeds, reduced_levels, summarise
from ablate.analysis.power import t_power
from ablate.errors import AnalysisError
from ablate.study import Study

FULL = [0.95, 0.96, 0.97, 0.94, 0.93, 0.96]
WIGGLE = [0.001, -0.001, 0.0005, -0.0004, 0.0002, 0.0]


def shifted(by: float) -> list[float]:
    return [value + by + wiggle for value, wiggle in zip(FULL, WIGGLE, strict=True)]


# With fewer than nine runs a cell may collapse too often to be called dispensable.
LONG = FULL + [value + 0.003 for value in FULL[:4]]


def shifted_long(by: float) -> list[float]:
    return [value + by + wiggle for value, wiggle in zip(LONG, WIGGLE + WIGGLE[:4], strict=True)]


def study_of(margin: float | None, **shifts: float) -> Summary:
    plan = plan_of(
        factor("a"),
        factor("b"),
        factor("norm", "batch", "layer", "none"),
        design="one_factor_at_a_time",
        seeds=range(10),
        margin=margin,
    )
    cells = {"w/o a": "a", "w/o b": "b", "norm=layer": "layer", "norm=none": "none"}
    scores: dict[str, Sequence[float]] = {"full": LONG}
    scores |= {cell: shifted_long(shifts.get(name, -0.2)) for cell, name in cells.items()}
    return summarise(plan, runs_of(scores), NO_CURVES)


def test_everything_dispensable_goes_at_the_best_level() -> None:
    assert reduced_levels(study_of(0.01, a=0.0, b=-0.1)) == {"a": "false"}
    assert reduced_levels(study_of(0.01, a=0.05, layer=0.0, none=0.002)) == {"a": "false", "norm": "none"}


def test_nothing_dispensable() -> None:
    with pytest.raises(AnalysisError) as error:
        reduced_levels(study_of(0.01))
    assert str(error.value) == ("No ingredient of study 'demo' was found dispensable. All are needed or undecided.")
    with pytest.raises(AnalysisError) as error:
        reduced_levels(study_of(None, a=0.0))
    assert str(error.value) == (
        "No ingredient of study 'demo' was found dispensable. Without a margin nothing can be called dispensable: "
        "declare study.margin."
    )


def test_an_ingredient_must_be_dispensable_on_every_data_set() -> None:
    plan = plan_of(
        factor("a"), factor("b"), factor("data", "x", "y", block=True), design="factorial", seeds=range(10), margin=0.01
    )
    scores = {cell.label: shifted_long(0.0) for cell in plan.cells}
    scores |= {"full": LONG, "data=y": LONG, "w/o a, data=y": shifted_long(-0.1)}
    assert reduced_levels(summarise(plan, runs_of(scores), NO_CURVES)) == {"b": "false"}


STUDY = Study("demo", "leave_one_out", (0, 1, 2), "test_accuracy", margin=0.01)


def pair(by: float) -> tuple[dict[int, float], dict[int, float]]:
    return dict(enumerate(FULL, start=3)), dict(enumerate(shifted(by), start=3))


def test_confirmed() -> None:
    found = confirmation(STUDY, *pair(-0.002))
    assert found.is_confirmed
    assert found.text == (
        "Confirmed: removing all of them changes test accuracy on this test set by −0.195 points (95% CI −0.268 to "
        "−0.122, n = 6 fresh seeds), which excludes a turn for the worse by the margin of 1 point."
    )
    assert found.difference.mean == pytest.approx(-found.contribution.mean)


def test_redundant_parts_that_passed_one_by_one_are_caught() -> None:
    found = confirmation(STUDY, *pair(-0.08))
    assert not found.is_confirmed and found.verdict == "helps"
    assert found.text == (
        "Refuted: removing all of them changes test accuracy on this test set by −7.995 points (95% CI −8.068 to "
        "−7.922, n = 6 fresh seeds), a turn for the worse: what seemed dispensable one by one is needed."
    )


def test_not_enough_to_tell() -> None:
    full, reduced = pair(0.0)
    reduced[3] -= 0.03
    reduced[4] += 0.02
    found = confirmation(STUDY, full, reduced)
    assert not found.is_confirmed
    assert found.text.startswith(
        "Not confirmed: removing all of them changes test accuracy on this test set by −0.2 points (95% CI "
    )
    assert found.text.endswith(
        "n = 6 fresh seeds), which does not exclude a turn for the worse by the margin of 1 point."
    )


def test_a_metric_to_be_minimised() -> None:
    down = Study("demo", "leave_one_out", (0, 1, 2), "loss", "min", margin=0.01)
    assert not confirmation(down, *pair(0.08)).is_confirmed
    assert confirmation(down, *pair(-0.08)).is_confirmed


def test_the_very_same_network_gives_no_test() -> None:
    full, _ = pair(0.0)
    found = confirmation(STUDY, full, full)
    assert not found.is_confirmed and math.isnan(found.p.dispensability)
    assert found.text == (
        "Not confirmed: removing all of them changes test accuracy by 0 points for all 6 seeds alike, which allows no "
        "test."
    )


def test_runs_that_form_no_pairs_are_compared_by_their_means() -> None:
    unpaired = replace(STUDY, paired=False)
    full, reduced = pair(-0.002)
    found = confirmation(unpaired, full, reduced)
    oracle = stats.ttest_ind(list(reduced.values()), list(full.values()), equal_var=False).confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((oracle.low, oracle.high))
    assert not found.is_confirmed  # the spread of the runs counts, which pairs had taken out
    assert "n = 6 fresh runs of each" in found.text and "seed" not in found.text
    turned = dict(zip(reduced, reversed(reduced.values()), strict=True))
    assert confirmation(unpaired, full, turned) == found
    # No seed in common is no fault here, and a single run is.
    assert confirmation(unpaired, full, {seed + 100: value for seed, value in reduced.items()}) == found
    with pytest.raises(AnalysisError, match="have 1 finished runs each; at least 2"):
        confirmation(unpaired, full, {100: 0.9})


def test_their_effort_is_that_of_two_samples() -> None:
    summary = study_of(0.01, a=0.0, b=-0.1)
    plan = replace(summary.plan, study=replace(summary.study, paired=False))
    runs = {cell: list(by_seed.values()) for cell, by_seed in summary.values.items()}
    unpaired = summarise(plan, runs_of(runs), NO_CURVES)
    found = effort(unpaired, {"a": "false"}, 8)
    spread = math.sqrt(np.var(LONG, ddof=1) + np.var(shifted_long(0.0), ddof=1))
    assert found.power == pytest.approx(float(t_power(0.01 / spread, 8, 0.025, sides=1, samples=2)))
    assert found.text.startswith("8 fresh runs of each") and "paired" not in found.text
    rng = np.random.default_rng(3)
    draws = rng.standard_normal((20_000, 2, 8)) * spread / math.sqrt(2)
    error = np.sqrt(draws.var(axis=2, ddof=1).mean(axis=1) * 2 / 8)
    upper = draws.mean(axis=2) @ [1, -1] + stats.t.ppf(0.975, 14) * error
    assert (upper < 0.01).mean() == pytest.approx(found.power, abs=0.01)


def test_new_splits_of_one_data_set_are_confirmed_by_the_corrected_interval() -> None:
    split_anew = replace(STUDY, resplit=0.25)
    plain, found = confirmation(STUDY, *pair(-0.002)), confirmation(split_anew, *pair(-0.002))
    assert found.difference.half == pytest.approx(math.sqrt(1 + 6 * 0.25) * plain.difference.half)
    assert "on this test set" in plain.text and "test set" not in found.text
    summary = study_of(0.001, a=0.0, b=-0.1)
    corrected = replace(summary, plan=replace(summary.plan, study=replace(summary.study, resplit=0.25)))
    assert effort(corrected, {"a": "false"}, 10).power < effort(summary, {"a": "false"}, 10).power


def test_what_a_confirmation_needs() -> None:
    with pytest.raises(AnalysisError) as error:
        confirmation(Study("demo", "leave_one_out", (0, 1), "loss"), {1: 0.5}, {1: 0.4})
    assert str(error.value) == (
        "Non-inferiority needs a margin declared before the runs: study.margin.\n"
        "Seeds 1 served to find the ingredients; a confirmation needs fresh ones.\n"
        "The two networks share 1 finished seeds; at least 2 are needed."
    )
    assert set(fresh_seeds(STUDY, 10)).isdisjoint(STUDY.seeds)


def test_the_effort_follows_from_spread_and_margin() -> None:
    summary = study_of(0.01, a=0.0, b=-0.1)
    assert effort(summary, {"a": "false"}).text == (
        "5 fresh seeds: if nothing is lost, this is confirmed in 100% of all cases (standard deviation of the paired "
        "difference 0.00073, margin 0.01)."
    )
    tight = study_of(0.0006, a=0.05)
    found = effort(tight, {"a": "false"})
    assert (found.seeds, round(found.power, 2)) == (14, 0.81)
    assert effort(tight, {"a": "false"}, 4).text == (
        "4 fresh seeds: if nothing is lost, this is confirmed in 21% of all cases (standard deviation of the paired "
        "difference 0.00073, margin 0.0006). For 80% it takes 14 seeds."
    )
    assert effort(study_of(0.00001, a=0.05), {"a": "false"}).seeds == 20


def test_an_effort_that_makes_no_test_is_refused() -> None:
    with pytest.raises(AnalysisError) as error:
        effort(study_of(0.01, a=0.0), {"a": "false"}, 1)
    assert str(error.value) == "1 seeds: a confirmation needs at least 2."
