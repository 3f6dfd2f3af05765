"""The figure files of a study."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ablate.analysis import Summary
from ablate.errors import AnalysisError, suggestion
from ablate.figures.figure import Figure
from ablate.figures.registry import FIGURES
from ablate.figures.style import rc_params
from ablate.store.atomic import write_bytes, write_text

__all__ = ["write_figures"]

# Without dates and names of programs: the same summary gives the same bytes.
_FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 300, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}


def write_figures(summary: Summary, folder: Path, names: Iterable[str] | None = None) -> list[Path]:
    """Write figures as PNG, SVG and PDF, and what they show as ``captions.md``.

    A figure for which the summary has no data is left out; ``captions.md`` says why.

    Args:
        summary: The summary of the study.
        folder: Where to write; made if need be.
        names: Names of :data:`FIGURES`, by default all.

    Returns:
        The files written.

    Raises:
        AnalysisError: If a name is unknown.
        StoreError: If the folder cannot be written.
    """
    chosen = list(FIGURES if names is None else dict.fromkeys(names))
    unknown = [name for name in chosen if name not in FIGURES]
    if unknown:
        raise AnalysisError(
            "\n".join(
                f"Unknown figure '{name}'. Figures: {', '.join(sorted(FIGURES))}.{suggestion(name, FIGURES)}"
                for name in unknown
            )
        )
    written = []
    captions = []
    for name in chosen:
        figure = FIGURES[name]
        data = figure.prepare(summary)
        if data.empty:
            captions.append(f"**{name}**: left out, because {figure.absence(summary)}.")
            continue
        captions.append(f"**{name}**: {figure.caption(summary)}")
        for form, content in _drawn(figure, data).items():
            path = folder / f"{name}.{form}"
            write_bytes(path, content)
            written.append(path)
    write_text(folder / "captions.md", "\n\n".join(captions) + "\n")
    return [*written, folder / "captions.md"]


def _drawn(figure: Figure, data: pd.DataFrame) -> dict[str, bytes]:
    contents = {}
    # It tells at level INFO of every glyph that it embeds, to whoever has configured logging, as Hydra does.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    # From the defaults up: what a user's matplotlibrc says must not change the files.
    with style.context(["default", dict(rc_params())]), warnings.catch_warnings():
        # A script without an installed font shows as boxes in PNG and PDF; SVG keeps it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        sheet = figure.compose(data)
        FigureCanvasAgg(sheet)
        for form, options in _FORMATS.items():
            buffer = io.BytesIO()
            sheet.savefig(buffer, format=form, **options)
            contents[form] = buffer.getvalue()
    return contents
