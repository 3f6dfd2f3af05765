"""Legends below the panels of a sheet, as many entries beside each other as its width holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from ablate.figures.colours import LINES
from ablate.figures.panels import records
from ablate.figures.sheet import Sheet
from ablate.figures.style import wrapped

__all__ = ["Entry", "cell_entries", "legend_height", "put_legend"]

Entry = tuple[Line2D, str]

_LINE = 0.135
_LETTER, _HANDLE = 0.052, 0.55
_MOST_ACROSS = 4
_WIDTH = 52


def cell_entries(data: pd.DataFrame, lines: bool = True) -> list[Entry]:
    """An entry for every cell that stands out, and one for all others; cells that differ only in the block share one.

    Args:
        data: Columns ``label``, ``position``, ``highlighted``, ``colour``, ``marker``, and ``line`` where there is one.
        lines: Whether cells are lines, or else points.
    """
    cells = data.sort_values("position").drop_duplicates("label")
    bright = cells[cells["highlighted"].astype(bool)]
    found = []
    for row in records(bright):
        line: Any = LINES[row["line"]] if lines else "none"
        handle = Line2D([], [], color=row["colour"], linestyle=line, marker=row["marker"])
        found.append((handle, wrapped(str(row["label"]), _WIDTH)))
    if pale := len(cells) - len(bright):
        other = Line2D(
            [], [], color="0.78", linewidth=0.7, linestyle="-" if lines else "none", marker="" if lines else "."
        )
        found.append((other, f"{pale} other cells" if pale > 1 else "1 other cell"))
    return found


def legend_height(entries: Sequence[Entry], width: float) -> float:
    """The height in inches of a legend on a sheet of a width."""
    lines = sum(label.count("\n") + 1 for _, label in entries)
    return _LINE * -(-lines // _across(entries, width))


def put_legend(sheet: Sheet, entries: Sequence[Entry]) -> None:
    """Put a legend at the foot of a sheet."""
    across = _across(entries, sheet.get_figwidth())
    handles, labels = zip(*entries, strict=True)
    sheet.legend(handles, labels, loc="outside lower center", ncols=across)


def _across(entries: Sequence[Entry], width: float) -> int:
    longest = max(len(line) for _, label in entries for line in label.split("\n"))
    return max(1, min(len(entries), _MOST_ACROSS, int(width / (_HANDLE + _LETTER * longest))))
