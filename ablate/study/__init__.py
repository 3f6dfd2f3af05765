"""What a study asks and which cells answer it: pure values without side effects."""

from ablate.study.cell import Cell, cell_of
from ablate.study.constraint import Constraint, Forbidden, Requires
from ablate.study.design import DESIGNS, Design, designs_of
from ablate.study.factor import Factor, Level, level_label, takes_away
from ablate.study.layout import DesignSpace, Layout
from ablate.study.metric import METRICS, Metric, metric_of
from ablate.study.plan import FAILURE_POLICIES, Plan, Study, make_plan

__all__ = [
    "DESIGNS",
    "FAILURE_POLICIES",
    "METRICS",
    "Cell",
    "Constraint",
    "Design",
    "DesignSpace",
    "Factor",
    "Forbidden",
    "Layout",
    "Level",
    "Metric",
    "Plan",
    "Requires",
    "Study",
    "cell_of",
    "designs_of",
    "level_label",
    "make_plan",
    "metric_of",
    "takes_away",
]
