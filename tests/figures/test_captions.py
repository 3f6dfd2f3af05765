"""Captions of all figures and tables name the interval and the test that their numbers have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from toy_studies import DATA, caption_of, study_of

from ablate.analysis import Estimates, SequentialRule, Summary, interactions, main_effects, roadmap, shapley
from ablate.figures import FIGURES, default_figures
from ablate.study import Cell, Factor
from ablate.tables import Estimate, Table, study_tables

QUESTIONS: dict[str, Callable[..., Estimates]] = {
    "main_effects": main_effects,
    "interactions": interactions,
    "shapley": shapley,
    "roadmap": roadmap,
}
OF_SINGLE_MEANS = {"curves", "difference_curves", "seeds", "cost"}
"""Figures of means or differences that have t intervals under any rule, and no tests."""

DESIGNS: dict[str, tuple[Sequence[str | Factor], str]] = {
    "factorial": ("ab", "factorial"),
    "pairs": ("abc", "pairs"),
    "cumulative": ("abc", "cumulative"),
    "leave one out": ("ab", "leave_one_out"),
    "data sets": ([DATA, "a", "b"], "leave_one_out"),
    "factorial on data sets": ([DATA, "a", "b"], "factorial+cumulative"),
}


def score(cell: Cell, seed: int) -> float:
    noise = np.random.default_rng([seed, len(cell.label), *map(ord, cell.label)]).normal(0, 0.01)
    return 0.9 - 0.06 * ("a" in cell.changed) - 0.01 * ("b" in cell.changed) + float(noise)


def studied(design: str, sequential: bool) -> Summary:
    factors, name = DESIGNS[design]
    rule = SequentialRule(6) if sequential else None
    return study_of(factors, design=name, seeds=6, score=score, rule=rule)


MODERATED = {"pairs"}
"""Designs with enough comparisons for moderated variances at six seeds."""


def effect_test(design: str) -> tuple[str, str]:
    """The test of single effects, and how their p values are adjusted."""
    return ("moderated paired t test", "Bonferroni") if design in MODERATED else ("paired t test", "Holm")


def check(caption: str, sequential: bool, test: str, where: str, correction: str = "Holm") -> None:
    interval = "95% repeated confidence intervals" if sequential else "95% t intervals"
    assert interval in caption, where
    assert f"{'sequential ' if sequential else ''}{test}s, {correction}-adjusted" in caption, where
    assert ("95% t interval" in caption) != sequential, where
    assert ("sequential" in caption) == sequential, where


OVER_DATA_SETS = ("main_effects", "interactions")
"""Averages over the settings of the others: over several data sets their unit is the data set."""


def check_answer(caption: str, sequential: bool, question: str, design: str) -> bool:
    """Check the caption of a further question; returns whether it has intervals."""
    where = f"{question} of {design}"
    if design != "factorial on data sets" or question not in OVER_DATA_SETS:
        check(caption, sequential, "t test", where)
        return True
    # Over data sets there is no interval or test under the sequential rule.
    assert ("95% t intervals over data sets" in caption) != sequential, where
    assert ("t tests over data sets, Holm-adjusted" in caption) != sequential, where
    assert ("No interval or test" in caption) == sequential, where
    return not sequential


def ends(estimates: pd.DataFrame) -> np.ndarray:
    """Intervals whatever their order and sign: those of contributions are turned."""
    return np.sort(np.abs(estimates[["low", "high"]].dropna().to_numpy()).ravel())


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("design", DESIGNS)
def test_captions_of_figures_name_the_interval_and_test_of_what_is_drawn(design: str, sequential: bool) -> None:
    summary = studied(design, sequential)
    drawn = 0
    for name in default_figures(summary.plan):
        data = FIGURES[name].load().prepare(summary)
        if name in OF_SINGLE_MEANS or data.empty:
            continue
        caption, where = FIGURES[name].load().caption(summary, data), f"{name} of {design}"
        drawn += 1
        if name in QUESTIONS:
            has_intervals = check_answer(caption, sequential, name, design)
            found = QUESTIONS[name](summary.plan, summary.values, summary.rule).table
            assert ends(data) == pytest.approx(ends(found)), where
            if sequential and has_intervals:
                fixed = QUESTIONS[name](summary.plan, summary.values).table
                assert ends(data) != pytest.approx(ends(fixed)), where
        elif name == "datasets":
            assert f"95% {summary.interval_name}s" in caption
            # Over data sets there is no interval or test under the sequential rule.
            assert ("95% t intervals over data sets" in caption) == ("t tests over data sets, Holm" in caption)
            assert ("95% t intervals over data sets" in caption) != sequential
        else:
            test, correction = effect_test(design)
            check(caption, sequential, test, where, correction)
            effects = data.drop_duplicates("cell")
            assert ends(effects) == pytest.approx(ends(summary.effects)), where
    assert drawn >= 2


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("name", sorted(OF_SINGLE_MEANS))
def test_captions_of_single_means_name_the_t_interval_under_any_rule(name: str, sequential: bool) -> None:
    summary = studied("leave one out", sequential)
    caption = caption_of(FIGURES[name].load(), summary)
    assert "95% t interval" in caption and "repeated" not in caption and "Holm" not in caption


def numbers(table: Table) -> np.ndarray:
    values = [value for row in table.rows for value in row if isinstance(value, Estimate)]
    found = np.abs([end for value in values for end in (value.low, value.high)])
    return np.sort(found[np.isfinite(found)])


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("design", DESIGNS)
def test_captions_of_tables_name_the_interval_and_test_of_their_numbers(design: str, sequential: bool) -> None:
    summary = studied(design, sequential)
    test, correction = effect_test(design)
    assert summary.test_name == f"{'sequential ' if sequential else ''}{test}"
    for name, table in study_tables(summary).items():
        where = f"{name} of {design}"
        if name in QUESTIONS:
            check_answer(table.caption, sequential, name, design)
            found = QUESTIONS[name](summary.plan, summary.values, summary.rule).table
            assert numbers(table) == pytest.approx(ends(found)), where
        elif name == "effects":
            # Beside the differences it has means, whose intervals are t intervals under any rule.
            assert f"with 95% {summary.interval_name}s" in table.caption
            assert f"{summary.test_name}s, {correction}-adjusted" in table.caption
        elif name == "by_dataset":
            assert f"{summary.test_name}s, {correction}-adjusted" in table.caption
        elif name == "datasets" and not sequential:
            assert "95% t intervals over data sets" in table.caption
        elif name in ("datasets", "least_squares") and sequential:
            assert "No interval or test." in table.caption
            assert not len(numbers(table))
        elif name == "anova":
            assert ("No tests." in table.caption) == sequential
        elif name == "robustness":
            of_verdict = "p (test)" if design in MODERATED else "p (paired t)"
            assert any(column.header == ("p (sequential)" if sequential else of_verdict) for column in table.columns)
        else:
            assert name == "least_squares" and "95% t intervals, unadjusted; t tests" in table.caption
