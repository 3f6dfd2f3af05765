"""What a study asks and which cells answer it: pure values, no effects."""

from ablate.study.cell import Cell, cell_of
from ablate.study.constraint import Constraint, Forbidden, Requires
from ablate.study.design import DESIGNS
from ablate.study.factor import Factor, Level, level_label
from ablate.study.plan import Plan, Study, make_plan

__all__ = [
    "DESIGNS",
    "Cell",
    "Constraint",
    "Factor",
    "Forbidden",
    "Level",
    "Plan",
    "Requires",
    "Study",
    "cell_of",
    "level_label",
    "make_plan",
]
