"""Trained networks as `.keras` files that hold their classes and preprocessing, and their predictions for pictures."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import keras
import numpy as np

from ablate.errors import NetworkError, StoreError
from ablate.keras.data.dataset import Dataset
from ablate.keras.data.image_files import picture_files
from ablate.keras.data.images import UNREADABLE, fitted, opened
from ablate.keras.outputs import output_kind, probabilities
from ablate.store.atomic import replacing
from ablate.store.run_folder import RunFolder

_LISTED = 3
"""Classes that are printed for a picture, the most probable first."""
_BATCH = 256
_MEMBER = "ablate.json"
"""The file within the archive; Keras does not look at it."""
_LARGEST_MEMBER = 10_000_000  # bytes; names of classes take the most


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
        white: What white is in pictures of 16 bits or floating-point numbers; None is 65535 and 1.
        task: What the network was trained for.
    """

    data: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    fit: str
    offset: tuple[float, ...]
    factor: tuple[float, ...]
    white: float | None = None
    task: str = "classification"

    @classmethod
    def of(cls, dataset: Dataset, fit: str, white: float | None = None, task: str = "classification") -> Preprocessing:
        """The preprocessing of a data set."""
        offset, factor = tuple(dataset.offset.tolist()), tuple(dataset.factor.tolist())
        return cls(dataset.name, dataset.class_names, dataset.input_shape, fit, offset, factor, white, task)

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
                    arrays.append(fitted(image, (height, width), channels, self.fit, self.white))
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

    The file may come from elsewhere: Keras refuses code in it, as `Lambda` layers hold.

    Args:
        path: The ``.keras`` file.

    Raises:
        NetworkError: It cannot be loaded, or was saved by something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_MEMBER).file_size > _LARGEST_MEMBER:
                raise ValueError(f"its {_MEMBER} is too large")
            member = json.loads(archive.read(_MEMBER))
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in member.items()
        }
        preprocessing = Preprocessing(**fields)
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except KeyError as error:
        raise NetworkError(f"'{path}' does not say how its images are prepared: ablate did not save it.") from error
    except Exception as error:
        raise NetworkError(f"'{path}' cannot be loaded: {type(error).__name__}: {error}") from error
    return model, preprocessing


@dataclass(frozen=True)
class Prediction:
    """One picture and the probability of each class.

    Args:
        path: The picture.
        probabilities: By class name, the most probable first.
    """

    path: Path
    probabilities: dict[str, float]


def predict(run: Path, images: Sequence[Path]) -> tuple[Path, list[Prediction]]:
    """Predicts the classes of pictures with the network that a run saved.

    Args:
        run: The folder of a run with ``train.save``; ``best.keras`` is preferred to ``last.keras``.
        images: Image files, or folders whose images count.

    Returns:
        The file of the network, and a prediction a picture, in their order.

    Raises:
        NetworkError: The run saved no network, or a picture cannot be read.
    """
    model_path = next((run / name for name in ("best.keras", "last.keras") if (run / name).is_file()), None)
    if model_path is None:
        reason = "has no saved network" if run.is_dir() else "does not exist"
        raise NetworkError(f"The run '{run}' {reason}: train it with train.save=best or train.save=last.")
    files = [file for path in images for file in (picture_files(path) if path.is_dir() else [path])]
    if not files:
        raise NetworkError(f"No picture to predict among {', '.join(map(str, images)) or 'nothing'}: name image files.")
    model, preprocessing = load_model(model_path)
    if preprocessing.task != "classification":
        raise NetworkError(
            f"'{model_path}' was trained for task={preprocessing.task}: `ablate predict` says classes of images alone. "
            "Load the network with keras.models.load_model."
        )
    kind = output_kind(model)
    predictions = []
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        outputs = np.asarray(model.predict(preprocessing.images(batch), verbose=0), np.float64)
        for file, row in zip(batch, probabilities(outputs, kind), strict=True):
            ranked = {preprocessing.class_names[label]: float(row[label]) for label in np.argsort(-row, kind="stable")}
            predictions.append(Prediction(file, ranked))
    return model_path, predictions


def epoch_notes(run: Path, file: Path) -> list[str]:
    """A sentence where a run's best weights are of another epoch than those that it tested; nothing otherwise.

    Args:
        run: The folder of the run.
        file: The file of the network.
    """
    try:
        result = RunFolder(run).result()
    except StoreError:
        return []
    metrics = {} if result is None else result.metrics
    epoch, saved, accuracy = (metrics.get(name) for name in ("epoch", "saved_epoch", "test_accuracy"))
    if file.stem != "best" or None in (epoch, saved, accuracy) or epoch == saved:
        return []
    return [
        f"  These are the weights of epoch {saved:.0f}, the best by validation accuracy. The test accuracy of the run, "
        f"{accuracy:.4f}, is that of epoch {epoch:.0f}: train.epoch=best_val tests the weights that train.save=best "
        "saves."
    ]


def main(run_folder: Path | str, images: Sequence[Path | str]) -> list[str]:
    """The predictions as lines to print.

    Args:
        run_folder: As in `predict`.
        images: As in `predict`.
    """
    path, predictions = predict(Path(run_folder), [Path(image) for image in images])
    width = max(len(str(one.path)) for one in predictions)
    lines = [f"Predictions of {path}:", *epoch_notes(Path(run_folder), path)]
    for one in predictions:
        most_probable = list(one.probabilities.items())[:_LISTED]
        lines.append(f"  {one.path!s:{width}}  {', '.join(f'{name} {value:.3f}' for name, value in most_probable)}")
    return lines
