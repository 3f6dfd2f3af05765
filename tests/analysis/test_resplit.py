"""Seeds that each split one data set anew: every table of a study allows for what their splits have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from studies import NO_CURVES, factor, plan_of, runs_of, values_of

from ablate.analysis import anova, main_effects, summarise
from ablate.analysis.anova import split_count
from ablate.analysis.factorial import Factorial
from ablate.analysis.observations import Observations
from ablate.figures.half_normal import HALF_NORMAL
from ablate.study import Plan

RATIO = 0.25


def split_anew(plan: Plan) -> Plan:
    return replace(plan, study=replace(plan.study, resplit=RATIO))


def noisy(plan: Plan, seed: int = 0) -> Observations:
    rng = np.random.default_rng(seed)
    return values_of(plan, lambda levels, run: 2.0 * (levels["a"] == "false") + run + float(rng.standard_normal()))


def both(plan: Plan, values: Observations) -> tuple[Factorial, Factorial]:
    return anova(plan, values), anova(split_anew(plan), values)


def test_f_is_divided_by_what_the_variance_is_multiplied_by() -> None:
    plan = plan_of(factor("a"), factor("b", "x", "y", "z"), design="factorial", seeds=range(8))
    values = noisy(plan)
    plain, corrected = both(plan, values)
    rows, before = corrected.anova.set_index("term"), plain.anova.set_index("term")
    for term in ("a", "b", "a:b"):
        assert rows.loc[term, "F"] == pytest.approx(before.loc[term, "F"] / (1 + 8 * RATIO))
        freedom = (before.loc[term, "df"], before.loc["Residual", "df"])
        assert rows.loc[term, "p"] == pytest.approx(stats.f.sf(rows.loc[term, "F"], *freedom))
    assert before.loc["block", "F"] > 0 and np.isnan(rows.loc["block", "F"])
    effect = corrected.effects.set_index("term").loc["a"]
    assert (effect["effect"] / effect["error"]) ** 2 == pytest.approx(rows.loc["a", "F"])
    assert effect["p"] == pytest.approx(rows.loc["a", "p"])
    assert corrected.test == "corrected t test"


def test_a_fraction_is_corrected_by_its_seeds_and_not_by_its_runs() -> None:
    plan = plan_of(*(factor(name) for name in "abcd"), design="screening", seeds=range(3))
    values = noisy(plan)
    found = [main_effects(each, values) for each in (plan, split_anew(plan))]
    widths = [(each.table["high"] - each.table["low"]).to_numpy() for each in found]
    assert widths[1] == pytest.approx(np.sqrt(1 + 3 * RATIO) * widths[0])
    assert found[0].counted == "run" and (found[0].table["n"] > 3).all()
    assert found[1].test == "corrected t test"
    rows = anova(split_anew(plan), values).anova.set_index("term")
    assert found[1].table.set_index("factor").loc["a", "p"] == pytest.approx(rows.loc["a", "p"])


def test_one_split_allows_no_test_of_single_runs() -> None:
    plan = plan_of(*(factor(name) for name in "abcd"), design="fractional", seeds=(0,))
    values = noisy(plan)
    plain, withheld = both(plan, values)
    assert plain.test == withheld.test == "Lenth's test"
    assert plain.effects["p"].notna().all() and withheld.effects[["error", "low", "high", "p"]].isna().all(axis=None)
    assert withheld.effects["effect"].tolist() == plain.effects["effect"].tolist()
    assert any("Lenth" in note and "split" in note for note in withheld.notes)
    table = main_effects(split_anew(plan), values).table
    assert table["p"].isna().all() and set(table["verdict"]) == {"undecided"}
    runs = runs_of({cell.label: [values[cell.label][0]] for cell in plan.cells})
    summary = summarise(split_anew(plan), runs, NO_CURVES)
    data = HALF_NORMAL.prepare(summary)
    assert len(data) == 7 and data["margin_of_error"].isna().all()
    assert "No line of noise" in HALF_NORMAL.caption(summary, data)
    HALF_NORMAL.compose(data)


def test_plots_and_nested_seeds_are_corrected_in_their_stratum() -> None:
    plan = plan_of(factor("a"), factor("b"), design="factorial", seeds=range(6))
    adopted = replace(plan, study=replace(plan.study, adopted=True, whole_plots=("a",)))
    plain, corrected = both(adopted, noisy(plan))
    rows, before = (each.anova.set_index(["stratum", "term"]) for each in (corrected, plain))
    for place in (("seed:a", "a"), ("within", "b"), ("within", "a:b")):
        assert rows.loc[place, "F"] == pytest.approx(before.loc[place, "F"] / (1 + 6 * RATIO))
    # Of six seeds, three are at each level of a.
    nested = replace(plan, study=replace(plan.study, adopted=True))
    halves = {"true": {0, 1, 2}, "false": {3, 4, 5}}
    values = {
        cell.label: {seed: value for seed, value in noisy(plan)[cell.label].items() if seed in halves[cell.levels["a"]]}
        for cell in plan.cells
    }
    assert (split_count(nested, values, "a"), split_count(nested, values, "b")) == (3, 6)
    plain, corrected = both(nested, values)
    rows, before = (each.anova.set_index(["stratum", "term"]) for each in (corrected, plain))
    assert rows.loc[("seed", "a"), "F"] == pytest.approx(before.loc[("seed", "a"), "F"] / (1 + 3 * RATIO))


def test_tests_beside_the_verdict_are_corrected_or_left_out() -> None:
    plan = plan_of(factor("a"), seeds=range(8))
    rng = np.random.default_rng(4)
    runs = runs_of({"full": rng.standard_normal(8).tolist(), "w/o a": (1 + rng.standard_normal(8)).tolist()})
    plain, corrected = (summarise(each, runs, NO_CURVES).robustness.iloc[0] for each in (plan, split_anew(plan)))
    assert plain["p_sign_flip"] > 0 and np.isnan(corrected["p_sign_flip"])
    assert corrected["p_welch"] > plain["p_welch"]
