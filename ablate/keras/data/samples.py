"""An image file of samples, as stored and as the network augments them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from ablate.keras.data.dataset import Dataset
from ablate.store.atomic import replacing

_MAX_CLASSES = 12
_PER_CLASS = 5


def sample_positions(dataset: Dataset, classes: int = _MAX_CLASSES, per_class: int = _PER_CLASS) -> np.ndarray:
    """The first training images of each class, in the order of the split.

    Args:
        dataset: The data set.
        classes: At most so many classes.
        per_class: Images a class.

    Returns:
        (classes, per_class) positions in the pool; -1 where a class has fewer.
    """
    positions = np.full((min(classes, dataset.classes), per_class), -1)
    for label in range(len(positions)):
        of_class = dataset.train.index[dataset.train.labels == label][:per_class]
        positions[label, : len(of_class)] = of_class
    return positions


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
            if any(one is tensor for one in node.input_tensors)
        ]
        if len(nodes) != 1 or not _is_preprocessing(nodes[0][0]):
            break
        tensor = nodes[0][1].output_tensors[0]
        if _is_random(nodes[0][0]):
            last = tensor
    return None if last is None else keras.Model(model.inputs[0], last)


def _layers(operation: Any) -> list[Any]:
    return list(operation.layers) if isinstance(operation, keras.Model) else [operation]


def _is_preprocessing(operation: Any) -> bool:
    return all(
        isinstance(layer, keras.layers.InputLayer)
        or any(".preprocessing." in kind.__module__ for kind in type(layer).__mro__)
        for layer in _layers(operation)
    )


def _is_random(operation: Any) -> bool:
    return any(
        "random" in type(layer).__name__.lower()
        or any(variable.name == "seed_generator_state" for variable in layer.variables)
        for layer in _layers(operation)
    )


def augmented(model: Any, dataset: Dataset, images: np.ndarray) -> np.ndarray:
    """Images after the augmentation of a network.

    Args:
        model: The result of `augmentation_of`.
        dataset: Whose scaling comes before the network.
        images: (images, height, width, channels), whole numbers 0 to 255.

    Returns:
        The same shape and range.
    """
    scaled = (images.astype(np.float32) - dataset.offset) * dataset.factor
    outputs = keras.ops.convert_to_numpy(model(scaled, training=True))
    return np.clip(np.round(outputs / dataset.factor + dataset.offset), 0, 255).astype(np.uint8)


def draw_samples(dataset: Dataset, model: Any | None, path: Path) -> Path:
    """Writes samples, a row a class; on the right the same images augmented, where the network does so.

    Args:
        dataset: The data set.
        model: The result of `augmentation_of`.
        path: The PNG file.

    Raises:
        StoreError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    positions = sample_positions(dataset)
    rows, per_class = positions.shape
    panels = [dataset.pool.images[positions.clip(0)]]
    if model is not None:
        flat = panels[0].reshape(-1, *dataset.input_shape)
        panels.append(augmented(model, dataset, flat).reshape(panels[0].shape))
    height, width, _ = dataset.input_shape
    figure = Figure(figsize=(1.2 + len(panels) * per_class * 0.85 * min(2, width / height), 0.7 + rows * 0.85), dpi=120)
    figure.set_layout_engine("constrained")
    # One grid for both halves, with an empty column between them, so that all images have the same size.
    gap = len(panels) - 1
    grid = figure.subplots(rows, len(panels) * per_class + gap, squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    for half, (images, title) in enumerate(zip(panels, (f"{dataset.name}: as stored", "augmented"), strict=False)):
        axes = grid[:, half * (per_class + 1) : half * (per_class + 1) + per_class]
        axes[0, per_class // 2].set_title(title, fontsize=10)
        for ax, position, image in zip(
            axes.flat, positions.flat, images.reshape(-1, *dataset.input_shape), strict=True
        ):
            if position >= 0:
                ax.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
    for ax, name in zip(grid[:, 0], dataset.class_names, strict=False):
        ax.text(-0.15, 0.5, name, transform=ax.transAxes, ha="right", va="center", fontsize=8)
    with replacing(path, ".png") as temporary:
        figure.savefig(temporary)
    return path
