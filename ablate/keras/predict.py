"""Predictions of a trained network for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import NetworkError
from ablate.keras.data.class_folders import picture_files
from ablate.keras.optimization import are_probabilities
from ablate.keras.saving import load_model

_LISTED = 3
"""Classes that are printed for a picture, the most probable first."""
_BATCH = 256


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
    predictions = []
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        outputs = np.asarray(model.predict(preprocessing.images(batch), verbose=0), np.float64)
        for file, row in zip(batch, _probabilities(outputs), strict=True):
            ranked = {preprocessing.class_names[label]: float(row[label]) for label in np.argsort(-row, kind="stable")}
            predictions.append(Prediction(file, ranked))
    return model_path, predictions


def main(run_folder: Path | str, images: Sequence[Path | str]) -> list[str]:
    """The predictions as lines to print.

    Args:
        run_folder: As in `predict`.
        images: As in `predict`.
    """
    path, predictions = predict(Path(run_folder), [Path(image) for image in images])
    width = max(len(str(one.path)) for one in predictions)
    return [
        f"Predictions of {path}:",
        *(f"  {one.path!s:{width}}  {_most_probable(one.probabilities)}" for one in predictions),
    ]


def _most_probable(probabilities: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in list(probabilities.items())[:_LISTED])


def _probabilities(outputs: np.ndarray) -> np.ndarray:
    """The outputs, after a softmax where the network ends without one."""
    if are_probabilities(outputs):
        return outputs
    powers = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
