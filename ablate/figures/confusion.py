"""Which classes are taken for which, a matrix for each cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablate.analysis import Summary
from ablate.analysis.confusions import confusion_shares
from ablate.captions import block_label, cell_label
from ablate.figures.figure import Canvas
from ablate.figures.lines import highlighted_cells, omissions
from ablate.figures.panels import ordered_rows, panel_grid, panels_of
from ablate.figures.registry import DEFAULT_PAGE, Figure, PageWidth
from ablate.figures.style import wrapped
from ablate.formatting import seed_count

_COLUMNS = "block label position class predicted share images n classes".split()
_MOST_CELLS = 12
_MOST_CLASSES = 20
"""Classes of a matrix; of more, those that are confused most often."""
_NUMBERED = 12
"""Classes up to which the shares are written into the matrix."""
_TITLE, _NAME = 30, 14
_DARK = 0.55


def prepare(summary: Summary) -> pd.DataFrame:
    """The matrices.

    Returns:
        A row for every cell and pair of classes: ``block`` (the data set, or empty), ``label`` of the cell within it
        and its ``position``, ``class``, ``predicted``, ``share`` of the class's test images (0 to 1, the mean over
        seeds), ``images`` a seed, ``n`` seeds, and how many ``classes`` there are; of more than 20 classes those that
        are confused most often.
    """
    shares = confusion_shares(summary.confusions)
    chosen = highlighted_cells(summary, _MOST_CELLS - 1)
    shares = shares[shares["cell"].isin(chosen)]
    if shares.empty:
        return pd.DataFrame(columns=_COLUMNS)
    cells = {cell.label: (place, cell) for place, cell in enumerate(summary.plan.cells)}
    shares = shares.assign(
        position=[cells[name][0] for name in shares["cell"]],
        block=[block_label(cells[name][1], summary.plan) for name in shares["cell"]],
        label=[cell_label(cells[name][1], summary.plan) for name in shares["cell"]],
    )
    parts = []
    for _, rows in shares.groupby("block", sort=False):
        names = list(dict.fromkeys(rows["class"]))
        if len(names) > _MOST_CLASSES:
            wrong = rows[rows["class"] != rows["predicted"]]
            errors = wrong.groupby("class")["share"].sum() + wrong.groupby("predicted")["share"].sum()
            most = set(errors.sort_values(ascending=False, kind="stable").index[:_MOST_CLASSES])
            rows = rows[rows["class"].isin(most) & rows["predicted"].isin(most)]
        parts.append(rows.assign(classes=len(names), rank=rows["class"].map({name: i for i, name in enumerate(names)})))
    data = pd.concat(parts, ignore_index=True)
    block = data.groupby("block")["position"].transform("min")
    return ordered_rows(data, _COLUMNS, block, data["position"], data["rank"])


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one matrix on each of the axes: true classes down, predicted ones across.

    Args:
        axes: As many axes as the data have pairs of block and cell, in their order, or one for a single pair.
        data: What :func:`prepare` returned, or some of its cells.
    """
    for ax, (block, label), rows in panels_of(axes, data, ("block", "label"), "panels"):
        names = list(dict.fromkeys(rows["class"]))
        table = rows.pivot(index="class", columns="predicted", values="share").reindex(index=names, columns=names)
        shares = table.fillna(0.0).to_numpy(dtype=float)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
        size = min(6.5, 56 / len(names))
        if len(names) <= _NUMBERED:
            for (down, across), share in np.ndenumerate(shares):
                if share >= 0.005:
                    colour = "white" if share > _DARK else "0.15"
                    ax.text(across, down, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=size)
        texts = [wrapped(str(name), _NAME) for name in names]
        ax.set_xticks(range(len(names)), texts, rotation=90, fontsize=min(6.5, 90 / len(names)))
        ax.set_yticks(range(len(names)), texts, fontsize=min(6.5, 90 / len(names)))
        ax.tick_params(length=0)
        ax.set_title(wrapped(f"{label} ({block})" if block else label, _TITLE))
        ax.set_xlabel("predicted class")
        ax.set_ylabel("class")


def compose(data: pd.DataFrame, page: PageWidth = DEFAULT_PAGE) -> Canvas:
    """The matrices in rows as wide as the text."""
    panels = list(dict.fromkeys(zip(data["block"], data["label"], strict=True)))
    most = max(rows["class"].nunique() for _, rows in data.groupby("block"))
    across = min(len(panels), 3 if most <= 10 and page.text > page.column else 2)
    width = page.text if across > 1 else page.column
    rows = -(-len(panels) // across)
    canvas = Canvas(width, (width / across + 0.35) * rows)
    axes = panel_grid(canvas, len(panels), across)
    flat = list(axes.flat)[: len(panels)]
    draw(flat, data)
    for place, ax in enumerate(flat):
        if place % across:
            ax.set_ylabel("")
        if place + across < len(panels):
            ax.set_xlabel("")
    return canvas


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the figure shows: shares, of which images, n."""
    sentences = [
        f"Confusion matrices of the study {summary.study.name} on the test part: the share, in percent, of the images "
        f"of each class (rows) that each cell takes for each class (columns), mean over {seed_count(data['n'])}."
    ]
    for block, rows in data.groupby("block", sort=False):
        shown, classes = rows["class"].nunique(), int(rows["classes"].iloc[0])
        if shown < classes:
            sentences.append(
                f"{f'{block!s}: ' if block else ''}the {shown} of {classes} classes that are confused most often."
            )
    drawn = len(data.drop_duplicates(["block", "label"]))
    sentences += omissions(summary, _MOST_CELLS - 1, drawn, "matrix", "counts of its classes")
    return " ".join(sentences)


CONFUSION = Figure(prepare, draw, compose, caption, "no finished run says which classes it confuses (confusion.csv)")
