"""Which figures a study gets: those asked for, or what its design calls for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ablate.errors import suggestion
from ablate.figures.paper import PAPERS
from ablate.study import Plan

__all__ = ["FIGURE_NAMES", "choice_faults", "default_figures"]

# Apart from the registry, which needs matplotlib: a choice is checked before the first run.
FIGURE_NAMES = (
    "forest",
    "effects",
    "main_effects",
    "interactions",
    "shapley",
    "roadmap",
    "datasets",
    "curves",
    "difference_curves",
    "seeds",
    "cost",
)
"""All figures, the main one first."""

_GRIDS = ("factorial", "fractional", "screening", "optimal")


def default_figures(plan: Plan) -> tuple[str, ...]:
    """The figures that answer what a study's design asks.

    Args:
        plan: The plan.

    Example:
        >>> from ablate.study import Factor, Level, Study, make_plan
        >>> factors = [Factor(name, (Level("true"), Level("false")), "true") for name in "ab"]
        >>> default_figures(make_plan(Study("demo", "cumulative", (0, 1), "score"), factors))
        ('forest', 'effects', 'roadmap', 'curves', 'difference_curves', 'seeds', 'cost')
    """
    designs = plan.study.design.split("+")
    grid = any(design in _GRIDS for design in designs)
    several = sum(not factor.block for factor in plan.factors) > 1
    wanted = {
        "main_effects": several and grid,
        "interactions": several and ("factorial" in designs or "pairs" in designs),
        "shapley": several and "factorial" in designs,
        "roadmap": "cumulative" in designs,
        "datasets": any(factor.block for factor in plan.factors),
    }
    return tuple(name for name in FIGURE_NAMES if wanted.get(name, True))


def choice_faults(figures: Any, width: Any = None) -> list[str]:
    """What is wrong with a choice of figures.

    Args:
        figures: A name of a figure or several, or None for those that the design calls for.
        width: A name of :data:`ablate.figures.paper.PAPERS`, or None for the default.

    Returns:
        A sentence a fault; empty if there is none.

    Example:
        >>> choice_faults(["forest"], "neurips2026")[0].endswith("neurips. Did you mean 'neurips'?")
        True
    """
    faults = []
    for name in [figures] if isinstance(figures, str) or not isinstance(figures, Sequence) else figures:
        if name is not None and name not in FIGURE_NAMES:
            known = ", ".join(sorted(FIGURE_NAMES))
            faults.append(f"Unknown figure '{name}'. Figures: {known}.{suggestion(str(name), FIGURE_NAMES)}")
    if width is not None and width not in PAPERS:
        faults.append(f"Unknown width '{width}'. Widths: {', '.join(PAPERS)}.{suggestion(str(width), PAPERS)}")
    return faults
