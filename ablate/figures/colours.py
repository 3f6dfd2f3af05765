"""Colours, lines and markers: one colour a factor in all figures of a study, one style a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from ablate.study import Plan

BLACK = "#000000"

# The palette of M. Okabe and K. Ito, Color Universal Design (2008), without its yellow, which vanishes on white paper;
# black is the reference's.
_COLOURS = ("#D55E00", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
_GREYS = ("#A8A8A8", "#4D4D4D", "#8A8A8A", "#6B6B6B")
_MARKERS = ("s", "^", "D", "v", "P", "X", "*")
# For each further level of a factor how much of its colour remains, and the grey with which it is mixed.
_SHADES = ((1.0, 1.0), (0.6, 0.0), (0.55, 1.0), (0.35, 0.0))

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
    """How a cell, or a verdict, differs from others, each of the three being enough: grey prints stay readable.

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
    "helps, below the margin": SeriesStyle("#5B7FA8", "solid", "v"),
    "better": SeriesStyle("#004488", "solid", "o"),
    "better, below the margin": SeriesStyle("#5B7FA8", "solid", "v"),
    "hurts": SeriesStyle("#BB5566", "solid", "X"),
    "hurts, below the margin": SeriesStyle("#A8707A", "solid", "P"),
    "worse": SeriesStyle("#BB5566", "solid", "X"),
    "worse, below the margin": SeriesStyle("#A8707A", "solid", "P"),
    "no effect": SeriesStyle("#8F6C00", "solid", "s"),
    "no difference": SeriesStyle("#8F6C00", "solid", "s"),
    "dispensable": SeriesStyle("#8F6C00", "solid", "D"),
    "not worse": SeriesStyle("#8F6C00", "solid", "D"),
    "undecided": SeriesStyle("#6E6E6E", "solid", "o"),
}
"""The style of each verdict; the marker of ``undecided`` is hollow."""


def verdict_style(verdict: str) -> SeriesStyle:
    """The style of a verdict; what follows a comma in it changes nothing."""
    return VERDICT_STYLES[verdict.partition(",")[0]]


def factor_colours(plan: Plan) -> dict[str, str]:
    """A colour for every factor that is no block, by its place among them: it stays when a study grows.

    After six factors colours return; lines and markers then tell them apart.

    Args:
        plan: The plan.
    """
    names = [factor.name for factor in plan.factors if not factor.block]
    return {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(names)}


def cell_styles(plan: Plan) -> dict[str, SeriesStyle]:
    """The style of every cell by its label, the same in all figures.

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
    factors = {factor.name: factor for factor in plan.factors if not factor.block}
    colours = factor_colours(plan)
    combinations: dict[tuple[str, ...], int] = {}
    styles = {}
    for cell in plan.cells:
        changed = tuple(name for name in cell.changed if name in factors)
        if not changed:
            styles[cell.label] = SeriesStyle(BLACK, "solid", "o")
            continue
        if len(changed) == 1:
            factor = factors[changed[0]]
            shade = [level.label for level in factor.alternatives].index(cell.levels[factor.name])
            place = list(factors).index(factor.name) + shade
            colour = mixed(colours[factor.name], *_cyclic(_SHADES, shade))
        else:
            levels = tuple(f"{name}={cell.levels[name]}" for name in changed)
            place = combinations.setdefault(levels, len(combinations) + 1)
            colour = _cyclic(_GREYS, place)
        # The lists have lengths that share no divisor but 1 with the next: 140 cells that differ in several factors
        # pass before a style returns.
        styles[cell.label] = SeriesStyle(colour, _cyclic(_BROKEN, place), _cyclic(_MARKERS, place))
    return styles


def mixed(colour: str, share: float, grey: float = 1.0) -> str:
    """A colour mixed with white, or with another grey.

    Args:
        colour: As matplotlib takes it.
        share: How much of the colour remains.
        grey: From 0 for black to 1 for white.

    Example:
        >>> mixed("#000000", 0.2)
        '#CCCCCC'
    """
    red, green, blue = (share * part + (1 - share) * grey for part in to_rgb(colour))
    return str(to_hex((red, green, blue))).upper()


def _cyclic(values: tuple[Any, ...], place: int) -> Any:
    return values[place % len(values)]
