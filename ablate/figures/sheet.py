"""A sheet of paper with a drawing on it: made in our style, whatever the settings around it."""

from __future__ import annotations

import io
import itertools
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ablate.figures.style import rc_params

__all__ = ["FORMATS", "Sheet", "our_style"]

# Without dates and names of programs: the same summary gives the same bytes.
FORMATS: Mapping[str, Mapping[str, Any]] = {
    "png": {"dpi": 300, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
"""File formats and how they are written."""

_SCREEN = {"dpi": 160, "metadata": {"Software": None}}


@contextmanager
def our_style() -> Iterator[None]:
    """Draw in our style: from the defaults up, so that what a user's matplotlibrc says changes nothing."""
    with style.context(["default", dict(rc_params())]), warnings.catch_warnings():
        # A script without an installed font shows as boxes in PNG and PDF; SVG keeps it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # It tells at level INFO of every glyph that it embeds, to whoever has configured logging, as Hydra does.
        logging.getLogger("fontTools").setLevel(logging.WARNING)
        yield


def _thinned(ax: Axes) -> bool:
    """Whether numbers below the axes stood in each other's way, so that there are fewer now."""
    low, high = sorted(ax.get_xlim())
    ticks = [tick for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high and tick.label1.get_visible()]
    boxes = [tick.label1.get_window_extent() for tick in ticks if tick.label1.get_text()]
    boxes.sort(key=lambda box: box.x0)
    crowded = any(left.x1 > right.x0 - 1 for left, right in itertools.pairwise(boxes))
    locator = ax.xaxis.get_major_locator()
    if not crowded or not isinstance(locator, MaxNLocator):
        return False
    locator.set_params(nbins=max(1, len(boxes) // 2), min_n_ticks=1)
    return True


class Sheet(Figure):
    """A matplotlib figure that shows in a notebook by itself, without pyplot."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(self)

    def settle(self) -> None:
        """Lay out once and for all: every format then has the same layout, and none pays for it again."""
        self.draw_without_rendering()
        if any([_thinned(ax) for ax in self.axes]):
            self.draw_without_rendering()
        with our_style():
            # None at all: for one that only does nothing, matplotlib still draws twice a format.
            self.set_layout_engine(None)

    def content(self, form: str) -> bytes:
        """The sheet as a file.

        Args:
            form: One of :data:`FORMATS`.
        """
        return self._saved(form, FORMATS[form])

    def _repr_png_(self) -> bytes:
        return self._saved("png", _SCREEN)

    def _saved(self, form: str, options: Mapping[str, Any]) -> bytes:
        buffer = io.BytesIO()
        with our_style():
            self.savefig(buffer, format=form, **options)
        return buffer.getvalue()
