"""Training and validation loss in one panel for each cell, with the epoch where overfitting begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ablate.analysis import Summary
from ablate.analysis.curves import mean_curves, overfitting, tracks
from ablate.captions import CONFIDENCE, block_label, cell_label
from ablate.figures.figure import Canvas
from ablate.figures.lines import epoch_axis, fit_means, highlighted_cells, omissions
from ablate.figures.panels import LegendEntry, add_legend, legend_height, ordered_rows, panel_grid, panels_of
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import readable_name, wrapped
from ablate.formatting import seed_count

_COLUMNS = "block label position split metric epoch n mean low high lowest onset".split()
_MOST = 12
"""Cells of a data set that have a panel."""
_COLOURS = {"training": "#4477aa", "validation": "#cc6677"}
_MARK = "#222222"
_HEIGHT = 1.35
_ACROSS = 3
_TITLE = 30


def prepare(summary: Summary) -> pd.DataFrame:
    """The losses.

    Returns:
        A row for every cell, epoch and ``split`` (``training`` or ``validation``): ``block`` (the data set, or empty),
        ``label`` of the cell within it and its ``position`` in the plan, ``metric`` (a column of the curves),
        ``epoch``, ``n`` runs, ``mean`` with its 95% t interval ``low`` to ``high``, the epoch of the ``lowest`` mean
        validation loss, and the ``onset`` of overfitting (NaN where none is shown).
    """
    curves, resplit = summary.counted_curves, summary.study.resplit
    track = next((one for one in tracks(curves, summary.study.metric) if one.is_loss and one.training), None)
    if track is None or track.training is None:
        return pd.DataFrame(columns=_COLUMNS)
    chosen = highlighted_cells(summary, _MOST - 1)
    curves = curves[curves["cell"].isin(chosen)]
    splits = {"training": track.training, "validation": track.validation}
    data = pd.concat(
        [
            mean_curves(curves, column, resplit=resplit).assign(split=split, metric=column)
            for split, column in splits.items()
        ],
        ignore_index=True,
    )
    if data.empty:
        return pd.DataFrame(columns=_COLUMNS)
    rises = overfitting(curves, track.validation, track.training, resplit)
    onsets = rises[rises["shown"].astype(bool)].set_index("cell")["epoch"]
    held_out = data[data["split"] == "validation"]
    lowest = held_out.loc[held_out.groupby("cell")["mean"].idxmin()].set_index("cell")["epoch"]
    cells = {cell.label: (place, cell) for place, cell in enumerate(summary.plan.cells)}
    data = data.assign(
        onset=data["cell"].map(onsets).astype(float),
        lowest=data["cell"].map(lowest),
        position=[cells[name][0] for name in data["cell"]],
        block=[block_label(cells[name][1], summary.plan) for name in data["cell"]],
        label=[cell_label(cells[name][1], summary.plan) for name in data["cell"]],
    )
    block = data.groupby("block")["position"].transform("min")
    return ordered_rows(data, _COLUMNS, block, data["position"], data["split"], data["epoch"])


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one cell on each of the axes.

    Args:
        axes: As many axes as the data have pairs of block and cell, in their order, or one for a single pair.
        data: What :func:`prepare` returned, or some of its cells.
    """
    for ax, (block, label), rows in panels_of(axes, data, ("block", "label"), "panels"):
        ax.set_title(wrapped(f"{label} ({block})" if block else label, _TITLE))
        for split, line in rows.groupby("split"):
            colour = _COLOURS[str(split)]
            if line["low"].notna().any():
                ax.fill_between(line["epoch"], line["low"], line["high"], color=colour, alpha=0.18, linewidth=0)
            dashes = "-" if split == "training" else (0, (4, 1.5))
            ax.plot(line["epoch"], line["mean"], color=colour, linestyle=dashes, label=str(split))
        lowest, last = float(rows["lowest"].iloc[0]), float(rows["epoch"].max())
        ax.axvline(lowest, color="0.55", linewidth=0.7, linestyle=":", zorder=1, label="_lowest")
        fit_means(ax, rows, bounded=True)
        onset = rows["onset"].iloc[0]
        if np.isfinite(onset):
            ax.axvspan(float(onset), last, color="0.5", alpha=0.16, linewidth=0, zorder=0, label="_overfitting")
            ax.axvline(float(onset), color=_MARK, linewidth=0.9, zorder=1.5, label="_onset")
        epoch_axis(ax)
        ax.set_xlabel("epoch")
        ax.set_ylabel(readable_name("loss"))


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The panels in rows as wide as the text; the cells of a data set on one scale."""
    panels = list(dict.fromkeys(zip(data["block"], data["label"], strict=True)))
    across = min(_ACROSS if page.text > page.column else 2, len(panels))
    rows = -(-len(panels) // across)
    width = page.text if across > 1 else page.column
    entries = _entries(data)
    canvas = Canvas(width, _HEIGHT * rows + 0.4 + legend_height(entries, width))
    axes = panel_grid(canvas, len(panels), across)
    flat = list(axes.flat)[: len(panels)]
    draw(flat, data)
    for block in dict.fromkeys(data["block"]):
        own = [ax for ax, (name, _) in zip(flat, panels, strict=True) if name == block]
        limits = [ax.get_ylim() for ax in own]
        for ax in own:
            ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    for place, ax in enumerate(flat):
        if place % across:
            ax.set_ylabel("")
        if place + across < len(panels):
            ax.set_xlabel("")
    add_legend(canvas, entries)
    return canvas


def _entries(data: pd.DataFrame) -> list[LegendEntry]:
    entries: list[LegendEntry] = [
        (Line2D([], [], color=_COLOURS["training"]), "training loss"),
        (Line2D([], [], color=_COLOURS["validation"], linestyle=(0, (4, 1.5))), "validation loss"),
        (Line2D([], [], color="0.55", linewidth=0.7, linestyle=":"), "lowest validation loss"),
    ]
    if data["onset"].notna().any():
        options: dict[str, Any] = {"color": _MARK, "linewidth": 0.9}
        entries.append((Line2D([], [], **options), "overfitting begins (grey: since then)"))
    return entries


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the figure shows: whose mean, n, bands, what is marked."""
    training, validation = dict.fromkeys(data["metric"])
    sentences = [
        f"Training and validation loss ({training}, {validation}) of each cell of the study {summary.study.name}: "
        f"mean over {seed_count(data['n'])}.",
        f"Bands: pointwise {CONFIDENCE} t intervals of the mean, cut off at the edge of the axes."
        if data["low"].notna().any()
        else "One seed: no bands.",
        "Dotted: the epoch of the lowest mean validation loss.",
    ]
    cells = data.drop_duplicates(["block", "label"])
    shown = cells[cells["onset"].notna()]
    if data["n"].max() < 2:
        sentences.append("Overfitting is not marked: in one seed a rise cannot be told from noise.")
    elif len(shown):
        sentences.append(
            f"Grey, in {len(shown)} of {len(cells)} panels: overfitting, where the validation loss rises from its "
            "lowest mean to the end over seeds while the training loss falls."
        )
    else:
        sentences.append("No cell is shown to overfit.")
    return " ".join([*sentences, *omissions(summary, _MOST - 1, len(cells), "panel", "curves of both losses")])


LOSSES = Figure(prepare, draw, compose, caption, "no finished run wrote curves of training and validation loss")
