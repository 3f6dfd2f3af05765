"""What the labels of a data set are, where an example has not one class: as lines of text, and masks as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ablate.keras.data.array_labels import VOID
from ablate.keras.data.dataset import Dataset
from ablate.keras.data.forms import LabelForm
from ablate.store.atomic import replacing

_MAX_ROWS = 20
_SAMPLES = 6


def describe_labels(dataset: Dataset) -> list[str]:
    """Examples by part, and the labels of each part, as lines of text.

    Args:
        dataset: The data set, split.
    """
    parts = dataset.subsets
    counts = ", ".join(f"{name} {len(part)}" for name, part in parts.items())
    lines = [f"  parts        {counts}"]
    if dataset.pool.form is LabelForm.NUMBERS:
        rows = {
            (f"target {number}" if dataset.pool.labels.shape[1] > 1 else "target", statistic): [
                _number(getattr(part.labels[:, number], statistic)()) for part in parts.values()
            ]
            for number in range(min(dataset.pool.labels.shape[1], _MAX_ROWS))
            for statistic in ("min", "mean", "max", "std")
        }
        table = pd.DataFrame.from_dict(
            {" ".join(key): row for key, row in rows.items()}, orient="index", columns=[*parts]
        )
    else:
        kind = {LabelForm.CLASSES: "examples", LabelForm.MASK: "share of pixels", LabelForm.STEPS: "share of steps"}
        lines.append(f"  classes      {dataset.classes}; by part the {kind[dataset.pool.form]} that have each")
        columns = {name: _shares(dataset, part.labels) for name, part in parts.items()}
        table = pd.DataFrame(columns, index=[*dataset.class_names, *_void(dataset)])[:_MAX_ROWS]
    return [*lines, *(f"               {line}" for line in table.to_string(col_space=11).splitlines())]


def _number(value: float) -> str:
    return f"{value:.4g}"


def _void(dataset: Dataset) -> list[str]:
    is_void = dataset.pool.form is not LabelForm.CLASSES and (dataset.pool.labels == VOID).any()
    return ["void"] if is_void and dataset.classes <= VOID else []


def _shares(dataset: Dataset, labels: np.ndarray) -> list[str]:
    if dataset.pool.form is LabelForm.CLASSES:
        return [str(count) for count in labels.sum(axis=0).tolist()]
    counts = np.bincount(labels.ravel(), minlength=VOID + 1) / labels.size
    chosen = [*range(dataset.classes), *([VOID] if _void(dataset) else [])]
    return [f"{counts[number]:.2%}" for number in chosen]


def draw_masks(dataset: Dataset, path: Path) -> None:
    """Writes the first training images with their masks below them; void is white.

    Args:
        dataset: The data set.
        path: The PNG file.

    Raises:
        StoreError: The file cannot be written.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    positions = dataset.train.index[:_SAMPLES]
    colours = colormaps["tab20"](np.arange(VOID + 1) % 20)
    colours[VOID] = 1.0
    figure = Figure(figsize=(1.3 * len(positions), 3.1), dpi=120)
    figure.set_layout_engine("constrained")
    for column, position in enumerate(positions):
        image, mask = dataset.pool.images[position], dataset.pool.labels[position]
        for row, values in enumerate((image.squeeze(), colours[mask])):
            ax = figure.add_subplot(2, len(positions), row * len(positions) + column + 1)
            ax.imshow(values, cmap="gray", vmin=0, vmax=255)
            ax.set_axis_off()
    names = dataset.class_names[:_MAX_ROWS]
    patches = [Patch(facecolor=colours[number], label=name) for number, name in enumerate(names)]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(names), 6), fontsize=8, frameon=False)
    with replacing(path, ".png") as temporary:
        figure.savefig(temporary)
