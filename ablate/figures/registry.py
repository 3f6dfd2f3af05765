"""Which figures there are, which of them a study gets, and how wide they are.

A choice is checked before the first run, without the half second that matplotlib takes: names and widths are known
here, a figure itself is loaded when it is drawn. A further figure is a module and one line of registration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ablate.errors import suggestion
from ablate.objects import Registry, load_object
from ablate.study import Plan, designs_of

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analysis import Summary
    from ablate.figures.figure import Canvas

Studies = Literal["every", "blocks", "design", "unreplicated", "chosen"]
"""Which studies have a figure by default: all, those with a block (a data set), those whose design names it, or of the
latter those with one run a cell, or only those that ask for it."""


@dataclass(frozen=True)
class Figure:
    """A figure as a value: where its data come from, how it is drawn, what it says.

    Args:
        prepare: From a summary to the tidy data that are drawn; no rows where there is nothing to draw.
        draw: Draws prepared data on the caller's axes (one, or a sequence of them: each figure's module says).
        compose: From prepared data, and a :class:`PageWidth` if need be, to a new canvas.
        caption: Estimand, n, interval and test, in sentences; from a summary and the prepared data.
        absence: Why ``prepare`` gives no rows, as the end of a sentence, where the study does not say why it leaves the
            question of the figure's name unanswered.
    """

    prepare: Callable[[Summary], pd.DataFrame]
    draw: Callable[[Any, pd.DataFrame], None]
    compose: Callable[..., Canvas]
    caption: Callable[[Summary, pd.DataFrame], str]
    absence: str = "no seed has finished what it needs"


@dataclass(frozen=True)
class FigureKind:
    """A figure that studies may have.

    Args:
        name: Its name, which is that of its files.
        figure: The figure, or the dotted path of one, such as ``"my_package.plots.SCATTER"``.
        studies: Which studies have it by default; any study has it that asks for it.
    """

    name: str
    figure: str | Figure
    studies: Studies = "design"

    def load(self) -> Figure:
        """The figure, imported if need be."""
        if not isinstance(self.figure, str):
            return self.figure
        loaded: Figure = load_object(self.figure, self.name, "my_package.plots.SCATTER")
        return loaded

    def absence(self, summary: Summary) -> str:
        """Why there is nothing to draw of a study for which ``prepare`` gives no rows, as the end of a sentence."""
        reason = summary.answers.refused.get(self.name, self.load().absence)
        return f"{reason[0].lower()}{reason[1:]}".rstrip(".")


FIGURES: Registry[FigureKind] = Registry("figure", "ablate.figures")
"""All figures by name, the main one first.

Installed packages add figures of their own by entry points of the group ``ablate.figures`` that name a
:class:`FigureKind`.
"""

register_figure = FIGURES.register

for _kind in (
    FigureKind("forest", "ablate.figures.forest.FOREST", "every"),
    FigureKind("effects", "ablate.figures.effects.EFFECTS", "every"),
    FigureKind("main_effects", "ablate.figures.forest.MAIN_EFFECTS"),
    FigureKind("interactions", "ablate.figures.interactions.INTERACTIONS"),
    FigureKind("shapley", "ablate.figures.waterfall.SHAPLEY"),
    FigureKind("roadmap", "ablate.figures.waterfall.ROADMAP"),
    FigureKind("half_normal", "ablate.figures.half_normal.HALF_NORMAL", "unreplicated"),
    FigureKind("datasets", "ablate.figures.datasets.DATASETS", "blocks"),
    FigureKind("curves", "ablate.figures.curves.CURVES", "every"),
    FigureKind("difference_curves", "ablate.figures.difference_curves.DIFFERENCE_CURVES", "every"),
    FigureKind("losses", "ablate.figures.losses.LOSSES", "chosen"),
    FigureKind("confusion", "ablate.figures.confusion.CONFUSION", "chosen"),
    FigureKind("class_accuracy", "ablate.figures.class_accuracy.CLASS_ACCURACY", "chosen"),
    FigureKind("seeds", "ablate.figures.seeds.SEEDS", "every"),
    FigureKind("cost", "ablate.figures.cost.COST", "every"),
):
    register_figure(_kind)


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
    varied = [factor for factor in plan.factors if not factor.block]
    # With one ingredient its effect is the whole answer.
    designs = designs_of(plan.study.design) if len(varied) > 1 else ()
    # Looked up, since a figure of an installed package is registered only then.
    named = {name for design in designs for name in design.figures if name in FIGURES}
    has_blocks = len(varied) < len(plan.factors)
    return tuple(
        name
        for name, kind in FIGURES.items()
        if kind.studies == "every"
        or (kind.studies == "blocks" and has_blocks)
        or (name in named and (kind.studies != "unreplicated" or len(plan.study.seeds) == 1))
    )


@dataclass(frozen=True)
class PageWidth:
    """How wide the columns of a page are, in inches.

    Args:
        column: One column, for small figures.
        text: The whole text, for figures of several panels; equal to ``column`` where there is one column only.
    """

    column: float
    text: float


PAGE_WIDTHS: Mapping[str, PageWidth] = {
    # 3.35 inches fit one column, and 6.75 both, of IEEE, ACM, ICML, CVPR and Elsevier alike.
    "auto": PageWidth(3.35, 6.75),
    "one": PageWidth(3.35, 3.35),
    "two": PageWidth(6.75, 6.75),
    "aaai": PageWidth(3.3, 7.0),
    "acl": PageWidth(3.03, 6.3),
    "acm": PageWidth(3.33, 7.0),
    "cvpr": PageWidth(3.25, 6.875),
    "elsevier": PageWidth(3.54, 7.48),
    "iclr": PageWidth(5.5, 5.5),
    "icml": PageWidth(3.25, 6.75),
    "ieee": PageWidth(3.5, 7.16),
    "jmlr": PageWidth(6.0, 6.0),
    "lncs": PageWidth(4.8, 4.8),
    "nature": PageWidth(3.5, 7.2),
    "neurips": PageWidth(5.5, 5.5),
}
"""Widths by name, as the templates of the venues have them: ``auto`` for either one column or both, as a figure needs,
``one`` and ``two`` for always one or both, or a venue."""

DEFAULT_WIDTH = "auto"
DEFAULT_PAGE = PAGE_WIDTHS[DEFAULT_WIDTH]


def choice_faults(figures: Any, width: Any = None) -> list[str]:
    """What is wrong with a choice of figures.

    Args:
        figures: A name of a figure or several, or None for those that the design calls for.
        width: A name of :data:`PAGE_WIDTHS`, or None for the default.

    Returns:
        A sentence a fault; empty if there is none.

    Example:
        >>> choice_faults(["forest"], "neurips2026")[0].endswith("neurips. Did you mean 'neurips'?")
        True
    """
    faults = []
    for name in [figures] if isinstance(figures, str) or not isinstance(figures, Sequence) else figures:
        if name is not None and name not in FIGURES:
            names = ", ".join(sorted(FIGURES))
            faults.append(f"Unknown figure '{name}'. Figures: {names}.{suggestion(str(name), FIGURES)}")
    if width is not None and width not in PAGE_WIDTHS:
        faults.append(
            f"Unknown width '{width}'. Widths: {', '.join(PAGE_WIDTHS)}.{suggestion(str(width), PAGE_WIDTHS)}"
        )
    return faults
