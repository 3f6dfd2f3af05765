"""The further questions that a study can answer: averages over settings, interactions, shares of a gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.contrasts import interactions, main_effects
from ablate.analysis.datasets import pool_effects
from ablate.analysis.estimates import Estimates
from ablate.analysis.observations import Observations, blocks_of, varied
from ablate.analysis.roadmap import roadmap
from ablate.analysis.shapley import shapley
from ablate.errors import AnalysisError
from ablate.study import Plan, designs_of

QUESTIONS: Mapping[str, Callable[[Plan, Observations, SequentialRule | None], Estimates]] = {
    "roadmap": roadmap,
    "main_effects": main_effects,
    "interactions": interactions,
    "shapley": shapley,
    "datasets": pool_effects,
}
"""Further questions by name; each raises an AnalysisError where a design cannot answer it."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of a study to further questions.

    Args:
        given: Estimates by name of the question, see :data:`QUESTIONS`.
        refused: By name of the question, why the study cannot answer it.
    """

    given: Mapping[str, Estimates] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def expected(plan: Plan) -> frozenset[str]:
    """The questions that a plan is made to answer: where one has no answer, a report must say why.

    Args:
        plan: The plan.

    Example:
        >>> from dataclasses import replace
        >>> from ablate.study import Factor, Level, Study, make_plan
        >>> factors = [Factor(name, (Level("true"), Level("false")), "true") for name in "abcd"]
        >>> plan = make_plan(Study("demo", "pairs", (0, 1), "score"), factors)
        >>> sorted(expected(plan)), sorted(expected(make_plan(replace(plan.study, design="leave_one_out"), factors)))
        (['interactions', 'main_effects'], [])
    """
    questions: set[str] = set()
    if len(varied(plan)) > 1:
        questions.update(*(design.questions for design in designs_of(plan.study.design)))
    return frozenset(questions | ({"datasets"} if blocks_of(plan) != [{}] else set()))


def answers(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Answers:
    """Put every question to a study.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None where their number was fixed.
    """
    given: dict[str, Estimates] = {}
    refused: dict[str, str] = {}
    for name, question in QUESTIONS.items():
        try:
            estimates = question(plan, values, rule)
        except AnalysisError as error:
            refused[name] = str(error)
            continue
        if estimates.table.empty:
            refused[name] = estimates.notes[0] if estimates.notes else "no seed has finished what the answer needs."
        else:
            given[name] = estimates
    return Answers(given, refused)
