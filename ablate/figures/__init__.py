"""Figures of a study: each prepares its data as a DataFrame and draws it on the caller's axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.figures.registry import FIGURES, Figure, FigureKind, choice_faults, default_figures, register_figure

if TYPE_CHECKING:
    from ablate.figures.files import write_figures

__all__ = ["FIGURES", "Figure", "FigureKind", "choice_faults", "default_figures", "register_figure", "write_figures"]


def __getattr__(name: str) -> Any:
    # A choice of figures is checked before the first run, without the half second that matplotlib takes.
    if name == "write_figures":
        from ablate.figures.files import write_figures

        return write_figures
    raise AttributeError(f"module 'ablate.figures' has no attribute {name!r}")
