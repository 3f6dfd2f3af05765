"""Which figures there are, which of them a study gets, and how wide they are.

A choice is checked before the first run, without the half second that matplotlib takes: names and widths are known
here, a figure itself is loaded when it is drawn. A further figure is a module and one line of registration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from ablate.errors import ConfigError, suggestion
from ablate.objects import load_object
from ablate.study import Plan, designs_of

if TYPE_CHECKING:
    from ablate.figures.figure import Figure

Studies = Literal["every", "blocks", "design"]
"""Which studies have a figure by default: all, those with a block (a data set), or those whose design names it."""

_ENTRY_POINTS = "ablate.figures"


class FigureRegistry(Mapping[str, "Figure"]):
    """Figures by name, each loaded when it is used.

    Installed packages add figures by entry points of the group ``ablate.figures``. They are looked up only when a name
    is not among the others, or all are listed.
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str | Figure, Studies]] = {}
        self._has_entry_points = False

    def register(self, name: str, figure: str | Figure, studies: Studies = "design") -> None:
        """Add a figure, which stands behind those that are there.

        Args:
            name: Its name, which is that of its files.
            figure: The figure, or the dotted path of one, such as ``"my_package.plots.SCATTER"``.
            studies: Which studies have it by default; any study has it that asks for it.

        Raises:
            ConfigError: If there is another one of that name.
        """
        if name in self._entries:
            raise ConfigError(f"There is a figure '{name}' already.")
        self._entries[name] = (figure, studies)

    def unregister(self, name: str) -> None:
        """Take a figure out again."""
        del self._entries[name]

    def defaults(self, names: set[str], has_blocks: bool) -> tuple[str, ...]:
        """The figures that a study has by default, in order.

        Args:
            names: Those that its design names.
            has_blocks: Whether the study has blocks.
        """
        return tuple(
            name
            for name, (_, studies) in self._all().items()
            if studies == "every" or (studies == "blocks" and has_blocks) or name in names
        )

    def __getitem__(self, name: str) -> Figure:
        figure = (self._entries if name in self._entries else self._all())[name][0]
        if not isinstance(figure, str):
            return figure
        loaded: Figure = load_object(figure, name, "my_package.plots.SCATTER")
        return loaded

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, tuple[str | Figure, Studies]]:
        if not self._has_entry_points:
            self._has_entry_points = True
            # Imported here: it takes longer than everything else in this module.
            for point in import_module("importlib.metadata").entry_points(group=_ENTRY_POINTS):
                self._entries.setdefault(point.name, (point.value.replace(":", "."), "design"))
        return self._entries


FIGURES = FigureRegistry()
"""All figures by name, the main one first."""

register_figure = FIGURES.register

register_figure("forest", "ablate.figures.forest.FOREST", "every")
register_figure("effects", "ablate.figures.effects.EFFECTS", "every")
register_figure("main_effects", "ablate.figures.main_effects.MAIN_EFFECTS")
register_figure("interactions", "ablate.figures.interactions.INTERACTIONS")
register_figure("shapley", "ablate.figures.shapley.SHAPLEY")
register_figure("roadmap", "ablate.figures.roadmap.ROADMAP")
register_figure("datasets", "ablate.figures.datasets.DATASETS", "blocks")
register_figure("curves", "ablate.figures.curves.CURVES", "every")
register_figure("difference_curves", "ablate.figures.difference_curves.DIFFERENCE_CURVES", "every")
register_figure("seeds", "ablate.figures.seeds.SEEDS", "every")
register_figure("cost", "ablate.figures.cost.COST", "every")


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
    return FIGURES.defaults({name for design in designs for name in design.figures}, len(varied) < len(plan.factors))


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
