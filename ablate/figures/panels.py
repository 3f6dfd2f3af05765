"""Axes and the part of the data that each of them shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter

__all__ = ["Panel", "panels_of", "plain_numbers", "records"]

_SMALLEST, _LARGEST = 1e-3, 1e5
_FEW = 2

Panel = tuple[Axes, tuple[str, ...], pd.DataFrame]
"""Axes, the values that set this part of the data apart, and the part."""


def panels_of(axes: Axes | Sequence[Axes], data: pd.DataFrame, keys: Sequence[str], what: str) -> list[Panel]:
    """Hand out the axes to the parts of the data, in the order in which these begin.

    Args:
        axes: As many as there are parts; one for a single part.
        data: The data.
        keys: Columns whose values set the parts apart.
        what: What a part is called, in the plural.

    Raises:
        ValueError: If there are more or fewer axes than parts.
    """
    given = [axes] if isinstance(axes, Axes) else list(np.ravel(np.array(axes, dtype=object)))
    parts = list(data.groupby(list(keys), sort=False))
    if len(given) != len(parts):
        names = ", ".join(" ".join(str(value) for value in key if value) for key, _ in parts)
        raise ValueError(f"{len(parts)} {what} ({names}) need as many axes, not {len(given)}.")
    return [(ax, tuple(str(value) for value in key), part) for ax, (key, part) in zip(given, parts, strict=True)]


def plain_numbers(axis: Axis) -> None:
    """Write every number on an axis whole, instead of a common part beside the axis, where labels are in its way.

    Args:
        axis: The axis, linear, with its limits set.
    """
    largest = max(abs(end) for end in axis.get_view_interval())
    if _SMALLEST <= largest < _LARGEST:
        axis.set_major_formatter(ScalarFormatter(useOffset=False))
    else:
        axis.set_major_locator(MaxNLocator(_FEW))
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.3g}".replace("-", "−")))


def records(data: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each with its values by column."""
    return [{str(name): value for name, value in row.items()} for row in data.to_dict("records")]
