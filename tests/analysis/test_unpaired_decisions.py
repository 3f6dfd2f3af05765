"""Comparisons of runs that form no pairs obey the same rules as paired ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from studies import NO_CURVES, factor, plan_of, runs_of

from ablate.analysis import Summary, checklist, conduct_of, main_effects, summarise
from ablate.analysis.decisions import CORRECTED, CORRECTED_WELCH, MODERATED, WELCH, T, Trajectory, decide
from ablate.analysis.prospect import plan_prospect
from ablate.analysis.unpaired import welch_interval
from ablate.study import Plan

NORMAL = np.random.default_rng(7).standard_normal((6, 12))


def unpaired(plan: Plan) -> Plan:
    return replace(plan, study=replace(plan.study, paired=False))


def summary_of(plan: Plan, **scores: np.ndarray) -> Summary:
    labels = [cell.label for cell in plan.cells]
    values = [each.tolist() for each in scores.values()]
    return summarise(plan, runs_of(dict(zip(labels, values, strict=True))), NO_CURVES)


def replicates(reference: np.ndarray, cell: np.ndarray) -> Trajectory:
    return Trajectory(
        (float("nan"),) * len(reference),
        runs=tuple(zip(reference.tolist(), cell.tolist(), strict=True)),
        is_paired=False,
    )


def test_welch_takes_part_in_the_family_and_lends_no_variance() -> None:
    full, *cells = NORMAL[:, :4]
    paired = {
        str(place): Trajectory(
            tuple((full - cell).tolist()), runs=tuple(zip(full.tolist(), cell.tolist(), strict=True))
        )
        for place, cell in enumerate(cells)
    }
    alone = decide(paired, None)
    found = decide({**paired, "replicates": replicates(full, cells[0] - 9)}, None)
    assert [found[cell].test for cell in found] == [MODERATED] * 5 + [WELCH]
    assert found["0"].contribution == alone["0"].contribution
    welch = found["replicates"]
    oracle = stats.ttest_ind(full, cells[0] - 9, equal_var=False).pvalue
    assert (welch.raw.difference, welch.adjusted.difference) == (pytest.approx(oracle), pytest.approx(6 * oracle))


def test_a_margin_means_the_same_for_replicates() -> None:
    plan = unpaired(plan_of(factor("a"), factor("b", "low", "high"), seeds=range(12), margin=1.0))
    full, noise, other = NORMAL[:3] * 0.01
    summary = summary_of(plan, full=full, a=noise - 0.1, b=other + 0.1)
    assert list(summary.effects["verdict"]) == ["helps, below the margin", "better, below the margin"]
    assert list(summary.effects["test"]) == [WELCH, WELCH] and not summary.effects["paired"].any()
    assert list(summary.effects["failure_rate_high"]) == [pytest.approx(1 - 0.05 ** (1 / 12))] * 2
    assert checklist(summary)["test"] == "Welch t test, Bonferroni-adjusted over 2 comparisons, alpha = 0.05."
    few = summary_of(
        replace(plan, study=replace(plan.study, seeds=tuple(range(4)))), f=full[:4], a=noise[:4], b=other[:4]
    )
    assert set(few.effects["verdict"]) == {"undecided"}  # four runs exclude no collapse
    # What is withheld is said as it would have been: of a part, and of a level.
    notes = "\n".join(few.notes)
    assert "w/o a: no effect, but 0 of 4 runs failed or collapsed" in notes
    assert "b=high: no difference, but 0 of 4 runs failed or collapsed" in notes


def test_lost_replicates_forbid_by_their_share() -> None:
    full, cell = NORMAL[0] * 0.1, NORMAL[1] * 0.1 + 2
    lost = cell.copy()
    lost[:2] = np.nan
    found = decide({"whole": replicates(full, cell), "lost": replicates(full, lost)}, None)
    assert (found["whole"].verdict, found["lost"].verdict) == ("hurts", "undecided")
    assert found["lost"].withheld == "hurts, but 0 runs of the reference and 2 of the cell are lost"
    # Runs that were never planned are not lost.
    fewer = Trajectory(
        (float("nan"),) * 12,
        runs=tuple(
            (a, b if place < 5 else None) for place, (a, b) in enumerate(zip(full.tolist(), cell.tolist(), strict=True))
        ),
        is_paired=False,
    )
    assert decide({"fewer": fewer}, None)["fewer"].verdict == "hurts" and fewer.failures() == (0, 5)


def test_replicates_that_grew_are_judged_more_strictly() -> None:
    trajectories = {"a": replicates(NORMAL[0], NORMAL[1])}
    fixed, grown = decide(trajectories, None)["a"], decide(trajectories, None, ((3, 1.0), (12, 0.05)))["a"]
    first = stats.ttest_ind(NORMAL[0, :3], NORMAL[1, :3], equal_var=False).pvalue
    assert grown.adjusted.difference == pytest.approx(min(first, 20 * fixed.adjusted.difference, 1.0))


def test_splits_of_one_data_set_widen_every_interval_of_a_study() -> None:
    plain = plan_of(factor("a"), factor("b"), design="factorial", seeds=range(12))
    plan = replace(plain, study=replace(plain.study, resplit=0.25))
    assert set(summary_of(plan, full=NORMAL[0], a=NORMAL[1], b=NORMAL[2], c=NORMAL[3]).effects["test"]) == {CORRECTED}
    summary = summary_of(unpaired(plan), full=NORMAL[0], a=NORMAL[1], b=NORMAL[2], c=NORMAL[3])
    assert set(summary.effects["test"]) == {CORRECTED_WELCH}
    assert summary.test_name == "corrected Welch t test"
    oracle = welch_interval(NORMAL[0].tolist(), NORMAL[1].tolist())
    assert welch_interval(NORMAL[0].tolist(), NORMAL[1].tolist(), 0.25).error == pytest.approx(2 * oracle.error)
    values = {cell.label: dict(enumerate(row)) for cell, row in zip(plan.cells, NORMAL.tolist(), strict=False)}
    before, now = main_effects(plain, values), main_effects(plan, values)
    widths = [(each.table["high"] - each.table["low"]).to_numpy() for each in (before, now)]
    assert (before.test, now.test) == ("t test", "corrected t test")
    assert widths[1] == pytest.approx(2 * widths[0])  # sqrt(1 + 12 / 4)


def test_methods_say_what_a_study_that_grew_was_tested_at() -> None:
    plan = plan_of(factor("a"), seeds=range(10))
    summary = summary_of(plan, full=NORMAL[0, :10], a=NORMAL[1, :10])
    history = [{"seeds": range(count), "finished": done, "declared": "x"} for count, done in ((3, 0), (5, 6), (10, 10))]
    conduct = conduct_of(history)
    assert conduct.looks == (3, 5)
    said = checklist(summary, conduct=conduct)["test"]
    assert said == (
        "Paired t test, Holm-adjusted over 1 comparison, alpha = 0.05. Results were seen at 3, 5 and 10 seeds, where "
        "claims were tested at 1, 0.05 and 0.025 times alpha."
    )
    assert summary.tests == (T,)


def test_a_part_planned_later_elsewhere_hides_no_look() -> None:
    grown = [{"seeds": range(3), "finished": 0}, {"seeds": range(5), "finished": 6}]
    assert conduct_of([*grown, {"seeds": range(3), "finished": 0}]).looks == (3,)


def test_what_replicates_can_detect_is_the_power_of_two_samples() -> None:
    plan = unpaired(plan_of(*map(factor, "abcd"), design="leave_one_out", seeds=range(5)))
    found = plan_prospect(plan)
    assert found is not None and "which form no pairs" in found.text and "moderated" not in found.text
    # statsmodels: TTestIndPower().power(2 * sqrt(2), 5, .05 / 4), the effect in standard deviations of a run
    assert found.power[2.0] == pytest.approx(0.8576713384372453, abs=1e-6)
