"""The canvas that a figure is drawn on: in our style, whatever the settings around it."""

from __future__ import annotations

import io
import itertools
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from matplotlib import figure, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import MaxNLocator

from ablate.characters import printable
from ablate.figures.style import STYLE_SHEET, font_family

# Without dates and names of programs: the same summary gives the same bytes.
FORMATS: Mapping[str, Mapping[str, Any]] = {
    "png": {"dpi": 300, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
"""File formats and how they are written."""


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw in our style: from the defaults up, so that what a user's matplotlibrc says changes nothing."""
    with style.context(["default", STYLE_SHEET, {"font.family": font_family()}]), warnings.catch_warnings():
        # A script without an installed font shows as boxes in PNG and PDF; SVG keeps it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # It logs every glyph that it embeds at level INFO, to whoever has configured logging, as Hydra does.
        logging.getLogger("fontTools").setLevel(logging.WARNING)
        yield


class Canvas(figure.Figure):
    """A matplotlib figure that shows in a notebook by itself, without pyplot.

    Args:
        width: In inches.
        height: In inches.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(self)

    def fix_layout(self) -> None:
        """Lay out once and for all: every format then has the same layout, and none pays for it again."""
        self.draw_without_rendering()
        if any([_halve_crowded_ticks(ax) for ax in self.axes]):
            self.draw_without_rendering()
        with figure_style():
            # None at all: for one that only does nothing, matplotlib still draws twice a format.
            self.set_layout_engine(None)

    def to_bytes(self, file_format: str, **options: Any) -> bytes:
        """The canvas as a file.

        Args:
            file_format: One of :data:`FORMATS`.
            **options: As ``matplotlib.figure.Figure.savefig`` takes them, instead of those of the format.
        """
        buffer = io.BytesIO()
        with figure_style():
            self.savefig(buffer, format=file_format, **{**FORMATS[file_format], **options})
        if file_format == "svg":
            # Whatever text was drawn, the file is XML.
            return printable(buffer.getvalue().decode("utf-8")).encode()
        return buffer.getvalue()

    def _repr_png_(self) -> bytes:
        return self.to_bytes("png", dpi=160)


def _halve_crowded_ticks(ax: Axes) -> bool:
    """Halve the ticks below the axes where their labels overlap; whether they did."""
    low, high = sorted(ax.get_xlim())
    ticks = [tick for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high and tick.label1.get_visible()]
    boxes = [tick.label1.get_window_extent() for tick in ticks if tick.label1.get_text()]
    boxes.sort(key=lambda box: box.x0)
    is_crowded = any(left.x1 > right.x0 - 1 for left, right in itertools.pairwise(boxes))
    locator = ax.xaxis.get_major_locator()
    if not is_crowded or not isinstance(locator, MaxNLocator):
        return False
    locator.set_params(nbins=max(1, len(boxes) // 2), min_n_ticks=1)
    return True
