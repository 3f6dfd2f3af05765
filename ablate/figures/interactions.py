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
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.figures.figure import Figure
from ablate.figures.panels import records
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.sheet import Sheet
from ablate.figures.style import wrapped
from ablate.figures.wording import refusal, sides
from ablate.study import Factor, Plan

__all__ = ["INTERACTIONS", "caption", "compose", "draw", "prepare"]

_COLUMNS = (
    *("row", "column", "row_label", "column_label", "difference", "low", "high", "n", "p_adjusted", "pairs"),
    *("metric", "direction"),
)
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
    given = summary.answers.given.get("interactions")
    if given is None:
        return pd.DataFrame(columns=list(_COLUMNS))
    # Names may hold colons, so the words of the table are looked up and not taken apart.
    names = _names(summary.plan)
    keys = list(zip(given.table["factor"], given.table["level"], strict=True))
    places = [names[key] for key in keys]
    used = sorted({change for pair in places for change in pair})
    rank = {change: place for place, change in enumerate(used)}
    labels = [label for _, _, label in _changes(summary.plan)]
    data = given.table.assign(
        row=[rank[two] for _, two in places],
        column=[rank[one] for one, _ in places],
        row_label=[labels[two] for _, two in places],
        column_label=[labels[one] for one, _ in places],
        metric=summary.study.metric,
        direction=summary.study.direction,
    )
    return data[data["n"] > 0].reset_index(drop=True)[list(_COLUMNS)]


def _changes(plan: Plan) -> list[tuple[Factor, str, str]]:
    """Every change of one factor, with its label."""
    found = []
    for factor in plan.factors:
        for level in () if factor.block else factor.alternatives:
            binary = {factor.reference, level.label} == {"true", "false"}
            label = f"{'w/o' if level.label == 'false' else 'with'} {factor.name}"
            found.append((factor, level.label, label if binary else f"{factor.name}={level.label}"))
    return found


def _names(plan: Plan) -> dict[tuple[str, str], tuple[int, int]]:
    changes = list(enumerate(_changes(plan)))
    return {
        (f"{a.name}:{b.name}", f"{x}:{y}"): (one, two)
        for (one, (a, x, _)), (two, (b, y, _)) in itertools.combinations(changes, 2)
        if a is not b
    }


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the map: a square a pair, coloured where its interval excludes zero.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its pairs.
    """
    top = float(data["difference"].abs().max()) or 1.0
    shades = Normalize(-top, top)
    small = data[["row", "column"]].max().max() > 9
    for row in records(data):
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
    ax.set_xticks(columns["column"], _heads(columns["column_label"]), rotation=90)
    ax.set_yticks(rows["row"], _heads(rows["row_label"]))
    ax.set_xlim(columns["column"].min() - 0.5, columns["column"].max() + 0.5)
    ax.set_ylim(rows["row"].max() + 0.5, rows["row"].min() - 0.5)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _heads(labels: Iterable[str]) -> list[str]:
    """Labels on several lines, none on more than stand beside each other in a row of squares."""
    known = list(labels)
    for width in itertools.count(_LABEL_WIDTH):
        heads = [wrapped(label, width) for label in known]
        if all(head.count("\n") < _MOST_LINES for head in heads):
            break
    return heads


def _number(value: float, low: float, high: float) -> str:
    """A number with as many decimals as its interval leaves it, without the zero before the point."""
    if value == 0:
        return "0"
    half = (high - low) / 2
    places = 3 if not half > 0 else min(4, max(0, 1 - int(f"{half:.1e}".split("e")[1])))
    text = f"{value:+.{places}f}" if 1e-4 <= abs(value) < 1e4 else f"{value:+.1e}"
    return text.replace("+0.", "+.").replace("-0.", "-.").replace("-", "−")


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """The map in one column of a paper where its squares fit, else as wide as the text, with its scale."""
    across, down = data["column"].nunique(), data["row"].nunique()
    left, below = (_LETTER * _longest(data[f"{side}_label"]) + 0.15 for side in ("row", "column"))
    width = paper.column if left + _BAR + across * _LEAST_SIDE <= paper.column else paper.text
    side = min(_SIDE, (width - left - _BAR) / across)
    sheet = Sheet(width, below + max(side * down, _LEAST_HEIGHT) + 0.1)
    ax = sheet.subplots()
    draw(ax, data)
    _scale(sheet, ax, data)
    return sheet


def _longest(labels: pd.Series) -> int:
    return max(len(line) for head in _heads(labels.unique()) for line in head.split("\n"))


def _scale(sheet: Sheet, ax: Axes, data: pd.DataFrame) -> None:
    top = float(data["difference"].abs().max()) or 1.0
    bar = sheet.colorbar(ScalarMappable(Normalize(-top, top), _MAP), ax=ax, shrink=0.9, aspect=18, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)
    bar.locator = MaxNLocator(5)
    bar.update_ticks()
    less, more = sides(data["direction"].iloc[0])
    metric = wrapped(f"interaction in {data['metric'].iloc[0]}".replace("_", " "), 20)
    bar.set_label(f"{metric}\n← {less}  {more} →", fontsize=6.5)


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the map shows: estimand, n, interval, test."""
    data = prepare(summary) if data is None else data
    sentences = [
        f"Interactions in {summary.study.metric} in the study {summary.study.name} ({summary.study.design}): the "
        "effect of both changes beyond the sum of each alone, averaged over all settings of the other factors in "
        f"which all four cells exist, paired by seed ({seed_count(data['n'])})."
    ]
    if data["low"].notna().any():
        sentences.append(
            f"Pale: the {LEVEL:.0%} t interval, unadjusted, includes zero. Star: t test over seeds, Holm-adjusted over "
            f"{len(data)} interaction{'' if len(data) == 1 else 's'}, p ≤ {ALPHA:g}."
        )
    else:
        sentences.append("All are pale: too few seeds, or no spread between them, for an interval or test.")
    return " ".join(sentences)


def _absence(summary: Summary) -> str:
    return refusal(summary, "interactions")


INTERACTIONS = Figure("interactions", prepare, draw, compose, caption, _absence)
