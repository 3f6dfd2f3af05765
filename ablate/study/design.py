"""Designs: which cells a study has, which questions these answer, and which figures and tables show the answers.

A design is a value in the registry :data:`DESIGNS`. A package adds its own by the entry-point group
``ablate.designs``, a script with ``DESIGNS.register(Design(...))``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ablate.errors import DesignError, suggestion
from ablate.objects import Registry, load_object
from ablate.study import layout as layouts
from ablate.study.layout import Combination, DesignSpace, Layout


@dataclass(frozen=True)
class Design:
    """Which cells a study has and which questions they answer, in addition to the effect of each cell.

    Args:
        name: What ``study.design`` calls it; without a plus sign, which joins designs.
        description: What it is for, in one line.
        layout: The function from a :class:`DesignSpace` to the :class:`Layout`, or its dotted path where it is to be
            imported only when it is used.
        questions: Names of the further questions it is made to answer, of :data:`ablate.analysis.answers.QUESTIONS`:
            ``"roadmap"``, ``"main_effects"``, ``"interactions"``, ``"shapley"``. Where a study's cells or runs do not
            allow one of them after all, its report says why.
        anova_order: Highest order of the interactions that its analysis of variance fits, 1 for main effects alone;
            None where it has none.
        figures: Names of the figures that answer it, in addition to those of every study.
        tables: Names of the tables that answer it, in addition to those of every study.
        takes_every_level: Whether its cells have all levels of a factor, and not only the reference and the last.

    Example:
        >>> DESIGNS["cumulative"].questions
        ('roadmap',)
    """

    name: str
    description: str
    layout: Callable[[DesignSpace], Layout] | str
    questions: tuple[str, ...] = ()
    anova_order: int | None = None
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    takes_every_level: bool = False


DESIGNS: Registry[Design] = Registry("design", group="ablate.designs")
"""All designs by name."""

_MODEL_TABLES = ("anova", "least_squares")
_GRID = ("main_effects", "interactions", "shapley")

for _design in (
    Design("leave_one_out", "the full network, and each part taken away alone", layouts.leave_one_out),
    Design(
        "one_factor_at_a_time",
        "the full network, and every other level of each factor alone",
        layouts.one_factor_at_a_time,
        takes_every_level=True,
    ),
    Design("add_one_in", "the network without any part, and each part put back alone", layouts.add_one_in),
    Design("baseline", "the full network, and the one without any part", layouts.baseline),
    Design(
        "cumulative",
        "a roadmap: from the network without any part, one after the other put back",
        layouts.cumulative,
        questions=("roadmap",),
        figures=("roadmap",),
        tables=("roadmap",),
    ),
    Design(
        "pairs",
        "each part taken away alone, and every two together",
        layouts.pairs,
        questions=("main_effects", "interactions"),
        figures=("main_effects", "interactions"),
        tables=("main_effects", "interactions"),
    ),
    Design(
        "factorial",
        "every combination of all levels",
        layouts.factorial,
        questions=_GRID,
        anova_order=9,
        figures=(*_GRID, "half_normal"),
        # The cells of a roadmap are among those of the grid.
        tables=("roadmap", *_GRID, *_MODEL_TABLES),
        takes_every_level=True,
    ),
    # Of a fraction main effects follow from a linear model: hardly any two of its cells differ in one factor only.
    # Shapley values need every combination; since readers look for them here as well, the question is among them, and
    # the report says why there is no answer.
    Design(
        "fractional",
        "an orthogonal fraction of the grid of two-level factors",
        "ablate.study.fraction.fractional",
        questions=("main_effects", "shapley"),
        anova_order=2,
        figures=("main_effects", "half_normal"),
        tables=("main_effects", *_MODEL_TABLES),
    ),
    Design(
        "screening",
        "the fewest cells for the main effects of many two-level factors (Plackett-Burman)",
        "ablate.study.fraction.screening",
        questions=("main_effects", "shapley"),
        anova_order=1,
        figures=("main_effects", "half_normal"),
        tables=("main_effects", *_MODEL_TABLES),
    ),
    Design(
        "optimal",
        "a chosen number of cells for the main effects of any factors under constraints (D-optimal)",
        "ablate.study.fraction.optimal",
        questions=("main_effects", "shapley"),
        anova_order=1,
        figures=("main_effects", "half_normal"),
        tables=("main_effects", *_MODEL_TABLES),
        takes_every_level=True,
    ),
    Design(
        "latin_square",
        "three or more factors of equally many levels, every two levels of two factors once: main effects alone",
        "ablate.study.fraction.latin_square",
        questions=("main_effects", "shapley"),
        anova_order=1,
        figures=("main_effects",),
        tables=("main_effects", *_MODEL_TABLES),
        takes_every_level=True,
    ),
):
    DESIGNS.register(_design)


def designs_of(name: str) -> tuple[Design, ...]:
    """The designs that a study's design joins.

    Args:
        name: Of a design or of a union with ``+``. Parts that are not registered, such as ``confirmation``, are left
            out.

    Example:
        >>> [design.name for design in designs_of("leave_one_out+add_one_in")], designs_of("confirmation")
        (['leave_one_out', 'add_one_in'], ())
    """
    return tuple(DESIGNS[part.strip()] for part in name.split("+") if part.strip() in DESIGNS)


CONFIRMATION = "confirmation"
"""What the design of a confirmation is called in its plan."""

AS_FOUND = "as found"
"""What the design of adopted results is called that are no design known here."""


def model_order(design: str) -> int | None:
    """Highest order of the interactions in the model of a design, None where it has none.

    Args:
        design: Name of a design or a union, or :data:`AS_FOUND`, which has main effects alone.

    Example:
        >>> model_order("leave_one_out"), model_order("leave_one_out+fractional"), model_order("as found")
        (None, 2, 1)
    """
    if design == AS_FOUND:
        return 1
    return max((part.anova_order for part in designs_of(design) if part.anova_order is not None), default=None)


def is_fraction(design: str) -> bool:
    """Whether a design estimates main effects by its model, since few of its cells differ in one factor only.

    Example:
        >>> is_fraction("screening"), is_fraction("factorial"), is_fraction("pairs")
        (True, False, False)
    """
    parts = designs_of(design)
    return model_order(design) is not None and all("interactions" not in part.questions for part in parts)


def lay_out(design: str, space: DesignSpace) -> Layout:
    """The combinations of levels that a design or a union of designs chooses.

    Args:
        design: A name of :data:`DESIGNS`, or several joined by ``+``, such as ``"leave_one_out+add_one_in"``.
        space: What it chooses from.

    Returns:
        The combinations in the order of the designs; duplicates are not removed here.

    Raises:
        DesignError: If a name is unknown, or a design is not possible with these factors.
    """
    unknown = [name for part in design.split("+") if (name := part.strip()) not in DESIGNS]
    if unknown:
        known = f"Designs: {', '.join(DESIGNS)}, and unions of them with '+'."
        raise DesignError("\n".join(f"Unknown design '{name}'. {known}{suggestion(name, DESIGNS)}" for name in unknown))
    combinations: list[Combination] = []
    notes: list[str] = []
    for part in designs_of(design):
        choose = load_object(part.layout, f"design {part.name}") if isinstance(part.layout, str) else part.layout
        chosen = choose(space)
        combinations += chosen.combinations
        notes += chosen.notes
    return Layout(tuple(combinations), tuple(notes))
