"""Which ingredients depend on each other: a map of the interactions of all pairs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ablate.analysis import Summary
from ablate.analysis.verdicts import ALPHA
from ablate.captions import inference_sentences
from ablate.figures.figure import Canvas
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import direction_label, wrapped
from ablate.formatting import decimal_places, seed_count, typographic
from ablate.study import Factor, Plan, cell_of

_COLUMNS = "row column row_label column_label difference low high n p_adjusted pairs metric direction".split()
# Blue and orange stay apart for all eyes; both ends are equally dark, so that grey prints show the size.
_MAP = "PuOr_r"
_PALE = "#F7F7F7"
_SIDE, _LEAST_SIDE = 0.52, 0.36
_LEAST_HEIGHT = 1.15
_BAR = 0.75
_LETTER = 0.055
_LABEL_WIDTH = 18
_MOST_LINES = 3
"""As many lines of a label as the least side of a square bears."""


def prepare(summary: Summary) -> pd.DataFrame:
    """The squares of the map.

    Returns:
        A row for every pair of changes that cells cross: ``row`` and ``column`` (places among all changes),
        ``row_label`` and ``column_label``, ``difference`` (the effect of both changes beyond the sum of the single
        ones, in units of the metric) with its interval ``low`` to ``high``, ``n`` seeds, Holm-adjusted ``p_adjusted``,
        number of ``pairs`` averaged over, ``metric``, ``direction``.
    """
    estimates = summary.answers.given.get("interactions")
    if estimates is None:
        return pd.DataFrame(columns=_COLUMNS)
    table, changes = estimates.table, _changes(summary.plan)
    # Names may hold colons, so those of the table are looked up and not taken apart.
    names = {
        (f"{a.name}:{b.name}", f"{x}:{y}"): (one, two)
        for (one, (a, x, _)), (two, (b, y, _)) in itertools.combinations(enumerate(changes), 2)
        if a is not b
    }
    pairs = [names[key] for key in zip(table["factor"], table["level"], strict=True)]
    rank = {change: place for place, change in enumerate(sorted({change for pair in pairs for change in pair}))}
    data = table.assign(
        row=[rank[two] for _, two in pairs],
        column=[rank[one] for one, _ in pairs],
        row_label=[changes[two][2] for _, two in pairs],
        column_label=[changes[one][2] for one, _ in pairs],
        metric=summary.study.metric,
        direction=summary.study.direction,
    )
    return data[data["n"] > 0].reset_index(drop=True)[_COLUMNS]


def _changes(plan: Plan) -> list[tuple[Factor, str, str]]:
    """Every change of one factor, with its label."""
    single = [(factor, level.label) for factor in plan.factors if not factor.block for level in factor.alternatives]
    return [(factor, level, cell_of({factor.name: level}, [factor]).label) for factor, level in single]


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the map: a square a pair, coloured where its interval excludes zero.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its pairs.
    """
    top = float(data["difference"].abs().max()) or 1.0
    shades = Normalize(-top, top)
    small = data[["row", "column"]].max().max() > 9
    for row in data.to_dict("records"):
        clear = row["low"] > 0 or row["high"] < 0
        face = colormaps[_MAP](shades(row["difference"])) if clear else _PALE
        corner = (row["column"] - 0.5, row["row"] - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, facecolor=face, edgecolor="white", linewidth=1))
        dark = clear and abs(row["difference"]) > 0.62 * top
        colour = "white" if dark else ("black" if clear else "0.5")
        star = "*" if row["p_adjusted"] <= ALPHA else ""
        number = _number(row["difference"], row["low"], row["high"]) + star
        ax.text(row["column"], row["row"], number, ha="center", va="center", fontsize=5 if small else 6, color=colour)
    rows = data.drop_duplicates("row").sort_values("row")
    columns = data.drop_duplicates("column").sort_values("column")
    ax.set_xticks(columns["column"], _wrapped_labels(columns["column_label"]), rotation=90)
    ax.set_yticks(rows["row"], _wrapped_labels(rows["row_label"]))
    ax.set_xlim(columns["column"].min() - 0.5, columns["column"].max() + 0.5)
    ax.set_ylim(rows["row"].max() + 0.5, rows["row"].min() - 0.5)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _wrapped_labels(labels: Iterable[str]) -> list[str]:
    """Labels on several lines, none on more than stand beside each other in a row of squares."""
    texts = list(labels)
    width = _LABEL_WIDTH
    while any(wrapped(label, width).count("\n") >= _MOST_LINES for label in texts):
        width += 1
    return [wrapped(label, width) for label in texts]


def _number(value: float, low: float, high: float) -> str:
    """A number with as many decimals as its interval leaves it, without the zero before the point."""
    if value == 0:
        return "0"
    half = (high - low) / 2
    places = min(4, max(0, decimal_places(half, 2))) if half > 0 else 3
    text = f"{value:+.{places}f}" if 1e-4 <= abs(value) < 1e4 else f"{value:+.1e}"
    return typographic(text.replace("+0.", "+.").replace("-0.", "-."))


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The map in one column of a page where its squares fit, else as wide as the text, with its scale."""
    across, down = data["column"].nunique(), data["row"].nunique()
    left, below = (_LETTER * _longest_line(data[f"{side}_label"]) + 0.15 for side in ("row", "column"))
    width = page.column if left + _BAR + across * _LEAST_SIDE <= page.column else page.text
    side = min(_SIDE, (width - left - _BAR) / across)
    canvas = Canvas(width, below + max(side * down, _LEAST_HEIGHT) + 0.1)
    ax = canvas.subplots()
    draw(ax, data)
    _add_colour_bar(canvas, ax, data)
    return canvas


def _longest_line(labels: pd.Series) -> int:
    return max(len(line) for head in _wrapped_labels(labels.unique()) for line in head.split("\n"))


def _add_colour_bar(canvas: Canvas, ax: Axes, data: pd.DataFrame) -> None:
    top = float(data["difference"].abs().max()) or 1.0
    bar = canvas.colorbar(ScalarMappable(Normalize(-top, top), _MAP), ax=ax, shrink=0.9, aspect=18, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)
    bar.locator = MaxNLocator(5)
    bar.update_ticks()
    metric = wrapped(f"interaction in {data['metric'].iloc[0]}".replace("_", " "), 20)
    bar.set_label(direction_label(metric, data["direction"].iloc[0], gap=2), fontsize=6.5)


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the map shows: estimand, n, interval, test."""
    estimates = summary.answers.given["interactions"]
    stated = f"Pale: the interval includes zero ({{interval}}). Star: p ≤ {ALPHA:g} ({{test}})."
    return (
        f"Interactions in {summary.study.metric} in the study {summary.study.name} ({summary.study.design}): the "
        "effect of both changes beyond the sum of each alone, averaged over all settings of the other factors in "
        f"which all four cells exist, paired by seed ({seed_count(data['n'])}). "
        + inference_sentences(estimates, data["low"], len(data), stated, "interaction")
    )


INTERACTIONS = Figure(prepare, draw, compose, caption)
