"""An image file of samples, as stored and as the network augments them."""

from __future__ import annotations

import warnings
from itertools import takewhile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ablate.characters import FONTS_OF_OTHER_SCRIPTS, printable
from ablate.keras.data.dataset import Dataset
from ablate.store.atomic import replacing

_MAX_CLASSES = 12
_PER_CLASS = 5
_GAP = 1
"""Pixels between two images."""


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
    in_front = takewhile(_is_preprocessing, model.operations)
    outputs = [operation._inbound_nodes[-1].output_tensors[0] for operation in in_front if _is_random(operation)]
    return keras.Model(model.inputs[0], outputs[-1]) if outputs else None


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

    def outputs(values: np.ndarray, training: bool) -> np.ndarray:
        scaled = (values.astype(np.float32) - dataset.offset) * dataset.factor
        return np.asarray(keras.ops.convert_to_numpy(model(scaled, training=training)))

    # The network may scale images itself before it changes them at random.
    black_white = np.stack([np.zeros_like(images[0]), np.full_like(images[0], 255)])
    black, white = outputs(black_white, False).mean(axis=(1, 2))
    return np.clip(np.round((outputs(images, True) - black) * (255 / (white - black))), 0, 255).astype(np.uint8)


def draw_samples(dataset: Dataset, model: Any | None, path: Path) -> tuple[str, ...]:
    """Writes samples, a row a class; on the right the same images augmented, where the network does so.

    Args:
        dataset: The data set.
        model: The result of `augmentation_of`.
        path: The PNG file.

    Returns:
        A sentence where the fonts here lack letters of the names.

    Raises:
        StoreError: The file cannot be written.
    """
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    installed = set(font_manager.get_font_names())
    fonts: dict[str, Any] = {"family": ["DejaVu Sans", *(name for name in FONTS_OF_OTHER_SCRIPTS if name in installed)]}
    positions = sample_positions(dataset)
    rows, per_class = positions.shape
    height, width, _ = dataset.input_shape
    stored = dataset.pool.images[positions.clip(0).ravel()]
    panels = {f"{dataset.name}: as stored": stored}
    if model is not None:
        panels["augmented"] = augmented(model, dataset, stored)
    figure = Figure(figsize=(1.2 + len(panels) * per_class * 0.85 * min(2, width / height), 0.7 + rows * 0.85), dpi=120)
    figure.set_layout_engine("constrained")
    for ax, (title, images) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels.items(), strict=True):
        ax.imshow(
            _mosaic(np.where(positions.reshape(-1, 1, 1, 1) < 0, 255, images), per_class), cmap="gray", vmin=0, vmax=255
        )
        ax.set_title(_literal(title), fontsize=10, fontdict=fonts)
        ax.set_axis_off()
    labelled = figure.axes[0]
    for row, name in enumerate(dataset.class_names[:rows]):
        labelled.text(-4, (row + 0.5) * (height + _GAP), _literal(name), ha="right", va="center", fontsize=8, **fonts)
    with replacing(path, ".png") as temporary, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(temporary)
    if not any("missing from" in str(one.message) for one in caught):
        return ()
    return (
        "No font here has all letters of the names of the classes, so that some show as boxes in the picture. Noto has "
        "those of most scripts: apt install fonts-noto-cjk for Chinese, Japanese and Korean.",
    )


def _literal(text: str) -> str:
    """A text without formulas between dollar signs."""
    return printable(text).replace("$", r"\$")


def _mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """(height, width) or (height, width, channels): the images row by row, with white between them."""
    gaps = np.pad(images, ((0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    grid = gaps.reshape(-1, columns, *gaps.shape[1:])
    picture = np.concatenate(np.concatenate(grid, axis=1), axis=1)
    return picture.squeeze(-1) if picture.shape[-1] == 1 else picture
