"""All figures there are, by name."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.figures.cost import COST
from ablate.figures.curves import CURVES
from ablate.figures.datasets import DATASETS
from ablate.figures.difference_curves import DIFFERENCE_CURVES
from ablate.figures.effects import EFFECTS
from ablate.figures.figure import Figure
from ablate.figures.forest import FOREST
from ablate.figures.interactions import INTERACTIONS
from ablate.figures.main_effects import MAIN_EFFECTS
from ablate.figures.roadmap import ROADMAP
from ablate.figures.seeds import SEEDS
from ablate.figures.shapley import SHAPLEY

__all__ = ["FIGURES"]

FIGURES: Mapping[str, Figure] = {
    figure.name: figure
    for figure in (
        *(FOREST, EFFECTS, MAIN_EFFECTS, INTERACTIONS, SHAPLEY, ROADMAP),
        *(DATASETS, CURVES, DIFFERENCE_CURVES, SEEDS, COST),
    )
}
