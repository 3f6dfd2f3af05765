"""What a trained network makes of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import NetworkError
from ablate.keras.data.class_folders import pictures_in
from ablate.keras.saving import load_model

__all__ = ["Prediction", "main", "predict"]

_SHOWN = 3
"""Classes told for a picture, the most probable first."""
_TOGETHER = 256


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
    """Reads pictures as a run read its data, and asks the network it kept.

    Args:
        run: The folder of a run that kept its weights (``train.save``); ``best.keras`` is preferred to ``last.keras``.
        images: Image files, or folders whose images count.

    Returns:
        The file of the network, and a prediction a picture, in their order.

    Raises:
        NetworkError: The run kept no network, or a picture cannot be read.
    """
    path = next((run / name for name in ("best.keras", "last.keras") if (run / name).is_file()), None)
    if path is None:
        there = "keeps no trained network" if run.is_dir() else "does not exist"
        raise NetworkError(f"The run '{run}' {there}: train it with train.save=best or train.save=last.")
    files = [file for given in images for file in (pictures_in(given) if given.is_dir() else [given])]
    if not files:
        raise NetworkError(f"No picture to predict among {', '.join(map(str, images)) or 'nothing'}: name image files.")
    model, preparation = load_model(path)
    found = []
    for start in range(0, len(files), _TOGETHER):
        some = files[start : start + _TOGETHER]
        given = np.asarray(model.predict(preparation.images(some), verbose=0), np.float64)
        for file, row in zip(some, _probabilities(given), strict=True):
            ranked = {preparation.class_names[place]: float(row[place]) for place in np.argsort(-row, kind="stable")}
            found.append(Prediction(file, ranked))
    return path, found


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
        *(f"  {one.path!s:{width}}  {_words(one.probabilities)}" for one in predictions),
    ]


def _words(probabilities: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in list(probabilities.items())[:_SHOWN])


def _probabilities(given: np.ndarray) -> np.ndarray:
    """A network that ends without a softmax gives logits."""
    if (given >= 0).all() and np.allclose(given.sum(axis=-1), 1, atol=1e-3):
        return given
    powers = np.exp(given - given.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
