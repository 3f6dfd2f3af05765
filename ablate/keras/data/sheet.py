"""A sheet of sample images, as they come and as the network augments them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from ablate.errors import StoreError
from ablate.keras.data.dataset import Dataset

__all__ = ["augmentation_of", "augmented", "draw_sheet", "samples"]

_CLASSES = 12
_EACH = 5


def samples(dataset: Dataset, classes: int = _CLASSES, each: int = _EACH) -> np.ndarray:
    """Training images to show.

    Args:
        dataset: Whose training part is drawn from, in the order of the draw.
        classes: At most so many classes.
        each: Images a class.

    Returns:
        (classes, each) positions in the pool; -1 where a class has fewer.
    """
    places = np.full((min(classes, dataset.classes), each), -1)
    for label in range(len(places)):
        own = dataset.train.index[dataset.train.labels == label][:each]
        places[label, : len(own)] = own
    return places


def augmentation_of(model: Any) -> Any | None:
    """The random layers right behind the input of a network.

    Args:
        model: A functional or Sequential model.

    Returns:
        A model that ends with the last of them, or ``None`` if there is none.
    """
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs)
    tensor, last = model.inputs[0], None
    while True:
        nodes = [
            (operation, node)
            for operation in model.operations
            for node in operation._inbound_nodes
            if any(given is tensor for given in node.input_tensors)
        ]
        if len(nodes) != 1 or not _prepares(nodes[0][0]):
            break
        tensor = nodes[0][1].output_tensors[0]
        if _is_random(nodes[0][0]):
            last = tensor
    return None if last is None else keras.Model(model.inputs[0], last)


def _parts(operation: Any) -> list[Any]:
    return list(operation.layers) if isinstance(operation, keras.Model) else [operation]


def _prepares(operation: Any) -> bool:
    return all(
        isinstance(part, keras.layers.InputLayer)
        or any(".preprocessing." in kind.__module__ for kind in type(part).__mro__)
        for part in _parts(operation)
    )


def _is_random(operation: Any) -> bool:
    return any("random" in type(part).__name__.lower() or _states(part) for part in _parts(operation))


def _states(layer: Any) -> bool:
    return any(variable.name == "seed_generator_state" for variable in layer.variables)


def augmented(model: Any, dataset: Dataset, images: np.ndarray) -> np.ndarray:
    """Images after the augmentation of a network.

    Args:
        model: What `augmentation_of` gave.
        dataset: Whose scaling stands in front of the network.
        images: (images, height, width, channels), whole numbers 0 to 255.

    Returns:
        The same shape and range.
    """
    given = (images.astype(np.float32) - dataset.offset) * dataset.factor
    drawn = keras.ops.convert_to_numpy(model(given, training=True))
    return np.clip(np.round(drawn / dataset.factor + dataset.offset), 0, 255).astype(np.uint8)


def draw_sheet(dataset: Dataset, model: Any | None, path: Path) -> Path:
    """Writes the sheet: a row a class; on the right the same images augmented, where the network does so.

    Args:
        dataset: What to show.
        model: What `augmentation_of` gave.
        path: The PNG file.

    Raises:
        StoreError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    places = samples(dataset)
    rows, each = places.shape
    panels = [dataset.pool.images[places.clip(0)]]
    if model is not None:
        flat = panels[0].reshape(-1, *dataset.input_shape)
        panels.append(augmented(model, dataset, flat).reshape(panels[0].shape))
    height, width, _ = dataset.input_shape
    figure = Figure(figsize=(1.2 + len(panels) * each * 0.85 * min(2, width / height), 0.7 + rows * 0.85), dpi=120)
    figure.set_layout_engine("constrained")
    # One grid for both halves, with an empty column between them, so that all images have the same size.
    gap = len(panels) - 1
    grid = figure.subplots(rows, len(panels) * each + gap, squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    for half, (images, title) in enumerate(zip(panels, (f"{dataset.name}: as they come", "augmented"), strict=False)):
        own = grid[:, half * (each + 1) : half * (each + 1) + each]
        own[0, each // 2].set_title(title, fontsize=10)
        for ax, place, image in zip(own.flat, places.flat, images.reshape(-1, *dataset.input_shape), strict=True):
            if place >= 0:
                ax.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
    for ax, name in zip(grid[:, 0], dataset.class_names, strict=False):
        ax.text(-0.15, 0.5, name, transform=ax.transAxes, ha="right", va="center", fontsize=8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise StoreError(f"Cannot write '{path}': {error.strerror or error}.") from error
    return path
