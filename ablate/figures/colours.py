"""Colours, lines and markers: one colour a factor in all figures of a study, one style a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from ablate.study import Cell, Plan

BLACK = "#000000"

# The palette of M. Okabe and K. Ito, Color Universal Design (2008), without its yellow, which vanishes on white paper;
# black is the reference's.
_COLOURS = ("#D55E00", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
_GREYS = ("#4D4D4D", "#8A8A8A", "#6B6B6B", "#A8A8A8")
_MARKERS = ("s", "^", "D", "v", "P", "X", "*")
_SHADES = (0.0, -0.4, 0.45, -0.65)

LINES: Mapping[str, Any] = {
    "solid": "-",
    "dashed": "--",
    "dashdot": "-.",
    "dotted": (0, (1, 1)),
    "long dashed": (0, (5, 1)),
    "dash dot dot": (0, (3, 1, 1, 1, 1, 1)),
}
"""Lines by name, as matplotlib draws them."""
_BROKEN = tuple(name for name in LINES if name != "solid")


@dataclass(frozen=True)
class SeriesStyle:
    """How a cell, or a verdict, is told from others: by any one of three, so that grey prints stay readable.

    Args:
        colour: As ``#rrggbb``.
        line: A name of :data:`LINES`.
        marker: A marker of matplotlib.
    """

    colour: str
    line: str
    marker: str


# The high-contrast palette of P. Tol, Colour Schemes (2021), which no factor shares: a claim stands out, none is grey.
VERDICT_STYLES: Mapping[str, SeriesStyle] = {
    "helps": SeriesStyle("#004488", "solid", "o"),
    "hurts": SeriesStyle("#BB5566", "solid", "X"),
    "no effect": SeriesStyle("#8F6C00", "solid", "s"),
    "dispensable": SeriesStyle("#8F6C00", "solid", "D"),
    "undecided": SeriesStyle("#6E6E6E", "solid", "o"),
}
"""The style of each verdict; the marker of ``undecided`` is hollow."""


def factor_colours(plan: Plan) -> dict[str, str]:
    """A colour for every factor that is no block, by its place among them: it stays when a study grows.

    After six factors colours return; lines and markers then tell them apart.

    Args:
        plan: The plan.
    """
    names = [factor.name for factor in plan.factors if not factor.block]
    return {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(names)}


def cell_styles(plan: Plan) -> dict[str, SeriesStyle]:
    """The style of every cell by its label, whatever is drawn beside it.

    A cell that differs from its reference in one factor has the colour of that factor, further levels of the factor a
    darker or lighter shade of it. A cell that differs in several factors is grey, as its effect is that of none of
    them; a reference is black and solid. Cells that differ only in the block (the data set) have the same style.

    Args:
        plan: The plan.

    Example:
        >>> from ablate.study import Factor, Level, Study, make_plan
        >>> factors = [Factor(name, (Level("true"), Level("false")), "true") for name in "ab"]
        >>> styles = cell_styles(make_plan(Study("demo", "factorial", (0, 1), "score"), factors))
        >>> [(cell, style.colour, style.line) for cell, style in styles.items()]  # doctest: +NORMALIZE_WHITESPACE
        [('full', '#000000', 'solid'), ('w/o b', '#0072B2', 'dashdot'), ('w/o a', '#D55E00', 'dashed'),
         ('w/o a, w/o b', '#4D4D4D', 'dashdot')]
    """
    colours = factor_colours(plan)
    places = {name: place for place, name in enumerate(colours)}
    combinations: dict[tuple[str, ...], int] = {}
    styles = {}
    for cell in plan.cells:
        changed = tuple(name for name in cell.changed if name in places)
        if not changed:
            styles[cell.label] = SeriesStyle(BLACK, "solid", "o")
        elif len(changed) == 1:
            place, shade = places[changed[0]], _level_index(plan, cell, changed[0])
            step = place + shade
            styles[cell.label] = SeriesStyle(
                _shaded(colours[changed[0]], shade), _nth(_BROKEN, step), _nth(_MARKERS, step)
            )
        else:
            levels = tuple(f"{name}={cell.levels[name]}" for name in changed)
            place = combinations.setdefault(levels, len(combinations))
            # The three lists have lengths that share no divisor but 1 with the next: 140 cells pass before a style
            # returns.
            styles[cell.label] = SeriesStyle(_nth(_GREYS, place), _nth(_BROKEN, place + 1), _nth(_MARKERS, place + 1))
    return styles


def paler(colour: str, share: float = 0.3) -> str:
    """A colour mixed with white.

    Args:
        colour: As matplotlib takes it.
        share: How much of the colour remains.

    Example:
        >>> paler("#000000", 0.2)
        '#cccccc'
    """
    return str(to_hex(_mixed(colour, share, 1.0)))


def _mixed(colour: str, share: float, other: float) -> tuple[float, float, float]:
    red, green, blue = (share * part + (1 - share) * other for part in to_rgb(colour))
    return red, green, blue


def _level_index(plan: Plan, cell: Cell, name: str) -> int:
    factor = next(factor for factor in plan.factors if factor.name == name)
    return [level.label for level in factor.alternatives].index(cell.levels[name])


def _shaded(colour: str, index: int) -> str:
    shade = _nth(_SHADES, index)
    if shade == 0:
        return colour
    if shade > 0:
        return paler(colour, 1 - shade)
    return str(to_hex(_mixed(colour, 1 + shade, 0.0)))


def _nth(values: tuple[Any, ...], place: int) -> Any:
    return values[place % len(values)]
