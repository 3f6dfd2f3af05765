from __future__ import annotations

import pandas as pd
import pytest
from studies import factor, plan_of, values_of

from ablate.analysis import Estimates, SequentialRule, anova, answers, expected
from ablate.analysis.answers import QUESTIONS
from ablate.analysis.observations import Observations
from ablate.errors import AnalysisError
from ablate.study import DESIGNS, Design, Plan, Requires

RULE = SequentialRule(8)
WORTH = {"a": 0.5, "b": 0.3, "c": -0.2, "d": 0.1, "e": 0.0}


def score(levels: dict[str, str], seed: int) -> float:
    noise = 0.1 * ((seed * 7 + 3 * sum(level == "true" for level in levels.values())) % 5)
    both = 0.2 * (levels["a"] == levels["b"] == "true")
    return noise + both + sum(WORTH.get(name, 1.0) for name, level in levels.items() if level == "true")


def study(design: str, *names: str, blocks: bool = False) -> tuple[Plan, Observations]:
    factors = [factor(name) for name in names or "abc"]
    factors += [factor("data", "x", "y", block=True)] if blocks else []
    plan = plan_of(*factors, design=design, seeds=range(8))
    return plan, values_of(plan, score, range(5))


@pytest.mark.parametrize(
    ("question", "design"),
    [
        ("roadmap", "cumulative"),
        ("main_effects", "factorial"),
        ("main_effects", "pairs"),
        ("interactions", "factorial"),
        ("shapley", "factorial"),
    ],
)
def test_estimates_name_the_interval_and_the_test_that_they_have(question: str, design: str) -> None:
    plan, values = study(design)
    fixed = QUESTIONS[question](plan, values, None)
    sequential = QUESTIONS[question](plan, values, RULE)
    assert (fixed.interval, fixed.test) == ("t interval", "t test")
    assert (sequential.interval, sequential.test) == ("repeated confidence interval", "sequential t test")
    assert len(fixed.table) == len(sequential.table) > 0
    for row, other in zip(fixed.table.to_dict("records"), sequential.table.to_dict("records"), strict=True):
        assert other["difference"] == pytest.approx(row["difference"])
        assert other["high"] - other["low"] > row["high"] - row["low"]
        assert other["p"] != pytest.approx(row["p"])


def test_pooled_effects_name_their_interval_under_both_rules() -> None:
    plan, _ = study("leave_one_out", blocks=True)
    sizes = {"x": 1.0, "y": 2.0}
    values = values_of(plan, lambda levels, seed: sizes[levels["data"]] * score(levels, seed), range(5))
    for rule in (None, RULE):
        pooled = QUESTIONS["datasets"](plan, values, rule)
        assert (pooled.interval, pooled.test) == ("t interval over data sets", "t test over data sets")
        # Over data sets nothing is known under the rule, so there is none.
        assert pooled.table["low"].notna().all() == (rule is None)


@pytest.mark.parametrize("design", [name for name in DESIGNS if name != "latin_square"])
def test_a_design_answers_the_questions_that_it_declares(design: str) -> None:
    plan, values = study(design, *"abcde")
    found = answers(plan, values)
    assert expected(plan) == set(DESIGNS[design].questions)
    if design in ("fractional", "screening", "optimal"):
        assert "they need every combination of the ingredients" in found.refused["shapley"]
        answered: tuple[str, ...] = ("main_effects",)
    else:
        answered = DESIGNS[design].questions
    for question in answered:
        assert isinstance(found.given[question], Estimates)
        wanted = {"interactions": 10}.get(question, 5)
        assert len(found.given[question].table) == wanted
    if DESIGNS[design].anova_order is None:
        with pytest.raises(AnalysisError, match="has no analysis of variance"):
            anova(plan, values)
    else:
        terms = anova(plan, values).effects["term"]
        assert {"a", "b", "c", "d", "e"} <= set(terms)
        assert terms.str.contains(":").any() == (DESIGNS[design].anova_order > 1)


def test_a_question_of_the_design_that_its_cells_do_not_allow_is_refused_with_a_reason() -> None:
    plan = plan_of(
        factor("a"), factor("b"), factor("c"), design="factorial", constraints=[Requires("c", "a", ("false",))]
    )
    found = answers(plan, values_of(plan, score))
    assert "shapley" in expected(plan)
    assert found.refused["shapley"].endswith("with everything at its reference some ingredients mean nothing.")


def test_a_design_of_ones_own_is_analysed_as_it_declares() -> None:
    own = Design("own", "the whole grid", DESIGNS["factorial"].layout, questions=("interactions",), anova_order=1)
    DESIGNS.register(own)
    try:
        plan, values = study("own")
        assert expected(plan) == {"interactions"}
        table: pd.DataFrame = anova(plan, values).effects
        assert table["term"].tolist() == ["a", "b", "c"]
    finally:
        DESIGNS.unregister("own")
