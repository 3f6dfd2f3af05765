"""The table of costs: what the network of each cell needs, and how many times that of the reference."""

from __future__ import annotations

from ablate.analysis import Summary
from ablate.analysis.costs import disagreements
from ablate.tables.table import Beside, Column, Row, Table, label_of

__all__ = ["costs_table"]

_COLUMNS = {
    "weights": ("weights", 1.0),
    "flops": ("MFLOPs", 1e-6),
    "activations": ("activations", 1.0),
    "latency": ("inference (ms)", 1e3),
    "step": ("training step (ms)", 1e3),
}


def costs_table(summary: Summary) -> Table:
    """The table of what networks cost, a row a cell that was measured.

    Args:
        summary: The summary; its costs are not empty.

    Returns:
        The columns cell, weights, operations, activations, seconds of a forward pass and of a training step, each
        number with its ratio to the reference, and as notes where theory and machine disagree.
    """
    rows = []
    for found in summary.costs.to_dict("records"):
        values = [Beside(found[name] * unit, found[f"{name}_ratio"]) for name, (_, unit) in _COLUMNS.items()]
        rows.append(Row((found["cell"], *values)))
    batch = int(summary.costs["batch"].iloc[0])
    images = "1 image" if batch == 1 else f"{batch} images"
    return Table(
        columns=(Column("cell", "text"), *(Column(header, "cost") for header, _ in _COLUMNS.values())),
        rows=tuple(rows),
        caption=(
            f"What the networks of study {summary.study.name} cost, and how many times that of the full network: "
            "operations and numbers handed from layer to layer for 1 image; times of a forward pass and of a training "
            f"step of {images}, medians of measurements in turn in one process."
        ),
        label=label_of(summary.study.name, "costs"),
        notes=(*_uncounted(summary), *disagreements(summary.costs)),
    )


def _uncounted(summary: Summary) -> tuple[str, ...]:
    if summary.costs["flops"].notna().any():
        return ()
    return ("Operations were not counted, which TensorFlow does and no other back end of Keras.",)
