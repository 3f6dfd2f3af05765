"""From the runs of a study to results: effects with intervals, adjusted tests, verdicts.

Everything here is a pure function of tables:

- :func:`summarise` for the effects and verdicts that every study has;
- :func:`next_runs` with a :class:`SequentialRule` for the seeds a study still needs, :func:`prospect` for the effects
  that a number of seeds detects;
- :func:`main_effects`, :func:`interactions`, :func:`shapley`, :func:`roadmap` and :func:`anova` for designs that answer
  more than "what if this one is gone"; :func:`pool_effects` and :func:`rank_cells` for several data sets;
- :func:`reduced_levels` and :func:`confirmation` for the network without all that seemed dispensable;
- :func:`checklist` for what a report must disclose.
"""

from ablate.analysis.anova import aliases, anova
from ablate.analysis.answers import Answers, answers, expected
from ablate.analysis.boundary import SequentialRule
from ablate.analysis.checklist import checklist
from ablate.analysis.conduct import Conduct, conduct_of
from ablate.analysis.confirm import Confirmation, Effort, confirmation, effort, fresh_seeds, reduced_levels
from ablate.analysis.contrasts import interactions, main_effects
from ablate.analysis.datasets import Ranking, pool_effects, rank_cells
from ablate.analysis.estimates import Estimates
from ablate.analysis.factorial import Factorial
from ablate.analysis.prospect import Prospect, plan_prospect, prospect
from ablate.analysis.roadmap import roadmap
from ablate.analysis.rounds import Round, next_runs
from ablate.analysis.shapley import shapley
from ablate.analysis.summary import Summary, summarise

__all__ = [
    "Answers",
    "Conduct",
    "Confirmation",
    "Effort",
    "Estimates",
    "Factorial",
    "Prospect",
    "Ranking",
    "Round",
    "SequentialRule",
    "Summary",
    "aliases",
    "anova",
    "answers",
    "checklist",
    "conduct_of",
    "confirmation",
    "effort",
    "expected",
    "fresh_seeds",
    "interactions",
    "main_effects",
    "next_runs",
    "plan_prospect",
    "pool_effects",
    "prospect",
    "rank_cells",
    "reduced_levels",
    "roadmap",
    "shapley",
    "summarise",
]
