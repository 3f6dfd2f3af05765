"""All figures there are, by name."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.figures.curves import CURVES
from ablate.figures.effects import EFFECTS
from ablate.figures.figure import Figure

__all__ = ["FIGURES"]

FIGURES: Mapping[str, Figure] = {figure.name: figure for figure in (EFFECTS, CURVES)}
