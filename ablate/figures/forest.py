"""The main figure: what every ingredient contributes, with its interval, the margin and the verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.notes import seed_count
from ablate.figures.colours import VERDICT_LOOKS
from ablate.figures.figure import Figure
from ablate.figures.panels import plain_numbers, records
from ablate.figures.paper import DEFAULT, PAPERS, Paper
from ablate.figures.rows import MOST_ROWS, beside, put_labels, zero_line
from ablate.figures.sheet import Sheet
from ablate.figures.style import LINE_HEIGHT, spoken, wrapped
from ablate.figures.wording import (
    block_label,
    contribution_ends,
    ingredient_label,
    interval_text,
    interval_words,
    margin_words,
    test_words,
)

__all__ = ["FOREST", "caption", "compose", "draw", "draw_forest", "forest_sheet", "prepare"]

_COLUMNS = ["cell", "block", "label", "contribution", "low", "high", "n", "verdict", "metric", "margin"]
_MANY = 12
_LABEL_WIDTH, _WIDE_LABEL_WIDTH = 22, 44
_WIDE = 5.0


def prepare(summary: Summary) -> pd.DataFrame:
    """The rows of the plot.

    Returns:
        A row for every effect, within a block (a data set) the largest contribution first; of more than 45 effects,
        which no page holds, the largest. Columns: ``cell``, its ``block``, the ``label`` of what contributes,
        ``contribution`` in units of the metric (positive where the ingredient is good) and its interval ``low`` to
        ``high``, ``n`` seeds, ``verdict``, ``metric``, ``margin``.
    """
    study = summary.study
    found = summary.effects[summary.effects["n"] > 0]
    ends = contribution_ends(found, study.direction)
    cells = {cell.label: cell for cell in summary.plan.cells}
    data = pd.DataFrame(
        {
            "cell": found["cell"],
            "block": [block_label(cells[cell], summary.plan) for cell in found["cell"]],
            "label": [ingredient_label(cells[cell], summary.plan) for cell in found["cell"]],
            "contribution": found["contribution"],
            "low": ends[:, 0],
            "high": ends[:, 1],
            "n": found["n"],
            "verdict": found["verdict"],
            "metric": study.metric,
            "margin": np.nan if study.margin is None else study.margin,
        }
    )
    size = data["contribution"].abs().sort_values(ascending=False, kind="stable")
    data = data.loc[size.index[:MOST_ROWS]].sort_index()
    blocks = {block: place for place, block in enumerate(dict.fromkeys(data["block"]))}
    order = np.lexsort([np.arange(len(data)), -data["contribution"].to_numpy(), data["block"].map(blocks).to_numpy()])
    return data.iloc[order].reset_index(drop=True)[_COLUMNS]


def draw(ax: Axes, data: pd.DataFrame) -> None:
    """Draw the plot: a marker with an interval a row, the verdict in words and the number of seeds beside it.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its rows.
    """
    draw_forest(ax, data, _LABEL_WIDTH if len(data) <= _MANY else _WIDE_LABEL_WIDTH)


def draw_forest(ax: Axes, data: pd.DataFrame, label_width: int, numbers: bool = False) -> None:
    """Draw rows of contributions.

    Args:
        ax: The axes.
        data: Columns ``block``, ``label``, ``contribution``, ``low``, ``high``, ``n``, ``verdict``, ``metric``,
            ``margin``.
        label_width: Letters on a line of a label.
        numbers: Whether the estimates are written out as well.
    """
    margin = float(data["margin"].iloc[0])
    if np.isfinite(margin):
        ax.axvspan(-margin, margin, color="0.92", linewidth=0, zorder=0)
    rows = records(data)
    centres = put_labels(ax, _labels(data, label_width))
    for y, row in zip(centres, rows, strict=True):
        look = VERDICT_LOOKS[row["verdict"]]
        if np.isfinite(row["low"]):
            ax.plot([row["low"], row["high"]], [y, y], color=look.colour, marker="|", markersize=4.5, zorder=2)
        face = "white" if row["verdict"] == "undecided" else look.colour
        ax.plot(
            [row["contribution"]],
            [y],
            marker=look.marker,
            markersize=4.2,
            markerfacecolor=face,
            markeredgecolor=look.colour,
            linestyle="none",
            zorder=3,
        )
    _divide(ax, data, centres)
    zero_line(ax)
    ax.margins(x=0.06)
    ax.locator_params(axis="x", nbins=5 if numbers else 4)
    plain_numbers(ax.xaxis)
    ax.set_xlabel(f"contribution to {spoken(data['metric'].iloc[0])}\n← hurts      helps →")
    texts = [("", [row["verdict"] for row in rows]), ("n", [str(row["n"]) for row in rows])]
    if numbers:
        estimates = [interval_text(row["contribution"], row["low"], row["high"]) for row in rows]
        texts.insert(1, ("contribution", estimates))
    beside(ax, centres, texts, [VERDICT_LOOKS[row["verdict"]].colour for row in rows])


def _labels(data: pd.DataFrame, width: int) -> list[str]:
    several = data["block"].nunique() > 1
    return [
        wrapped(f"{row['label']} ({row['block']})" if several else str(row["label"]), width)
        for row in records(data[["label", "block"]])
    ]


def _divide(ax: Axes, data: pd.DataFrame, centres: np.ndarray) -> None:
    blocks = list(data["block"])
    for place in range(1, len(blocks)):
        if blocks[place] != blocks[place - 1]:
            ax.axhline((centres[place - 1] + centres[place]) / 2, color="0.8", linewidth=0.5, zorder=0.5)


def compose(data: pd.DataFrame, paper: Paper = PAPERS[DEFAULT]) -> Sheet:
    """The plot in one column of a paper, or as wide as the text where there are many rows."""
    return forest_sheet(data, paper)


def forest_sheet(data: pd.DataFrame, paper: Paper) -> Sheet:
    """Rows of contributions, see :func:`draw_forest`, on a sheet as high as their labels need."""
    width = paper.column if len(data) <= _MANY else paper.text
    letters = _WIDE_LABEL_WIDTH if width > _WIDE else _LABEL_WIDTH
    labels = _labels(data, letters)
    lines = sum(label.count("\n") + 1 for label in labels)
    sheet = Sheet(width, 0.7 + len(labels) * 0.085 + lines * LINE_HEIGHT)
    draw_forest(sheet.subplots(), data, letters, numbers=width > _WIDE)
    return sheet


def caption(summary: Summary, data: pd.DataFrame | None = None) -> str:
    """What the plot shows: estimand, n, interval, test."""
    study = summary.study
    data = prepare(summary) if data is None else data
    reference = "the cell with everything at its reference level"
    sentences = [
        f"What each ingredient contributes to {study.metric} in the study {study.name} ({study.design}): {reference} "
        f"against the cell without it, paired by seed ({seed_count(data['n'])}), with the sign that makes a good "
        "ingredient positive."
    ]
    if len(summary.effects) > MOST_ROWS:
        sentences.append(f"Only the {MOST_ROWS} largest of {len(summary.effects)} contributions are shown.")
    if data["low"].notna().any():
        sentences += [
            f"Markers: mean; lines: {interval_words(summary)}.",
            f"Verdicts: {test_words(summary, len(summary.effects))}; hollow: undecided.",
        ]
    else:
        sentences.append("No interval, test or verdict: too few seeds, or no spread between them.")
    return " ".join([*sentences, *margin_words(summary)])


def _absence(summary: Summary) -> str:
    return "no cell shares a finished seed with its reference"


FOREST = Figure("forest", prepare, draw, compose, caption, _absence)
