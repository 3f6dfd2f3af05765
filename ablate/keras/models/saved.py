"""Networks from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from ablate.errors import NetworkError


def saved(input_shape: tuple[int, int, int], classes: int, *, path: str) -> Any:
    """The network in a file that Keras wrote; its weights are not used, since every run starts from its own.

    Args:
        input_shape: Height, width, channels of an image; the file decides what the network takes.
        classes: Number of classes; likewise.
        path: A ``.keras`` file, or an ``.h5`` file of an older Keras.

    Returns:
        The model, not compiled.

    Raises:
        NetworkError: If there is no such file, or if Keras cannot build the network in it.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise NetworkError(f"model.path={path}: there is no such file.")
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:
        raise NetworkError(
            f"model.path={path}: Keras cannot read it: {error} A network with layers of your own needs "
            "@keras.saving.register_keras_serializable() on their classes, imported by the module of model.builder."
        ) from error
