"""Figures of a study: each prepares its data as a DataFrame and draws it on the caller's axes."""

from ablate.figures.figure import Figure
from ablate.figures.files import write_figures
from ablate.figures.registry import FIGURES

__all__ = ["FIGURES", "Figure", "write_figures"]
