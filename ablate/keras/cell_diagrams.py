"""The diagrams of a study: the network of each cell, what was taken away marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

from ablate.errors import AblateError
from ablate.keras.compiled import FullModels, levels_of
from ablate.keras.diagram import write_diagram
from ablate.keras.fitting import fitting_data
from ablate.keras.graph import Graph
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import sketch
from ablate.keras.ingredients import ablated_graph, catalogue
from ablate.keras.preflight import checked

__all__ = ["write"]


def write(cells: Sequence[tuple[str, str]], configs: Sequence[Mapping[str, Any]], folder: str) -> list[str]:
    """Draws the networks of cells as SVG and PDF.

    Args:
        cells: Name (of the files) and label (on top of the diagram) of each cell.
        configs: Their resolved configs as plain values.
        folder: Where to write.

    Returns:
        A sentence for each network that could not be drawn.
    """
    faults = []
    models = FullModels()
    for (name, label), config in zip(cells, configs, strict=True):
        try:
            full, cell = _graphs(config, models)
            write_diagram(full, cell, label, Path(folder) / name)
        except AblateError as error:
            faults.append(f"{label} is not drawn: {error}")
    return faults


def _graphs(config: Mapping[str, Any], models: FullModels) -> tuple[Graph, Graph | None]:
    """The network in its full form, and without what the cell takes away if it takes something."""
    values = checked(config)
    device.prepare(values["threads"])
    full = models.of(config, fitting_data(config)[0], values["mixed_precision"])
    known = catalogue(config.get("ingredients"))
    cell = ablated_graph(full, levels_of(config, known), config.get("only"), known)
    return graph_of(full), None if cell is None else graph_of(sketch(cell))
