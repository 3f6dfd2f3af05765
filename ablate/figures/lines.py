"""Lines by epoch: which runs and cells are shown, and how a line with its band is drawn."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ablate.analysis import Summary
from ablate.captions import block_label, cell_label
from ablate.figures.colours import LINES, cell_styles
from ablate.figures.panels import format_ticks


def highlighted_cells(summary: Summary, most: int) -> set[str]:
    """The cells that are drawn in colour where there are many.

    Args:
        summary: The summary.
        most: How many cells of a block are highlighted besides its reference. First come those that differ in one
            factor, the largest difference first, then the others.
    """
    plan = summary.plan
    blocks = {factor.name for factor in plan.factors if factor.block}
    changes = {cell.label: len(set(cell.changed) - blocks) for cell in plan.cells}
    size = dict(zip(summary.effects["cell"], summary.effects["difference"].abs(), strict=True))
    chosen: set[str] = set()
    for block in dict.fromkeys(block_label(cell, plan) for cell in plan.cells):
        labels = [cell.label for cell in plan.cells if block_label(cell, plan) == block]
        others = [cell for cell in labels if changes[cell]]
        if len(others) > most:
            others.sort(key=lambda cell: (changes[cell] > 1, -np.nan_to_num(size.get(cell, 0.0), nan=0.0)))
        chosen |= {*others[:most], *(cell for cell in labels if not changes[cell])}
    return chosen


def omissions(summary: Summary, most: int, drawn: int, noun: str, source: str) -> list[str]:
    """Sentences about the cells of a study that a figure does not show, and why.

    Args:
        summary: The summary.
        most: As for `highlighted_cells`, by which the figure chose its cells.
        drawn: How many cells it shows.
        noun: What it has for each of them, such as ``panel``.
        source: What the finished runs of the others lack.
    """
    chosen = len(highlighted_cells(summary, most))
    smaller, without = len(summary.plan.cells) - chosen, chosen - drawn
    sentences = []
    if smaller:
        sentences.append(f"{smaller} {_cells(smaller)} with smaller differences {_have(smaller)} no {noun}.")
    if without > 0:
        sentences.append(f"{without} {_cells(without)} {_have(without)} no {noun}: no finished run there has {source}.")
    return sentences


def _cells(count: int) -> str:
    return "cell" if count == 1 else "cells"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def with_cell_styles(data: pd.DataFrame, summary: Summary) -> pd.DataFrame:
    """The data with the position of each cell in the plan, its block, its label within that, and how it is drawn."""
    plan, styles = summary.plan, cell_styles(summary.plan)
    cells = pd.DataFrame([asdict(style) for style in styles.values()], index=list(styles)).assign(
        position=range(len(plan.cells)),
        block=[block_label(cell, plan) for cell in plan.cells],
        label=[cell_label(cell, plan) for cell in plan.cells],
    )
    return data.assign(**{str(name): data["cell"].map(cells[name]) for name in cells})


def draw_line(ax: Axes, rows: pd.DataFrame, label: str, stagger: int = 0, band: float = 0.12) -> None:
    """Draw the mean of a cell by epoch with its band.

    Args:
        ax: The axes.
        rows: Columns ``epoch``, ``mean``, ``low``, ``high``, ``colour``, ``line``, ``marker``.
        label: What a legend calls it.
        stagger: Shifts the markers, so that those of lines on top of each other do not hide each other.
        band: How opaque the band is.
    """
    first = rows.iloc[0]
    if rows["low"].notna().any():
        ax.fill_between(
            rows["epoch"], rows["low"], rows["high"], color=first["colour"], alpha=band, linewidth=0, zorder=2
        )
    every = max(1, len(rows) // 6)
    ax.plot(
        rows["epoch"],
        rows["mean"],
        color=first["colour"],
        linestyle=LINES[first["line"]],
        marker=first["marker"],
        markevery=(stagger % every, every),
        zorder=4 if first["line"] == "solid" else 3,
        label=label,
    )


def fit_means(ax: Axes, rows: pd.DataFrame, share: float = 0.25, bounded: bool = False) -> None:
    """Show all means in full; a band may leave the axes, as with three seeds it can dwarf what it surrounds.

    Args:
        ax: The axes.
        rows: Columns ``mean``, ``low``, ``high``.
        share: How much space bands get on either side, as a share of what the means span.
        bounded: Whether no band may suggest numbers below 0 where no mean is, or above 1 where all means are shares.
    """
    rows = rows[["mean", "low", "high"]].replace([np.inf, -np.inf], np.nan)
    if rows["mean"].isna().all():
        return
    low, high = float(rows["mean"].min()), float(rows["mean"].max())
    space = share * (high - low) or 0.05 * abs(high) or 1.0
    bottom, top = float(np.nanmin([rows["low"].min(), low])), float(np.nanmax([rows["high"].max(), high]))
    edge = 0.05 * (high - low) or 0.2 * space
    bottom, top = max(bottom, low - space), min(top, high + space)
    if bounded and low >= 0:
        bottom, top = max(bottom, 0.0), min(top, 1.0) if high <= 1 else top
    ax.set_ylim(bottom - edge, top + edge)
    format_ticks(ax.yaxis)


def epoch_axis(ax: Axes) -> None:
    """Whole epochs on the horizontal axis."""
    ax.margins(x=0.02)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
