"""Panels of a figure: axes with the rows of the data that each of them shows, their tick labels, and the legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter
from numpy.typing import ArrayLike, NDArray

from ablate.figures.colours import LINES
from ablate.figures.figure import Canvas
from ablate.figures.style import readable_name, wrapped
from ablate.formatting import typographic

_SMALLEST, _LARGEST = 1e-3, 1e5
_FEW = 2

Panel = tuple[Axes, tuple[str, ...], pd.DataFrame]
"""Axes, the values that the rows of the data have in common, and these rows."""

LegendEntry = tuple[Line2D, str]

# Inches of a legend: a line, a letter, a handle with the space around it.
_LINE, _LETTER, _HANDLE = 0.135, 0.052, 0.55
_MOST_ACROSS = 4
_ENTRY_WIDTH = 52


def panel_grid(canvas: Canvas, count: int, across: int, **options: Any) -> NDArray[Any]:
    """Axes in rows, of which those beyond ``count`` are left empty.

    Args:
        canvas: The canvas.
        count: How many panels there are.
        across: How many of them stand in a row.
        **options: As ``matplotlib.figure.Figure.subplots`` takes them.
    """
    axes: NDArray[Any] = canvas.subplots(-(-count // across), across, squeeze=False, **options)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return axes


def panels_of(axes: Axes | Sequence[Axes], data: pd.DataFrame, keys: Sequence[str], noun: str) -> list[Panel]:
    """Hand out the axes to groups of the data, in the order in which these begin; blocks become titles.

    Args:
        axes: As many as there are groups; one for a single group.
        data: The data.
        keys: Columns whose values set the groups apart.
        noun: What a group is called, in the plural.

    Raises:
        ValueError: If there are more or fewer axes than groups.
    """
    flat = [axes] if isinstance(axes, Axes) else list(np.ravel(np.array(axes, dtype=object)))
    groups = list(data.groupby(list(keys), sort=False))
    if len(flat) != len(groups):
        names = ", ".join(" ".join(str(value) for value in key if value) for key, _ in groups)
        raise ValueError(f"{len(groups)} {noun} ({names}) need as many axes, not {len(flat)}.")
    for ax, (_, rows) in zip(flat, groups, strict=True):
        if "block" in keys and rows["block"].iloc[0]:
            ax.set_title(readable_name(str(rows["block"].iloc[0])))
    return [(ax, tuple(str(value) for value in key), rows) for ax, (key, rows) in zip(flat, groups, strict=True)]


def ordered_rows(data: pd.DataFrame, columns: Sequence[str], *keys: ArrayLike) -> pd.DataFrame:
    """The rows sorted by keys, of which the first counts most, with some of the columns."""
    order = np.lexsort([np.asarray(key) for key in reversed(keys)])
    return data.iloc[order].reset_index(drop=True)[list(columns)]


def format_ticks(axis: Axis) -> None:
    """Write every number on an axis in full, instead of a common offset beside the axis, where labels are in its way.

    Args:
        axis: The axis, linear, with its limits set.
    """
    largest = max(abs(end) for end in axis.get_view_interval())
    if _SMALLEST <= largest < _LARGEST:
        axis.set_major_formatter(ScalarFormatter(useOffset=False))
    else:
        axis.set_major_locator(MaxNLocator(_FEW))
        axis.set_major_formatter(FuncFormatter(lambda number, _: typographic(f"{number:.3g}")))


def draw_point(
    ax: Axes, x: float, y: float, marker: str, size: float, face: str, edge: str, zorder: float = 3, **options: Any
) -> None:
    """Draw a marker.

    Args:
        ax: The axes.
        x: Where.
        y: Where.
        marker: As matplotlib takes it.
        size: In points.
        face: Colour within.
        edge: Colour of the edge.
        zorder: What it lies above.
        **options: Further ones of ``matplotlib.axes.Axes.plot``.
    """
    options |= {"markersize": size, "markerfacecolor": face, "markeredgecolor": edge}
    ax.plot([x], [y], marker=marker, linestyle="none", zorder=zorder, **options)


def cell_entries(data: pd.DataFrame, lines: bool = True) -> list[LegendEntry]:
    """An entry for every highlighted cell, and one for all others; cells that differ only in the block share one.

    Args:
        data: Columns ``label``, ``position``, ``highlighted``, ``colour``, ``marker``, and ``line`` where there is one.
        lines: Whether cells are lines, or else points.
    """
    cells = data.sort_values("position").drop_duplicates("label")
    bright = cells[cells["highlighted"].astype(bool)]
    entries = []
    for row in bright.to_dict("records"):
        line: Any = LINES[row["line"]] if lines else "none"
        handle = Line2D([], [], color=row["colour"], linestyle=line, marker=row["marker"])
        entries.append((handle, wrapped(str(row["label"]), _ENTRY_WIDTH)))
    if others := len(cells) - len(bright):
        line, marker = ("-", "") if lines else ("none", ".")
        handle = Line2D([], [], color="0.78", linewidth=0.7, linestyle=line, marker=marker)
        entries.append((handle, f"{others} other cells" if others > 1 else "1 other cell"))
    return entries


def legend_height(entries: Sequence[LegendEntry], width: float) -> float:
    """The height of a legend on a canvas of a width, both in inches."""
    lines = sum(label.count("\n") + 1 for _, label in entries)
    return _LINE * -(-lines // _across(entries, width))


def add_legend(canvas: Canvas, entries: Sequence[LegendEntry]) -> None:
    """Put a legend at the foot of a canvas."""
    handles, labels = zip(*entries, strict=True)
    canvas.legend(handles, labels, loc="outside lower center", ncols=_across(entries, canvas.get_figwidth()))


def _across(entries: Sequence[LegendEntry], width: float) -> int:
    longest = max(len(line) for _, label in entries for line in label.split("\n"))
    return max(1, min(len(entries), _MOST_ACROSS, int(width / (_HANDLE + _LETTER * longest))))
