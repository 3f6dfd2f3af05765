"""What a figure is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ablate.analysis import Summary
from ablate.figures.sheet import Sheet

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """A figure as a value: where its data come from, how it is drawn, what it says.

    Args:
        name: Its name, which is that of its files.
        prepare: From a summary to the tidy data that are drawn; no rows where there is nothing to draw.
        draw: Draws prepared data on the caller's axes (one, or a sequence of them: each figure's module says).
        compose: From prepared data, and a :class:`~ablate.figures.paper.Paper` if need be, to a sheet of their own.
        caption: Estimand, n, interval and test, in sentences; given the prepared data too, it need not prepare them.
        absence: Why there is nothing to draw, where ``prepare`` gives no rows.
    """

    name: str
    prepare: Callable[[Summary], pd.DataFrame]
    draw: Callable[[Any, pd.DataFrame], None]
    compose: Callable[..., Sheet]
    caption: Callable[..., str]
    absence: Callable[[Summary], str]
