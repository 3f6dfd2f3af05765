"""Trained networks as `.keras` files that hold their classes and the preprocessing of their images."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ablate.errors import NetworkError
from ablate.keras.data.dataset import Dataset
from ablate.keras.data.images import UNREADABLE, fitted, opened
from ablate.store.atomic import replacing

_MEMBER = "ablate.json"
"""The file within the archive; Keras does not look at it."""


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture before a network takes it.

    Args:
        data: Name of the data set.
        class_names: Names of the classes, by output.
        input_shape: Height, width, channels.
        fit: How a picture comes to that size: ``stretch``, ``crop`` or ``pad``.
        offset: By channel, subtracted from values of 0 to 255 before they are multiplied with ``factor``.
        factor: By channel.
    """

    data: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    fit: str
    offset: tuple[float, ...]
    factor: tuple[float, ...]

    @classmethod
    def of(cls, dataset: Dataset, fit: str) -> Preprocessing:
        """The preprocessing of a data set."""
        return cls(
            dataset.name,
            dataset.class_names,
            dataset.input_shape,
            fit,
            tuple(dataset.offset.tolist()),
            tuple(dataset.factor.tolist()),
        )

    def images(self, paths: list[Path]) -> np.ndarray:
        """Pictures, read and converted as the training images were.

        Args:
            paths: Image files.

        Returns:
            (images, height, width, channels), 32 bits, scaled.

        Raises:
            NetworkError: Some cannot be read; all of them are named.
        """
        height, width, channels = self.input_shape
        arrays, faults = [], []
        for path in paths:
            try:
                with opened(path, (height, width)) as (image, _):
                    arrays.append(fitted(image, (height, width), channels, self.fit))
            except FileNotFoundError:
                faults.append(f"{path}: there is no such file.")
            except UNREADABLE:
                faults.append(f"{path}: not an image, or cut short.")
        if faults:
            raise NetworkError("\n".join(faults))
        offset, factor = np.array(self.offset, np.float32), np.array(self.factor, np.float32)
        return (np.stack(arrays).astype(np.float32) - offset) * factor


def save_model(model: Any, preprocessing: Preprocessing, path: Path) -> None:
    """Writes a network so that `keras.models.load_model` reads it.

    Args:
        model: The network; its optimizer is left out, so that Keras alone can load it.
        preprocessing: The preprocessing of its images.
        path: The ``.keras`` file.
    """
    with replacing(path, path.suffix) as temporary:
        model.save(temporary, include_optimizer=False)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_MEMBER, json.dumps(asdict(preprocessing)))


def load_model(path: Path) -> tuple[Any, Preprocessing]:
    """A network that `save_model` wrote, and the preprocessing of its images.

    Args:
        path: The ``.keras`` file.

    Raises:
        NetworkError: It cannot be loaded, or was saved by something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = json.loads(archive.read(_MEMBER))
        model = keras.models.load_model(path, compile=False)
    except KeyError as error:
        raise NetworkError(f"'{path}' does not say how its images are prepared: ablate did not save it.") from error
    except Exception as error:
        raise NetworkError(f"'{path}' cannot be loaded: {type(error).__name__}: {error}") from error
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in member.items()}
    return model, Preprocessing(**fields)
