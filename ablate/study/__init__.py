"""What a study asks and which cells answer it: pure values, no effects."""

from ablate.study.cell import Cell, cell_of
from ablate.study.constraint import Constraint, Forbidden, Requires
from ablate.study.design import DESIGNS, Design, Layout, designs_of
from ablate.study.factor import Factor, Level, level_label
from ablate.study.plan import FAILURE_POLICIES, Plan, Study, make_plan

__all__ = [
    "DESIGNS",
    "FAILURE_POLICIES",
    "Cell",
    "Constraint",
    "Design",
    "Factor",
    "Forbidden",
    "Layout",
    "Level",
    "Plan",
    "Requires",
    "Study",
    "cell_of",
    "designs_of",
    "level_label",
    "make_plan",
]
