"""What a design answers beside the effect of each cell: averages over settings, interactions, shares of a gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ablate.analysis.contrasts import interactions, main_effects
from ablate.analysis.datasets import pool_effects
from ablate.analysis.estimates import Estimates
from ablate.analysis.observations import Observations
from ablate.analysis.roadmap import roadmap
from ablate.analysis.shapley import shapley
from ablate.errors import AnalysisError
from ablate.study import Plan

__all__ = ["QUESTIONS", "Answers", "answers"]

QUESTIONS: Mapping[str, Callable[[Plan, Observations], Estimates]] = {
    "roadmap": roadmap,
    "main_effects": main_effects,
    "interactions": interactions,
    "shapley": shapley,
    "datasets": pool_effects,
}
"""Further questions by name; each raises an AnalysisError where a design cannot answer it."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Further questions that were put to a study.

    Args:
        given: Estimates by name of the question, see :data:`QUESTIONS`.
        refused: By name of the question, why the study cannot answer it.
    """

    given: Mapping[str, Estimates] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def answers(plan: Plan, values: Observations) -> Answers:
    """Put every question to a study.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.
    """
    given: dict[str, Estimates] = {}
    refused: dict[str, str] = {}
    for name, question in QUESTIONS.items():
        try:
            found = question(plan, values)
        except AnalysisError as error:
            refused[name] = str(error)
            continue
        if found.table.empty:
            refused[name] = found.notes[0] if found.notes else "no seed has finished what the answer needs."
        else:
            given[name] = found
    return Answers(given, refused)
