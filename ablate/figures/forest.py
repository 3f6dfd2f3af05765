"""The main figure, what every ingredient contributes with its interval and verdict; the same for main effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.verdicts import BELOW
from ablate.captions import change_label, contributions, inference_sentences, margin_sentence
from ablate.figures import rows
from ablate.figures.colours import verdict_style
from ablate.figures.figure import Canvas
from ablate.figures.panels import draw_point, ordered_rows
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import LINE_HEIGHT, wrapped
from ablate.formatting import interval, seed_count
from ablate.study import takes_away

_COLUMNS = "cell block label is_part contribution low high n verdict quantity metric margin".split()
_MAIN_EFFECTS_COLUMNS = "block label is_part contribution low high n verdict quantity metric margin".split()
_LABEL_WIDTH, _WIDE_LABEL_WIDTH = 22, 44
_WIDE = 5.0
"""From so many inches on the estimates are written out as well."""


def prepare(summary: Summary) -> pd.DataFrame:
    """The rows of the plot.

    Returns:
        A row for every effect, within a block (a data set) the largest contribution first; of more than 45 effects,
        which no page holds, the largest. Columns: ``cell``, its ``block``, the ``label`` of what the row is about,
        ``is_part`` (or else a level), its ``contribution`` or gain in units of the metric (positive where it is good)
        and the interval ``low`` to ``high``, ``n`` seeds, ``verdict``, ``metric``, ``margin``.
    """
    data = rows.cell_contributions(summary)
    largest = data["contribution"].abs().nlargest(rows.MOST_ROWS).index
    data = data.loc[largest.sort_values()]
    return ordered_rows(data, _COLUMNS, pd.factorize(data["block"])[0], -data["contribution"], np.arange(len(data)))


def draw(ax: Axes, data: pd.DataFrame, is_wide: bool = False) -> None:
    """Draw the plot: a marker with an interval a row, verdict and number of seeds as text on the right.

    Args:
        ax: The axes.
        data: What :func:`prepare` returned, or some of its rows.
        is_wide: Whether there is space for long lines of labels, and for the estimates in words.
    """
    rows.margin_band(ax, data)
    records = data.to_dict("records")
    centres = rows.label_rows(ax, _labels(data, is_wide))
    for y, row in zip(centres, records, strict=True):
        style = verdict_style(row["verdict"])
        if np.isfinite(row["low"]):
            ax.plot([row["low"], row["high"]], [y, y], color=style.colour, marker="|", markersize=4.5, zorder=2)
        face = "white" if row["verdict"] == "undecided" else style.colour
        draw_point(ax, row["contribution"], y, style.marker, 4.2, face, style.colour)
    for index in np.flatnonzero(np.diff(pd.factorize(data["block"])[0])):
        ax.axhline((centres[index] + centres[index + 1]) / 2, color="0.8", linewidth=0.5, zorder=0.5)
    rows.contribution_axis(ax, data, bins=5 if is_wide else 4)
    verdicts = [row["verdict"] if is_wide else row["verdict"].replace(BELOW, "\n< margin") for row in records]
    texts = [("", verdicts), ("n", [str(row["n"]) for row in records])]
    if is_wide:
        texts.insert(1, ("contribution", [interval(row["contribution"], row["low"], row["high"]) for row in records]))
    rows.annotate_columns(ax, centres, texts, [verdict_style(row["verdict"]).colour for row in records])


def _labels(data: pd.DataFrame, is_wide: bool) -> list[str]:
    width = _WIDE_LABEL_WIDTH if is_wide else _LABEL_WIDTH
    has_blocks = data["block"].nunique() > 1
    pairs = zip(data["label"], data["block"], strict=True)
    return [wrapped(f"{label} ({block})" if has_blocks else str(label), width) for label, block in pairs]


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The plot in one column of a page, or as wide as the text where there are many rows."""
    width = page.column if len(data) <= rows.MANY_ROWS else page.text
    lines = sum(label.count("\n") + 1 for label in _labels(data, width > _WIDE))
    canvas = Canvas(width, 0.7 + len(data) * rows.ROW_GAP + lines * LINE_HEIGHT)
    draw(canvas.subplots(), data, width > _WIDE)
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the plot shows: estimand, n, interval, test."""
    study, count = summary.study, len(summary.effects)
    sentences = [
        f"{_subject(data)} {study.metric} in the study {study.name} ({study.design}): against the cell with everything "
        f"at its reference level, {summary.pairing} ({seed_count(data['n'], summary.counted)}), with the sign that "
        "makes what is good positive."
    ]
    if count > rows.MOST_ROWS:
        sentences.append(f"Only the {rows.MOST_ROWS} largest of {count} contributions are shown.")
    stated = "Markers: mean; lines: {interval}. Verdicts: {test}; hollow: undecided."
    sentences.append(inference_sentences(summary, data["low"], count, stated))
    return " ".join([*sentences, *margin_sentence(summary)])


def _subject(data: pd.DataFrame) -> str:
    """The beginning of a caption: of what the rows are the effect."""
    kinds = set(map(bool, data["is_part"]))
    if kinds == {True}:
        return "What each ingredient contributes to"
    return "What each level gains in" if kinds == {False} else "What each part contributes to, and each level gains in,"


FOREST = Figure(prepare, draw, compose, caption, "no cell shares a finished seed with its reference")


def prepare_main_effects(summary: Summary) -> pd.DataFrame:
    """The rows of the plot of main effects: what each level contributes on average over the other factors.

    Returns:
        A row for every level that is not the reference, the largest contribution first: ``block`` (empty), the
        ``label`` of what the row is about, ``is_part`` (or else a level), its ``contribution`` or gain (positive where
        it is good) and the interval ``low`` to ``high``, ``n`` seeds, ``verdict``, ``metric``, ``margin``.
    """
    estimates = summary.answers.given.get("main_effects")
    if estimates is None:
        return pd.DataFrame(columns=_MAIN_EFFECTS_COLUMNS)
    table = estimates.table[estimates.table["n"] > 0]
    factors = {factor.name: factor for factor in summary.plan.factors}
    changes = zip(table["factor"], table["level"], strict=True)
    labels = [change_label(factors[name], level) for name, level in changes]
    pairs = zip(table["factor"], table["level"], strict=True)
    are_parts = [takes_away(factors[name].reference, level) for name, level in pairs]
    data = contributions(table, summary, are_parts).assign(block="", label=labels)
    data = data.assign(quantity="average " + data["quantity"], pairs=table.get("pairs", np.nan))
    return ordered_rows(data, _MAIN_EFFECTS_COLUMNS, -data["contribution"], np.arange(len(data)))


def main_effects_caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the plot of main effects shows: estimand, n, interval, test."""
    estimates = summary.answers.given["main_effects"]
    sentences = [
        f"Main effects on {summary.study.metric} in the study {summary.study.name} ({summary.study.design}), "
        f"{seed_count(data['n'], estimates.counted)}. {estimates.estimand} Here with the sign that makes what is good "
        "positive. Under interaction this is not what a factor does in the full network."
    ]
    stated = "Markers: mean; lines: {interval}. Verdicts: {test}; hollow: undecided."
    sentences.append(inference_sentences(estimates, data["low"], len(data), stated, "effect"))
    return " ".join([*sentences, *margin_sentence(summary)])


MAIN_EFFECTS = Figure(prepare_main_effects, draw, compose, main_effects_caption)
